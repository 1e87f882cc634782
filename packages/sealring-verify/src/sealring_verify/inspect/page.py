"""The inspector as one HTML file: its parts and its words joined, under a policy that lets nothing out."""

import json
from base64 import b64encode
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Final

import msgspec

from sealring_verify.errors import CODES
from sealring_verify.inspect import vocabulary

_SCRIPTS: Final = ("decoding.js", "remarks.js", "dates.js", "trial.js", "page.js")
_TOLD_CODES: Final = (
    "token_malformed", "token_too_large", "duplicate_member", "critical_header", "algorithm_not_allowed", "unknown_key",
    "bad_signature", "token_encrypted", "invalid_claim", "token_expired", "token_not_yet_valid",
)  # fmt: skip


class InspectorPage(msgspec.Struct, frozen=True, kw_only=True):
    """The file, and its Content-Security-Policy as a header says it; a page cannot forbid frames by itself."""

    document: bytes
    policy: str


@cache
def write_page() -> InspectorPage:
    """Join the parts. The same parts give the same octets."""
    style = _part("page.css")
    script = "\n".join(map(_part, _SCRIPTS))
    policy = (
        "default-src 'none'; base-uri 'none'; connect-src 'none'; form-action 'none'; "
        f"script-src '{_hash(script)}'; style-src '{_hash(style)}'"
    )
    # The script and the words may hold what looks like one of the marks, so each is cut out of the frame once.
    head, rest = _part("page.html").split("{{ policy }}")
    middle, rest = rest.split("{{ style }}")
    body, rest = rest.split("{{ words }}")
    between, end = rest.split("{{ script }}")
    document = f"{head}{policy}{middle}{style}{body}{_words()}{between}{script}{end}"
    return InspectorPage(document=document.encode(), policy=f"{policy}; frame-ancestors 'none'")


def _part(name: str) -> str:
    return files("sealring_verify.inspect").joinpath("page_parts", name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return f"sha256-{b64encode(sha256(text.encode()).digest()).decode()}"


def _words() -> str:
    words = {name: getattr(vocabulary, name) for name in dir(vocabulary) if name.isupper()}
    told = {name: dict(value) if hasattr(value, "keys") else value for name, value in words.items()}
    told["CODES"] = {code: CODES[code] for code in _TOLD_CODES}
    # In a script's element nothing ends it but this, wherever it stands.
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")).replace("<", "\\u003c")
