"""The control socket's application: `POST /acts/<name>`, JSON in and out, refusals as everywhere (DESIGN §5).

The socket is 0600, so whoever can write to it is the server's own user; the header `Sealring-Operator` only says, for
the audit, who that was.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from sealring.admin.act import Act
from sealring.admin.acts import ACTS
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES, parse_json_object
from sealring.protocol.secret import Secret
from sealring.services.desk import Desk, StoreUnavailable

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ControlApp = Callable[[_Scope, _Receive, _Send], Awaitable[None]]

_PATH: Final = "/acts/"
_OPERATOR: Final = re.compile(rb"[A-Za-z0-9._@-]{1,64}")
_HEADERS: Final = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


def build_control_app(desk: Desk, *, more: Mapping[str, Act] = MappingProxyType({})) -> ControlApp:
    """Make the ASGI application over a desk. Bugs are left to the server, which answers 500 and logs them.

    `more`: acts that only the demo has.
    """
    acts = {**ACTS, **more}

    async def control(scope: _Scope, receive: _Receive, send: _Send) -> None:
        if scope["type"] != "http":
            return
        outcome = await _perform(scope, receive, desk=desk, acts=acts)
        status, body = _rendered(outcome)
        headers = [*_HEADERS, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return control


async def _perform(
    scope: _Scope, receive: _Receive, *, desk: Desk, acts: Mapping[str, Act]
) -> msgspec.Struct | OAuthError:
    act = acts.get(scope["path"].removeprefix(_PATH)) if scope["path"].startswith(_PATH) else None
    body = await _read(receive, maximum_bytes=MAXIMUM_BODY_BYTES if act is None else act.maximum_bytes)
    if isinstance(body, OAuthError):
        return body
    if act is None:
        return refuse("unknown_act")
    if scope["method"] != "POST":
        return refuse("method_not_allowed")
    headers = dict(scope["headers"])
    # No page can send this type or the header without asking first, and no preflight is ever answered here.
    if headers.get(b"content-type") != b"application/json":
        return refuse("wrong_content_type", description="Acts take application/json.")
    operator = headers.get(b"sealring-operator", b"unknown")
    if not _OPERATOR.fullmatch(operator):
        return refuse("invalid_parameter", description="Sealring-Operator names the user of the operating system.")
    request = parse_json_object(body, act.request, maximum_bytes=act.maximum_bytes)
    if isinstance(request, OAuthError):
        return request
    try:
        return await act.perform(request, desk, f"cli:{operator.decode()}")
    except StoreUnavailable:
        return refuse("store_unavailable", retry_after=1)


async def _read(receive: _Receive, *, maximum_bytes: int) -> bytes | OAuthError:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return refuse("malformed_http")
        body += message.get("body", b"")
        if len(body) > maximum_bytes:
            return refuse("body_too_large")
        if not message.get("more_body", False):
            return bytes(body)


def _rendered(outcome: msgspec.Struct | OAuthError) -> tuple[int, bytes]:
    if not isinstance(outcome, OAuthError):
        return 200, msgspec.json.encode(outcome, enc_hook=_revealed)
    members = {"error": outcome.error, "error_description": outcome.description, "code": outcome.code}
    return outcome.status, msgspec.json.encode(members)


def _revealed(value: object) -> str:
    # A new secret is shown once, and this is where: to the operator who asked for it.
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(type(value).__name__)
