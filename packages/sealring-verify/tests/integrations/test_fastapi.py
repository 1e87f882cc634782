import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, WebSocket

from sealring_verify import AccessToken
from sealring_verify.integrations.fastapi import Verifier, unprotected_routes
from sealring_verify.symmetric_secret import parse_symmetric_secret, write_symmetric_secret

if TYPE_CHECKING:
    from conftest import Case, LocalFeed, LocalIssuer

_KNOWN = {"accepted", "insufficient_scope"}


def _application(issuer: "LocalIssuer", *, installed: bool = True, **options: Any) -> FastAPI:  # noqa: ANN401 - passed on as they come
    verifier = Verifier(issuer.url, "orders", **options)
    app = FastAPI()
    if installed:
        verifier.install(app)

    @app.get("/orders")
    async def read(token: Annotated[AccessToken, Depends(verifier.require("orders:read"))]) -> dict[str, str]:
        return {"sub": token.sub}

    @app.post("/orders")
    def write(token: Annotated[AccessToken, Depends(verifier.require("orders:read", "orders:write"))]) -> str:
        return token.client_id

    @app.get("/me", dependencies=[Depends(verifier.require())])
    async def me() -> str:
        return "me"

    @app.post(
        "/payments", dependencies=[Depends(verifier.require("orders:write", acr=["gold", "silver"], max_age=300))]
    )
    async def pay() -> str:
        return "paid"

    @app.get("/health")
    async def health() -> str:
        return "well"

    @app.get("/keys")
    async def keys() -> list[str | None]:
        return list(verifier.status().keys)

    return app


@pytest.fixture
async def client(issuer: "LocalIssuer") -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=_application(issuer))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        yield browser


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_the_answer_is_that_of_every_door(issuer: "LocalIssuer", case: "Case") -> None:
    app = _application(issuer, realm="orders", resource="https://api.example.com/orders")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api.example") as browser:
        case.check(await browser.send(case.request(browser, issuer)))


async def test_the_metadata_document_is_served(issuer: "LocalIssuer", metadata: dict[str, Any]) -> None:
    app = _application(issuer, resource="https://api.example.com/orders")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api.example") as browser:
        assert (await browser.get("/.well-known/oauth-protected-resource/orders")).json() == metadata
    assert "/.well-known/oauth-protected-resource/orders" not in app.openapi()["paths"]


async def test_a_websocket_is_refused_before_its_handshake(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    app = FastAPI()

    @app.websocket("/feed")
    async def feed(
        websocket: WebSocket, token: Annotated[AccessToken, Depends(verifier.require("orders:read"))]
    ) -> None:
        await websocket.accept()
        await websocket.close(reason=token.sub)

    async def sent(token: str) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "websocket.connect"}

        async def send(message: Any) -> None:  # noqa: ANN401 - ASGI's own words
            messages.append(message)

        headers = [(b"authorization", b"Bearer " + token.encode())]
        scope = {"type": "websocket", "path": "/feed", "headers": headers, "query_string": b"", "client": None}
        await app(scope, receive, send)
        return messages

    accepted, closed = await sent(issuer.token())
    assert (accepted["type"], closed["reason"]) == ("websocket.accept", "u1")
    (refused,) = await sent(issuer.token(scope="x"))
    assert (refused["type"], refused["code"], refused["reason"]) == ("websocket.close", 1008, "insufficient_scope")
    assert not any(route.startswith("WS") for route in unprotected_routes(app))


