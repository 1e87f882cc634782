"""The ASGI application: a request's way from bytes to an endpoint and back (DESIGN §3)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, MutableMapping, Sequence
from contextlib import aclosing
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import msgspec
import structlog

from sealring.browser.forwarded import Network, client_address, is_trusted_proxy, network_of
from sealring.browser.origin import VARY_ORIGIN, Origin, cors_headers, preflight_headers
from sealring.browser.user_agent import user_agent_family
from sealring.protocol.caller import Caller
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES
from sealring.services.house import House, StoreUnavailable
from sealring.web.exchange import (
    PUSH_EXTENSION,
    Answer,
    Endpoint,
    Push,
    Request,
    Respond,
    StreamAnswer,
    error_id,
    refusal_answer,
)
from sealring.web.routes import ANY_HOST, CROSS_ORIGIN, DIRECT, GATED, HASHING, OF_PROXIES, ROUTES, WELL_KNOWN, Methods

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Peer = tuple[str, int] | None
_Given = TypeVar("_Given", Answer, Answer | StreamAnswer)
_log = structlog.get_logger()

# Told twice these mean two things: which client, which token, which body.
_ONCE: Final = frozenset({"authorization", "content-type", "host", "origin"})
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip"})
_PREFLIGHT_HEADERS: Final = ("Authorization", "Content-Type", "Sealring-Request")


class WebPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`refuse_forwarded`: the demo's rule (SECURITY D7). `extra_routes`: the demo's pages."""

    trusted_proxies: Sequence[Network] = ()
    refuse_forwarded: bool = False
    extra_routes: Mapping[str, Methods] = {}


class _Found(msgspec.Struct, frozen=True):
    path: str
    methods: Methods
    parameters: Mapping[str, str]


class _Asked(msgspec.Struct, frozen=True):
    """What the head of a request asks for."""

    found: _Found
    endpoint: Endpoint
    method: str
    query: bytes
    headers: Mapping[str, str]


