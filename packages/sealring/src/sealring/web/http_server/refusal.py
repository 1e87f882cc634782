"""Answers that the server gives by itself, in the JSON form of every other refusal, as bytes for the socket."""

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from sealring.protocol.errors import OAuthError, refuse

MALFORMED = refuse("malformed_http")
HEAD_TOO_LARGE = refuse("head_too_large")
BODY_TOO_LARGE = refuse("body_too_large", description="The body is larger than this server takes.")
BODY_TOO_SLOW = refuse("body_too_slow")


def refusal_headers(body: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of a refusal with that JSON body, after which the connection closes."""
    return [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"connection", b"close"),
    ]


def refusal_body(refusal: OAuthError) -> bytes:
    """The JSON of a refusal: `error`, `error_description`, `code`, and `error_id` where there is one."""
    members = {"error": refusal.error, "error_description": refusal.description, "code": refusal.code}
    if refusal.error_id is not None:
        members["error_id"] = refusal.error_id
    return msgspec.json.encode(members)


def whole_answer(refusal: OAuthError, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    """Status line, headers and body of a refusal. `default_headers`: those of every answer, the date."""
    body = refusal_body(refusal)
    lines = [b"%b: %b\r\n" % header for header in (*default_headers, *refusal_headers(body))]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body])