def test_routes_that_nothing_protects_are_listed(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", resource="https://api.example.com")
    app = FastAPI(openapi_url=None)
    verifier.install(app)

    def subject(token: Annotated[AccessToken, Depends(verifier.require())]) -> str:
        return token.sub

    @app.get("/behind-another")
    async def behind(sub: Annotated[str, Depends(subject)]) -> str:
        return sub

    router = APIRouter(prefix="/open")

    @router.post("/a")
    async def a() -> str:
        return "a"

    @router.get("/b", dependencies=[Depends(verifier.require())])
    async def b() -> str:
        return "b"

    @router.websocket("/feed")
    async def feed(websocket: WebSocket) -> None:
        await websocket.accept()

    shut = APIRouter()
    shut.add_api_route("/c", a)
    outer = APIRouter()
    outer.include_router(router, prefix="/outer")
    app.include_router(router)
    app.include_router(outer)
    app.include_router(shut, dependencies=[Depends(verifier.require())])
    app.mount("/app", _application(issuer))
    assert unprotected_routes(app) == (
        "POST /open/a",
        "WS /open/feed",
        "POST /outer/open/a",
        "WS /outer/open/feed",
        "GET /app/openapi.json",
        "GET /app/docs",
        "GET /app/docs/oauth2-redirect",
        "GET /app/redoc",
        "GET /app/health",
        "GET /app/keys",
    )
    assert unprotected_routes(FastAPI(openapi_url=None, dependencies=[Depends(verifier.require())])) == ()


def test_two_doors_share_one_verifier(issuer: "LocalIssuer") -> None:
    first = Verifier(issuer.url, "orders")
    second = Verifier.around(first.core, realm="orders")
    assert second.core is first.core
    assert second.bare_challenge() == 'Bearer realm="orders"'


async def test_a_good_token_reaches_the_endpoint_as_a_value(client: httpx.AsyncClient, issuer: "LocalIssuer") -> None:
    assert (await client.get("/orders", headers=_bearer(issuer.token()))).json() == {"sub": "u1"}
    assert (await client.post("/orders", headers=_bearer(issuer.token()))).json() == "web"
    assert (await client.get("/me", headers=_bearer(issuer.token(scope=...)))).json() == "me"
    assert (await client.get("/keys")).json() == ["k1"]


async def test_a_missing_token_gets_a_bare_challenge(client: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Basic YTpi"}):
        answer = await client.get("/orders", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert answer.json()["code"] == "token_missing"


async def test_a_bad_token_gets_our_code_in_a_flat_object(client: httpx.AsyncClient, issuer: "LocalIssuer") -> None:
    answer = await client.get("/orders", headers=_bearer(issuer.token(exp=1000)))
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token", error_description="')
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json() == {
        "error": "invalid_token",
        "error_description": "The token has expired.",
        "code": "token_expired",
    }


async def test_a_missing_scope_is_named(client: httpx.AsyncClient, issuer: "LocalIssuer") -> None:
    answer = await client.post("/orders", headers=_bearer(issuer.token(scope="orders:read")))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="orders:read orders:write"' in answer.headers["WWW-Authenticate"]
    assert answer.json()["scope"] == "orders:read orders:write"
    # A scope is a whole word, never a prefix.
    assert (await client.get("/orders", headers=_bearer(issuer.token(scope="orders:readx")))).status_code == 403


async def test_a_token_in_two_places_or_in_the_query_is_refused(
    client: httpx.AsyncClient, issuer: "LocalIssuer"
) -> None:
    token = issuer.token()
    twice = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    for answer in (
        await client.get("/orders", headers=twice),
        await client.get("/orders", params={"access_token": token}),
        await client.get("/orders", params={"access_token": token}, headers=_bearer(token)),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"] == "invalid_request"
        assert answer.json()["code"] == "token_transport"


@pytest.mark.parametrize("value", [b"Bearer", b"Bearer ", b"Bearer  x", b"Bearer \xff\xfe", b"Bearer a b"])
async def test_a_garbled_header_is_a_401_and_never_a_500(client: httpx.AsyncClient, value: bytes) -> None:
    answer = await client.get("/orders", headers=[(b"Authorization", value)])
    assert (answer.status_code, answer.json()["code"]) == (401, "token_malformed")


async def test_an_unreachable_issuer_is_a_503_that_says_when_to_ask_again(issuer: "LocalIssuer") -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    transport = httpx.ASGITransport(app=_application(issuer))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        answer = await browser.get("/orders", headers=_bearer(issuer.token()))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "WWW-Authenticate" not in answer.headers
    assert answer.json()["code"] == "keys_unavailable"


async def test_without_install_the_same_object_stands_under_detail(issuer: "LocalIssuer") -> None:
    transport = httpx.ASGITransport(app=_application(issuer, installed=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        answer = await browser.get("/orders")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json()["detail"]["code"] == "token_missing"


async def test_a_report_counts_what_the_door_refuses_by_itself(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    app = _application(issuer, api_key="sla_k")
    transport = httpx.ASGITransport(app=app, client=("203.0.113.9", 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        narrow = _bearer(issuer.token(scope="orders:read", sid="s1"))
        statuses = [
            (await browser.get("/orders", headers=narrow)).status_code,
            (await browser.get("/orders")).status_code,
            (await browser.get("/orders", headers={"Authorization": "Basic YTpi"})).status_code,
            (await browser.get("/orders", headers={"Authorization": "Bearer"})).status_code,
            (await browser.get("/orders", params={"access_token": "x"})).status_code,
            (await browser.post("/orders", headers=narrow)).status_code,
        ]
        assert statuses == [200, 401, 401, 401, 400, 403]
        feed.ack = True
        await asyncio.to_thread(issuer.until, lambda: bool(feed.reports), 3)
    report = feed.reports[0]
    assert report["counts"] == {
        "accepted": 1,
        "token_missing": 2,
        "token_malformed": 1,
        "token_transport": 1,
        "insufficient_scope": 1,
    }
    assert {use[3] for use in report["uses"]} == {"203.0.113.0/24"}
    # Whose token it was is known where there was one.
    assert [use[2] is not None for use in report["uses"]] == [use[4] in _KNOWN for use in report["uses"]]


def test_the_generated_documentation_shows_a_bearer_scheme_and_its_scopes(issuer: "LocalIssuer") -> None:
    document = _application(issuer).openapi()
    assert document["components"]["securitySchemes"] == {
        "AccessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    assert document["paths"]["/orders"]["post"]["security"] == [{"AccessToken": ["orders:read", "orders:write"]}]
    assert document["paths"]["/me"]["get"]["security"] == [{"AccessToken": []}]
    assert document["paths"]["/payments"]["post"]["security"] == [{"AccessToken": ["orders:write"]}]
    assert "security" not in document["paths"]["/keys"]["get"]
    assert "parameters" not in document["paths"]["/orders"]["get"], json.dumps(document)


@pytest.mark.parametrize("scope", ["", "a b", 'a"', "a\\", "é", "a\n"])
def test_what_is_no_scope_cannot_be_required(issuer: "LocalIssuer", scope: str) -> None:
    with pytest.raises(ValueError, match="scopes"):
        Verifier(issuer.url, "orders").require("orders:read", scope)


def test_the_environment_configures_the_door(issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEALRING_ISSUER", issuer.url)
    monkeypatch.setenv("SEALRING_AUDIENCE", "orders")
    monkeypatch.setenv("SEALRING_API_KEY", "sla_x")
    status = Verifier.from_environment().status()
    assert (status.issuer, status.revocation.condition) == (issuer.url, "waiting")


async def test_an_api_with_a_secret_of_its_own_takes_what_is_signed_under_it_alone(issuer: "LocalIssuer") -> None:
    secret = write_symmetric_secret(b"the secret of the tests (32 oct)")
    transport = httpx.ASGITransport(app=_application(issuer, symmetric_secrets=[secret]))
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        token = issuer.token(key=parse_symmetric_secret(secret))
        assert (await browser.get("/orders", headers=_bearer(token))).json() == {"sub": "u1"}
        assert (await browser.get("/orders", headers=_bearer(issuer.token()))).status_code == 401


async def test_tokens_of_several_issuers_open_one_door(issuer: "LocalIssuer", issuer_with_path: "LocalIssuer") -> None:
    from sealring_verify import Verifier as CoreVerifier

    old, new = issuer, issuer_with_path
    door = Verifier.around(CoreVerifier.any_of(CoreVerifier(old.url, "orders"), CoreVerifier(new.url, "orders-api")))
    app = FastAPI()
    door.install(app)

    @app.get("/orders")
    async def read(token: Annotated[AccessToken, Depends(door.require("orders:read"))]) -> str:
        return token.iss

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        for local, audience in ((old, "orders"), (new, "orders-api")):
            answer = await browser.get("/orders", headers=_bearer(local.token(aud=audience)))
            assert answer.json() == local.url
        for token, code in ((old.token(iss=new.url), "bad_signature"), (new.token(), "wrong_audience")):
            refused = await browser.get("/orders", headers=_bearer(token))
            assert (refused.status_code, refused.json()["code"]) == (401, code)
        assert (await browser.get("/orders")).json()["code"] == "token_missing"
        missing = await browser.get("/orders", headers=_bearer(old.token(scope="orders:write")))
        assert (missing.status_code, missing.json()["scope"]) == (403, "orders:read")
    assert [door.status().issuer, *(one.issuer for one in door.status().others)] == [old.url, new.url]


async def test_a_door_of_several_issuers_names_them_all_and_demands_sign_ins_of_each(
    issuer: "LocalIssuer", issuer_with_path: "LocalIssuer"
) -> None:
    from sealring_verify import InsufficientAuthentication, StepUp
    from sealring_verify import Verifier as CoreVerifier

    core = CoreVerifier.any_of(CoreVerifier(issuer.url, "orders"), CoreVerifier(issuer_with_path.url, "orders"))
    door = Verifier.around(core, resource="https://api.example.com")
    assert door.metadata()["authorization_servers"] == [issuer.url, issuer_with_path.url]
    for local in (issuer, issuer_with_path):
        token = local.token(auth_time=1000)
        with pytest.raises(InsufficientAuthentication):
            core.verify(token, step_up=StepUp(max_age=300))
        with pytest.raises(InsufficientAuthentication):
            core.check_demands(await core.verify_async(token), (), StepUp(max_age=300))