class WebApp:
    """The ASGI application over one house."""

    def __init__(self, house: House, *, policy: WebPolicy) -> None:
        self._house = house
        self._policy = policy
        issuer = urlsplit(house.issuer)
        self._host = issuer.netloc
        prefix = issuer.path
        table = {prefix + path: (path, methods) for path, methods in {**ROUTES, **policy.extra_routes}.items()}
        table |= {path + prefix: (path, methods) for path, methods in WELL_KNOWN.items()}
        table |= {path: (path, methods) for path, methods in GATED.items()}
        self._exact = {full: _Found(path, methods, {}) for full, (path, methods) in table.items() if "{" not in full}
        self._patterns = [(full.split("/"), path, methods) for full, (path, methods) in table.items() if "{" in full]

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        answer = await self._answer(scope, receive)
        if isinstance(answer, StreamAnswer):
            await _stream(answer, scope, receive, send)
            return
        headers = [*answer.headers, (b"content-length", str(len(answer.body)).encode())]
        if answer.status in {204, 304}:
            headers = list(answer.headers)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def recognise(self, scope: _Scope) -> Respond | None:
        """Settle all that the head of a request says, where its answers are short and whole; None elsewhere.

        What comes back answers each request with that head: it looks at the body and at the caller's address alone.
        """
        found = self._find(scope["path"], scope["raw_path"])
        headers = _headers(scope["headers"])
        if found is None or found.path not in DIRECT or isinstance(headers, OAuthError):
            return None
        endpoint = found.methods.get(scope["method"])
        if endpoint is None or self._refuse_host(found, headers) is not None:
            return None
        asked = _Asked(found, endpoint, scope["method"], scope["query_string"], headers)

        async def respond(body: bytes, peer: _Peer) -> Answer:
            if len(body) > MAXIMUM_BODY_BYTES:
                answer: Answer | StreamAnswer = refusal_answer(refuse("body_too_large"))
            else:
                answer = await self._ask(asked, body, peer)
            if isinstance(answer, StreamAnswer):
                raise TypeError(f"{found.path} stands in DIRECT, and gives its answers in pieces")
            return await self._guard(self._share(found, headers, answer), path=found.path)

        return respond

    async def _answer(self, scope: _Scope, receive: _Receive) -> Answer | StreamAnswer:
        found = self._find(scope["path"], scope["raw_path"])
        headers = _headers(scope["headers"])
        if isinstance(headers, OAuthError):
            answer: Answer | StreamAnswer = refusal_answer(headers)
            of_proxies = found is not None and found.path in OF_PROXIES
            return msgspec.structs.replace(answer, status=403) if of_proxies else answer
        if found is None:
            return refusal_answer(refuse("not_found"))
        refusal = self._refuse_host(found, headers)
        if refusal is None and scope["method"] == "OPTIONS" and found.path in CROSS_ORIGIN:
            return await self._guard(self._preflight(found, headers), path=found.path)
        if refusal is None:
            answer = await self._ask_endpoint(found, headers, scope, receive)
        else:
            answer = refusal_answer(refusal)
        if isinstance(answer, StreamAnswer):
            return answer
        # Also what no endpoint was asked for: a page must be able to read why it was refused.
        return await self._guard(self._share(found, headers, answer), path=found.path)

    async def _ask_endpoint(
        self, found: _Found, headers: Mapping[str, str], scope: _Scope, receive: _Receive
    ) -> Answer | StreamAnswer:
        method = scope["method"]
        endpoint = found.methods.get("GET" if method == "HEAD" else method)
        if endpoint is None:
            allowed = ", ".join(sorted(found.methods)).encode()
            refused = refusal_answer(refuse("method_not_allowed"))
            return msgspec.structs.replace(refused, headers=(*refused.headers, (b"allow", allowed)))
        body = await _read(receive)
        if isinstance(body, OAuthError):
            return refusal_answer(body)
        asked = _Asked(found, endpoint, method, scope["query_string"], headers)
        answering = self._ask(asked, body, scope.get("client"))
        return await (_while_present(answering, receive) if found.path in HASHING else answering)

    async def _ask(self, asked: _Asked, body: bytes, peer: _Peer) -> Answer | StreamAnswer:
        found = asked.found
        request = Request(
            method=asked.method,
            path=found.path,
            query=asked.query,
            headers=asked.headers,
            body=body,
            caller=self._caller(peer, asked.headers),
            from_proxy=is_trusted_proxy(None if peer is None else peer[0], self._policy.trusted_proxies),
            parameters=found.parameters,
        )
        return await self._guard(asked.endpoint(request, self._house), path=found.path)

    async def _guard(self, answering: Awaitable[_Given], *, path: str) -> _Given | Answer:
        try:
            return await answering
        except StoreUnavailable as problem:
            _log.error("store_unavailable", path=path, reason=str(problem))
            return refusal_answer(refuse("store_unavailable", retry_after=1))
        except Exception:  # noqa: BLE001 -- the last door: whatever it was, the client learns an id and no more
            name = error_id(self._house)
            _log.exception("internal_error", path=path, error_id=name)
            return refusal_answer(refuse("internal_error", error_id=name))

    def _find(self, path: str, raw_path: bytes) -> _Found | None:
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        # Split before it is decoded: a `sub` may hold a slash, which comes as %2F and divides nothing.
        raw = raw_path.decode("latin-1").split("/")
        split = [unquote(part) for part in raw]
        for pattern, name, methods in self._patterns:
            # A name with a star stands for all that follows, as it came.
            whole, last = pattern[-1].endswith("*}"), len(pattern) - 1
            parts = [*split[:last], "/".join(raw[last:])] if whole and len(raw) > last else split
            if len(pattern) == len(parts):
                pairs = list(zip(pattern, parts, strict=True))
                if all(want == got or (want.startswith("{") and (got or whole)) for want, got in pairs):
                    return _Found(name, methods, {want[1:-1]: got for want, got in pairs if want.startswith("{")})
        return None

    def _refuse_host(self, found: _Found, headers: Mapping[str, str]) -> OAuthError | None:
        if self._policy.refuse_forwarded and not _FORWARDED.isdisjoint(headers):
            return refuse("forwarded_request")
        if headers.get("host") == self._host or found.path in ANY_HOST:
            return None
        return refuse("wrong_host", description=f"This server answers as {self._house.issuer} only.")

    def _caller(self, peer: _Peer, headers: Mapping[str, str]) -> Caller:
        network = _network_of(
            None if peer is None else peer[0],
            # Where no proxy is trusted the header proves nothing, and must not fill the memory of places either.
            headers.get("x-forwarded-for") if self._policy.trusted_proxies else None,
            tuple(self._policy.trusted_proxies),
        )
        return Caller(network=network, user_agent=user_agent_family(headers.get("user-agent")))

    async def _share(self, found: _Found, headers: Mapping[str, str], answer: Answer) -> Answer:
        """Let a page of a registered origin read the answer."""
        if found.path not in CROSS_ORIGIN:
            return answer
        origin = headers.get("origin")
        shared: tuple[tuple[bytes, bytes], ...] = (VARY_ORIGIN,)
        deliveries = await self._deliveries(origin)
        if origin is not None and deliveries:
            shared = cors_headers(Origin(origin), credentials="cookie" in deliveries)
        return msgspec.structs.replace(answer, headers=(*answer.headers, *shared))

    async def _preflight(self, found: _Found, headers: Mapping[str, str]) -> Answer:
        origin = headers.get("origin")
        deliveries = await self._deliveries(origin)
        if origin is None or not deliveries:
            refused = refusal_answer(refuse("origin_not_registered"))
            return msgspec.structs.replace(refused, headers=(*refused.headers, VARY_ORIGIN))
        allowed = preflight_headers(
            Origin(origin),
            methods=sorted(found.methods),
            request_headers=_PREFLIGHT_HEADERS,
            credentials="cookie" in deliveries,
        )
        return Answer(status=204, headers=allowed, body=b"")

    async def _deliveries(self, origin: str | None) -> frozenset[str]:
        # Anybody may be null; no page is let in by that name.
        if origin in {None, "null"}:
            return frozenset()
        return await self._house.store.clients.find_deliveries(origin)


