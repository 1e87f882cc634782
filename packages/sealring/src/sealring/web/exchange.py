"""What an endpoint is given and gives back, and how every refusal looks on the wire (RFC 6749 §5.2, RFC 6750 §3)."""

from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from typing import Any, Final

import msgspec

from sealring.browser.csp import JSON_HEADERS
from sealring.protocol.caller import Caller
from sealring.protocol.errors import CODES, OAuthError
from sealring.protocol.session import MfaRequired
from sealring.services.house import House

Headers = tuple[tuple[bytes, bytes], ...]
_JSON: Final = (b"content-type", b"application/json")


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose body has been read whole. `headers`: lower-case names; `parameters`: from the path.

    `query`: as it came, still encoded. `from_proxy`: it came through a proxy that is named in server.trusted_proxies.
    """

    method: str
    path: str
    query: bytes = b""
    headers: Mapping[str, str]
    body: bytes
    caller: Caller
    from_proxy: bool = False
    parameters: Mapping[str, str] = {}


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Status, headers without content-length, body."""

    status: int
    headers: Headers
    body: bytes


Push = Callable[[bytes], bool]
"""Write a piece of a body now; False, and nothing written, where that would have to wait."""

PUSH_EXTENSION: str = "sealring.push"
"""Our ASGI extension: after the start of an answer its application may send `{"type": PUSH_EXTENSION, "take": f}`;
the server calls `f` with a `Push`, good between the pieces of the body."""


class StreamAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Status and headers at once, and a body that comes in pieces until its source ends or the caller goes away.

    `chunks`: opens the source. It pushes what can be written at once, between the pieces that it gives; it has no
    `Push` where the server offers none.
    """

    status: int
    headers: Headers
    chunks: Callable[[Push | None], AsyncGenerator[bytes, None]]


Endpoint = Callable[[Request, House], Awaitable[Answer | StreamAnswer]]

Respond = Callable[[bytes, tuple[str, int] | None], Coroutine[Any, Any, Answer]]
"""Answer a request with that body, from that address; all that its head says is settled."""


def json_answer(value: object, *, status: int = 200, headers: Headers = ()) -> Answer:
    """Answer with JSON that nobody may keep."""
    return Answer(status=status, headers=(_JSON, *JSON_HEADERS, *headers), body=msgspec.json.encode(value))


def is_marked(request: Request) -> bool:
    """Say whether a page marked its request as its own: no form can, and no other origin without a preflight."""
    return request.headers.get("sealring-request") == "1"


def no_content() -> Answer:
    """Answer that it is done."""
    return Answer(status=204, headers=JSON_HEADERS, body=b"")


def refusal_answer(refusal: OAuthError) -> Answer:
    """Answer with a refusal: `error`, `error_description`, our `code`, and what the status demands."""
    members: dict[str, str] = {
        "error": refusal.error,
        "error_description": refusal.description,
        "code": refusal.code,
    }
    if refusal.scope is not None:
        members["scope"] = refusal.scope
    if refusal.error_id is not None:
        members["error_id"] = refusal.error_id
    headers: list[tuple[bytes, bytes]] = []
    if refusal.retry_after is not None:
        headers.append((b"retry-after", str(refusal.retry_after).encode()))
    if refusal.status == 401 or refusal.error == "insufficient_scope":
        headers.append((b"www-authenticate", _challenge(refusal)))
    return json_answer(members, status=refusal.status, headers=tuple(headers))


def mfa_answer(step: MfaRequired) -> Answer:
    """Answer that the password was right and a second factor is needed: a one-use step, never tokens."""
    members = {
        "error": step.error,
        "error_description": CODES[step.code].description,
        "code": step.code,
        "step_token": step.step_token.reveal(),
        "factors": step.factors,
        "expires_in": step.expires_in,
    }
    return json_answer(members, status=CODES[step.code].status)


def _challenge(refusal: OAuthError) -> bytes:
    if refusal.error == "invalid_client":
        return b'Basic realm="sealring"'
    if refusal.code in {
        "token_missing",
        "gate_session_missing",
    }:  # RFC 6750 §3.1: no error code where no credentials came
        return b"Bearer"
    scope = "" if refusal.scope is None else f', scope="{refusal.scope}"'
    told = f'Bearer error="{refusal.error}", error_description="{refusal.description}"{scope}'
    return told.encode("ascii", "replace")


def error_id(house: House) -> str:
    """Throw the dice for the name under which the operator finds an event."""
    return urlsafe_b64encode(house.randomness(9)).decode()
