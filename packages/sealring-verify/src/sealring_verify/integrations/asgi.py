"""The ASGI door: `verifier.require("orders:read")` wraps any ASGI application, or one route of Starlette."""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final

from sealring_verify.bearer import has_token_in_query, refusal_body
from sealring_verify.claims import AccessToken
from sealring_verify.errors import TokenRefused
from sealring_verify.integrations.door import Arrival, Demand, Door

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

SERVES_METADATA: Final = "sealring_serves_metadata"
_ACCESS_TOKEN: Final = "sealring.access_token"
_POLICY_VIOLATION: Final = 1008  # RFC 6455 §7.4.1


class Verifier(Door):
    """A verifier for ASGI applications, Starlette's among them; it needs no framework."""

    def require(self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None) -> "Requirement":
        """Make a middleware that demands a good token with all these scopes; `access_token(scope)` gives it.

        `verifier.require("orders:read")(app)` wraps an application; in Starlette `Middleware(verifier.require(…))`
        stands at a route, a mount or the whole. Without scopes any good token will do. `acr`, one or several with the
        preferred one first, and `max_age` in seconds demand a stronger or a more recent sign-in. Answers: 401 for a
        missing or bad token and for a sign-in that is not enough (RFC 9470), 403 for a missing scope, 400 for a token
        in a forbidden place, 503 with Retry-After where the issuer cannot be asked. ValueError for what is no scope, no
        acr, no number of seconds.
        """
        return Requirement(self, self.demand(scopes, acr, max_age))

    def serve_metadata(self, app: Application) -> Application:
        """Wrap an application so that the metadata document of RFC 9728 is served, to everybody.

        It goes outside of `require`. ValueError where the verifier was told no `resource`.
        """
        return _WithMetadata(app, self, self.metadata_path())


class Requirement:
    """A middleware's factory: called with an application, it gives the guarded one."""

    def __init__(self, door: Door, demand: Demand) -> None:
        self._door = door
        self._demand = demand

    def __call__(self, app: Application) -> Application:
        """Guard an application: `http` and `websocket`; `lifespan` passes."""
        return _Guarded(app, self._door, self._demand)


class _WithMetadata:
    # A list of routes looks behind it by `app`, as behind Starlette's own middleware.
    def __init__(self, app: Application, door: Door, path: str) -> None:
        self.app = app
        self._door = door
        self._path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == self._path and scope["method"] in {"GET", "HEAD"}:
            await _respond(send, "http.response", status=200, headers={}, members=self._door.metadata())
        else:
            await self.app(scope, receive, send)


class _Guarded:
    def __init__(self, app: Application, door: Door, demand: Demand) -> None:
        self.app = app
        self._door = door
        self._demand = demand

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            try:
                scope[_ACCESS_TOKEN] = await self._door.admit_async(_arrival(scope), self._demand)
            except TokenRefused as refusal:
                await _refuse(scope, send, refusal, self._door.refusal_headers(refusal))
                return
        await self.app(scope, receive, send)


def access_token(scope: Scope) -> AccessToken:
    """Give the token of a request that `require` let pass; in Starlette `access_token(request.scope)`.

    LookupError where no requirement guards the application.
    """
    token: AccessToken | None = scope.get(_ACCESS_TOKEN)
    if token is None:
        raise LookupError("no requirement guards this: wrap it by verifier.require(…)")
    return token


def unprotected_routes(
    app: object,
    *,
    routes_of: Callable[[Iterable[object]], Iterable[object]] = iter,
    is_protected: Callable[[object], bool] = lambda _route: False,
) -> tuple[str, ...]:
    """List the routes of a Starlette application that no requirement protects: `GET /health`, `WS /feed`, `* /files`.

    `*` stands for any method, and for whatever lies below a mount that cannot be looked into. The metadata document of
    RFC 9728 is not listed. Another framework says by `routes_of` and `is_protected` what it knows better.
    """

    def walk(app: object, prefix: str) -> Iterator[str]:
        if _is_guarded(app):
            return
        routes = _routes(app)
        if routes is None:
            yield f"* {prefix or '/'}"
            return
        for route in routes_of(routes):
            path = prefix + (getattr(route, "path", None) or "")
            inner, endpoint = getattr(route, "app", None), getattr(route, "endpoint", None)
            if _is_guarded(inner) or is_protected(route) or hasattr(endpoint, SERVES_METADATA):
                continue
            if endpoint is not None:
                yield from (f"{method} {path}" for method in _methods(route))
            else:
                yield from walk(inner, path)

    return tuple(walk(app, ""))


def _is_guarded(app: object) -> bool:
    while app is not None:
        if isinstance(app, _Guarded):
            return True
        outer = [getattr(middleware, "cls", None) for middleware in getattr(app, "user_middleware", ())]
        if any(isinstance(each, Requirement) for each in outer):
            return True
        # A router of Starlette keeps what stands around it in `middleware_stack`.
        app = getattr(app, "middleware_stack", None) or getattr(app, "app", None)
    return False


def _routes(app: object) -> Iterable[object] | None:
    while app is not None and not hasattr(app, "routes"):
        app = getattr(app, "app", None)
    return getattr(app, "routes", None)


def _methods(route: object) -> list[str]:
    # FastAPI hands out included routes in a wrapping that has every attribute.
    if not hasattr(getattr(route, "original_route", route), "methods"):
        return ["WS"]
    methods = getattr(route, "methods", None)
    return ["*"] if methods is None else sorted(set(methods) - {"HEAD"}) or ["HEAD"]


def _arrival(scope: Scope) -> Arrival:
    client = scope.get("client")
    return Arrival(
        authorization=[value.decode("latin-1") for name, value in scope["headers"] if name.lower() == b"authorization"],
        in_query=has_token_in_query(scope.get("query_string", b"").decode("latin-1")),
        client_address=None if client is None else client[0],
    )


async def _refuse(scope: Scope, send: Send, refusal: TokenRefused, headers: dict[str, str]) -> None:
    if scope["type"] == "http":
        await _respond(send, "http.response", status=refusal.status, headers=headers, members=refusal_body(refusal))
    elif "websocket.http.response" in scope.get("extensions", {}):
        kind = "websocket.http.response"
        await _respond(send, kind, status=refusal.status, headers=headers, members=refusal_body(refusal))
    else:
        # Before the handshake is accepted, a server turns this into 403.
        await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": refusal.code})


async def _respond(send: Send, kind: str, *, status: int, headers: dict[str, str], members: dict[str, Any]) -> None:
    body = json.dumps(members, separators=(",", ":"), ensure_ascii=False).encode()
    every = {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    written = [(name.lower().encode(), value.encode("latin-1")) for name, value in every.items()]
    await send({"type": f"{kind}.start", "status": status, "headers": written})
    await send({"type": f"{kind}.body", "body": body})
