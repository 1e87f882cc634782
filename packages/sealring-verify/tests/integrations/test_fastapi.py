import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import pytest
from fastapi import Depends, FastAPI

from sealring_verify import AccessToken
from sealring_verify.integrations.fastapi import Verifier
from sealring_verify.symmetric_secret import parse_symmetric_secret, write_symmetric_secret

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer

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


@pytest.mark.parametrize(
    "value", [b"Bearer", b"Bearer ", b"Bearer  x", b"Bearer \xff\xfe", b"Bearer a b", b"Bearer a.b.c, Bearer a.b.c"]
)
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
