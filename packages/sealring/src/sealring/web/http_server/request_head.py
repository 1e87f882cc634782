"""What a request's head must be before any application sees it (RFC 9112 §3)."""

from urllib.parse import unquote

import httptools
import msgspec

from sealring.protocol.errors import OAuthError
from sealring.web.http_server.admission import ConnectionLimits
from sealring.web.http_server.refusal import BODY_TOO_LARGE, HEAD_TOO_LARGE, MALFORMED


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The request target. `path`: percent-decoded; `raw_path` and `query_string`: as sent."""

    path: str
    raw_path: bytes
    query_string: bytes


def judge_head(
    version: str, url: bytes, headers: list[tuple[bytes, bytes]], *, received_bytes: int, limits: ConnectionLimits
) -> OAuthError | None:
    """Say why a head is refused, or None. `received_bytes`: an upper bound of its size; names are in lower case."""
    # The bound is usually small, and then nothing need be counted.
    if received_bytes > limits.head_bytes and len(url) + _size(headers) > limits.head_bytes:
        return HEAD_TOO_LARGE
    hosts = 0
    announced_bytes = 0
    for name, value in headers:
        if name == b"host":
            hosts += 1
        elif name == b"content-length":
            announced_bytes = int(value)  # the parser lets digits pass only, and one such header only
    # RFC 9112 §3.2: a server MUST respond with 400 to HTTP/1.1 without Host, and to any request with several.
    if version not in ("1.0", "1.1") or hosts > 1 or (version == "1.1" and not hosts):
        return MALFORMED
    if announced_bytes > limits.body_bytes:
        return BODY_TOO_LARGE
    return None


def read_target(url: bytes) -> Target | None:
    """Take a request target apart; None where it is no URL or its path is not ASCII."""
    try:
        parsed = httptools.parse_url(url)
        raw_path = parsed.path or b"/"
        path = raw_path.decode("ascii")
    except (httptools.HttpParserInvalidURLError, UnicodeDecodeError):
        return None
    return Target(path=unquote(path) if "%" in path else path, raw_path=raw_path, query_string=parsed.query or b"")


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)
