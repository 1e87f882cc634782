from pathlib import Path
from types import SimpleNamespace

from sealring_verify.inspect.page import write_page

FILE = Path(__file__).parents[5] / "docs/inspector.html"


async def test_the_server_gives_the_file_of_the_documentation(site: SimpleNamespace) -> None:
    page = await site.http.get("/inspect")
    assert page.status_code == 200
    assert page.content == FILE.read_bytes()
    assert page.headers["content-type"] == "text/html; charset=utf-8"


async def test_nothing_leaves_the_page_by_its_policy(site: SimpleNamespace) -> None:
    headers = (await site.http.get("/inspect")).headers
    assert headers["content-security-policy"] == write_page().policy
    policy = set(write_page().policy.split("; "))
    assert {"default-src 'none'", "connect-src 'none'", "form-action 'none'", "frame-ancestors 'none'"} <= policy
    assert headers["x-frame-options"] == "DENY"
    assert headers["cross-origin-opener-policy"] == "same-origin"
