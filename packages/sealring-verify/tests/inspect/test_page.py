import json
import re
from base64 import b64encode
from hashlib import sha256
from pathlib import Path

from sealring_verify.inspect.page import write_page
from sealring_verify.inspect.vocabulary import REMARKS

ROOT = Path(__file__).parents[4]
PAGE = write_page().document.decode()


def only(pattern: str) -> str:
    (found,) = re.findall(pattern, PAGE, flags=re.DOTALL)
    return str(found)


def test_the_file_of_the_documentation_is_the_page() -> None:
    """After a change of the page: `./sealring inspect --page > docs/inspector.html`."""
    assert (ROOT / "docs/inspector.html").read_bytes() == write_page().document


def test_the_policy_lets_nothing_in_but_the_pages_own_script_and_style() -> None:
    policy = only(r'http-equiv="Content-Security-Policy" content="([^"]*)"')
    script, style = only(r"<script>(.*?)</script>"), only(r"<style>(.*?)</style>")
    for kind, text in (("script-src", script), ("style-src", style)):
        assert f"{kind} 'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" in policy
    assert {"default-src 'none'", "connect-src 'none'", "form-action 'none'", "base-uri 'none'"} <= set(
        policy.split("; ")
    )
    assert "unsafe" not in policy
    assert write_page().policy == f"{policy}; frame-ancestors 'none'"


def test_the_page_names_no_other_file_and_no_way_out() -> None:
    markup = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", PAGE, flags=re.DOTALL)
    assert not re.search(r"\b(src|href|action|style|on\w+)=", markup)
    script = only(r"<script>(.*?)</script>")
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|EventSource|sendBeacon|import)\b", script)
    assert not re.search(r"\b(localStorage|sessionStorage|indexedDB|cookie|caches)\b", script)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", script)


def test_the_page_has_the_words_of_the_command() -> None:
    words = json.loads(only(r'id="words">(.*?)</script>'))
    assert words["REMARKS"] == {code: list(told) for code, told in REMARKS.items()}