# A caller asks more than once, and parsing its address costs more than all else that is learnt of it.
@lru_cache(maxsize=1024)
def _network_of(peer: str | None, forwarded_for: str | None, trusted_proxies: tuple[Network, ...]) -> str:
    return network_of(client_address(peer, forwarded_for, trusted_proxies=trusted_proxies))


def _headers(raw: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str] | OAuthError:
    headers: dict[str, str] = {}
    for name_octets, value in raw:
        name = name_octets.decode("latin-1")
        if name not in headers:
            headers[name] = value.decode("latin-1")
        elif name in _ONCE:
            return refuse("duplicate_parameter", description=f"The header {name} was sent more than once.")
        else:
            headers[name] += ", " + value.decode("latin-1")
    return headers


async def _while_present(answering: Coroutine[Any, Any, _Given | Answer], receive: _Receive) -> _Given | Answer:
    """Give the work up when its caller goes away, so that nobody's hash is computed for nobody (SECURITY F3)."""
    work = asyncio.create_task(answering)
    gone = asyncio.create_task(_receive_one(receive))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            work.cancel()
            await asyncio.wait({work})
    finally:
        gone.cancel()
        work.cancel()
    return refusal_answer(refuse("malformed_http")) if work.cancelled() else work.result()


async def _stream(answer: StreamAnswer, scope: _Scope, receive: _Receive, send: _Send) -> None:
    """Send pieces until there are no more, or nobody listens."""
    await send({"type": "http.response.start", "status": answer.status, "headers": list(answer.headers)})
    if scope["method"] == "HEAD":
        await send({"type": "http.response.body", "body": b""})
        return
    offered: list[Push] = []
    if PUSH_EXTENSION in scope.get("extensions", ()):
        await send({"type": PUSH_EXTENSION, "take": offered.append})
    chunks = answer.chunks(offered[0] if offered else None)
    sending = asyncio.create_task(_send_chunks(chunks, send))
    gone = asyncio.create_task(_receive_one(receive))
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done():
            sending.result()
    finally:
        gone.cancel()
        sending.cancel()
        await asyncio.wait({sending})


async def _send_chunks(chunks: AsyncGenerator[bytes, None], send: _Send) -> None:
    async with aclosing(chunks):
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _receive_one(receive: _Receive) -> None:
    await receive()


async def _read(receive: _Receive) -> bytes | OAuthError:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return refuse("malformed_http")
        part = message.get("body", b"")
        size += len(part)
        if size > MAXIMUM_BODY_BYTES:
            return refuse("body_too_large")
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)
