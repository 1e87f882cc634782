import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.websockets import WebSocket

from sealring_verify.integrations.asgi import Application, Verifier, access_token, unprotected_routes

if TYPE_CHECKING:
    from conftest import Case, LocalFeed, LocalIssuer


async def _subject(request: Request) -> JSONResponse:
    return JSONResponse({"sub": access_token(request.scope).sub})


async def _well(_request: Request) -> PlainTextResponse:
    return PlainTextResponse("well")


async def _listen(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close(reason=access_token(websocket.scope).sub)


def _door(issuer: "LocalIssuer", **options: Any) -> Verifier:  # noqa: ANN401 - passed on as they come
    return Verifier(issuer.url, "orders", realm="orders", resource="https://api.example.com/orders", **options)


def _starlette(verifier: Verifier) -> Starlette:
    def guarded(*scopes: str, **demands: Any) -> list[Middleware]:  # noqa: ANN401 - passed on as they come
        return [Middleware(verifier.require(*scopes, **demands))]

    pay = guarded("orders:write", acr=["gold", "silver"], max_age=300)
    return Starlette(
        routes=[
            Route("/orders", _subject, middleware=guarded("orders:read")),
            Route("/orders", _subject, methods=["POST"], middleware=guarded("orders:read", "orders:write")),
            Route("/me", _subject, middleware=guarded()),
            Route("/payments", _subject, methods=["POST"], middleware=pay),
            Route("/health", _well),
            WebSocketRoute("/feed", _listen, middleware=guarded("orders:read")),
        ],
        middleware=[Middleware(verifier.serve_metadata)],
    )


def _send(app: Application, send: Callable[[httpx.AsyncClient], Any], **options: Any) -> Any:  # noqa: ANN401 - as it comes
    async def sent() -> Any:  # noqa: ANN401 - as it comes
        transport = httpx.ASGITransport(app=app, **options)
        async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
            return await send(browser)

    return asyncio.run(sent())


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_answer_is_that_of_every_door(issuer: "LocalIssuer", case: "Case") -> None:
    app = _starlette(_door(issuer))
    case.check(_send(app, lambda browser: browser.send(case.request(browser, issuer))))


def test_two_authorization_headers_are_refused(issuer: "LocalIssuer") -> None:
    twice = [("Authorization", f"Bearer {issuer.token()}"), ("Authorization", "Basic YTpi")]
    answer = _send(_starlette(_door(issuer)), lambda browser: browser.get("/orders", headers=twice))
    assert (answer.status_code, answer.json()["code"]) == (400, "token_transport")


def test_the_metadata_document_is_served_to_everybody(issuer: "LocalIssuer", metadata: dict[str, Any]) -> None:
    verifier = _door(issuer)
    inner = _starlette(verifier)
    for app in (inner, verifier.serve_metadata(verifier.require("orders:read")(inner))):
        answer = _send(app, lambda browser: browser.get("/.well-known/oauth-protected-resource/orders"))
        assert answer.json() == metadata
        assert answer.headers["Content-Type"] == "application/json"
        assert _send(app, lambda browser: browser.post("/.well-known/oauth-protected-resource/orders")).is_client_error
    with pytest.raises(ValueError, match="resource"):
        Verifier(issuer.url, "orders").serve_metadata(inner)


async def test_an_application_of_no_framework_is_guarded(issuer: "LocalIssuer") -> None:
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI's own words
        seen.append(scope["type"] if scope["type"] == "lifespan" else access_token(scope).sub)
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    app = Verifier(issuer.url, "orders").require("orders:read")(application)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api.example") as browser:
        assert (await browser.get("/", headers=_bearer(issuer.token()))).status_code == 204
        refused = await browser.get("/")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.headers["Cache-Control"] == "no-store"
    await app({"type": "lifespan"}, _nothing, _nothing)
    assert seen == ["u1", "lifespan"]


async def _nothing(*_message: object) -> Any:  # noqa: ANN401 - ASGI's own words
    return {"type": "websocket.connect"}


async def _connect(app: Application, token: str | None, **scope: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - as it comes
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own words
        sent.append(message)

    headers = [] if token is None else [(b"authorization", b"Bearer " + token.encode())]
    await app({"type": "websocket", "path": "/feed", "headers": headers, **scope}, _nothing, send)
    return sent


async def test_a_websocket_is_refused_before_its_handshake(issuer: "LocalIssuer") -> None:
    app = _starlette(_door(issuer))
    accepted, closed = await _connect(app, issuer.token())
    assert (accepted["type"], closed["reason"]) == ("websocket.accept", "u1")
    assert await _connect(app, issuer.token(exp=1000)) == [
        {"type": "websocket.close", "code": 1008, "reason": "token_expired"}
    ]
    begun, ended = await _connect(app, None, extensions={"websocket.http.response": {}})
    assert (begun["type"], begun["status"]) == ("websocket.http.response.start", 401)
    assert dict(begun["headers"])[b"www-authenticate"].startswith(b'Bearer realm="orders", resource_metadata=')
    assert b"token_missing" in ended["body"]
    assert ended["type"] == "websocket.http.response.body"


def test_an_unreachable_issuer_is_a_503_that_says_when_to_ask_again(issuer: "LocalIssuer") -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    answer = _send(_starlette(_door(issuer)), lambda browser: browser.get("/orders", headers=_bearer(issuer.token())))
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "WWW-Authenticate" not in answer.headers


async def test_a_slow_issuer_does_not_stop_the_loop(issuer: "LocalIssuer") -> None:
    issuer.delay_once(issuer.metadata_path, 0.5)
    transport = httpx.ASGITransport(app=_starlette(_door(issuer)))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        waiting = asyncio.create_task(browser.get("/orders", headers=_bearer(issuer.token())))
        longest, last = 0.0, asyncio.get_running_loop().time()
        while not waiting.done():
            await asyncio.sleep(0.005)
            longest, last = max(longest, asyncio.get_running_loop().time() - last), asyncio.get_running_loop().time()
        assert (await waiting).status_code == 200
    assert longest < 0.4


async def test_a_report_counts_each_request_once(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    transport = httpx.ASGITransport(app=_starlette(_door(issuer, api_key="sla_k")), client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        narrow = _bearer(issuer.token(scope="orders:read"))
        for method, path, headers in (("GET", "/orders", narrow), ("GET", "/orders", {}), ("POST", "/orders", narrow)):
            await browser.request(method, path, headers=headers)
        await browser.post("/payments", headers=_bearer(issuer.token()))
        feed.ack = True
        await asyncio.to_thread(issuer.until, lambda: bool(feed.reports), 3)
    assert feed.reports[0]["counts"] == {
        "accepted": 1,
        "token_missing": 1,
        "insufficient_scope": 1,
        "insufficient_user_authentication": 1,
    }
    assert {use[3] for use in feed.reports[0]["uses"]} == {"203.0.113.0/24"}


class _Files(HTTPEndpoint):
    async def get(self, _request: Request) -> PlainTextResponse:
        return PlainTextResponse("file")


def test_routes_that_nothing_protects_are_listed(issuer: "LocalIssuer") -> None:
    verifier = _door(issuer)
    guard = Middleware(verifier.require())
    assert unprotected_routes(_starlette(verifier)) == ("GET /health",)
    app = Starlette(
        routes=[
            Route("/put", _well, methods=["PUT", "POST"]),
            Route("/head", _well, methods=["HEAD"]),
            Route("/class", _Files),
            WebSocketRoute("/feed", _listen),
            Route("/behind", _well, middleware=[Middleware(GZipMiddleware), guard]),
            Mount("/open", routes=[Route("/a", _well), Route("/b", _well, middleware=[guard])]),
            Mount("/shut", routes=[Route("/a", _well)], middleware=[guard]),
            Mount("/app", app=_starlette(verifier)),
            Mount("/shut-app", app=Starlette(routes=[Route("/a", _well)], middleware=[guard])),
            Mount("/shut-router", app=Router(routes=[Route("/a", _well)], middleware=[guard])),
            Mount("/wrapped", app=verifier.require()(_starlette(verifier))),
            Mount("/unknown", app=GZipMiddleware(PlainTextResponse("x"))),
            Host("files.example", app=Router(routes=[Route("/h", _well)])),
        ]
    )
    assert unprotected_routes(app) == (
        "POST /put",
        "PUT /put",
        "HEAD /head",
        "* /class",
        "WS /feed",
        "GET /open/a",
        "GET /app/health",
        "* /unknown",
        "GET /h",
    )
    assert unprotected_routes(GZipMiddleware(app)) == unprotected_routes(app)
    assert unprotected_routes(verifier.serve_metadata(verifier.require()(app))) == ()
    assert unprotected_routes(Starlette(routes=app.routes, middleware=[guard])) == ()


def test_there_is_no_token_where_nothing_guards() -> None:
    with pytest.raises(LookupError, match="require"):
        access_token({"type": "http"})
