import asyncio
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.protocol.client import CodeFlow
from sealring.protocol.key_schedule import Schedule
from sealring.services.key_schedule import begin_line
from sealring_verify.jose.base64url import decode

ISSUER = "http://localhost:8799"
CALLBACK = "https://app.example/callback"
FLOW = CodeFlow(redirect_uris=(CALLBACK,), id_token_signed_response_alg="ES256")
APP = ("app", "slc_app")


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = json.loads(decode(token.split(".")[1].encode()))
    return claims


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def test_a_code_becomes_tokens(app: SimpleNamespace) -> None:
    answer = await app.redeem_code(await app.issue_code())
    body = answer.json()
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert body.keys() == {
        *("access_token", "token_type", "expires_in", "scope", "refresh_token", "id_token", "sid"),
    }
    assert body["scope"] == "email openid"
    access, identity = claims_of(body["access_token"]), claims_of(body["id_token"])
    assert (access["aud"], access["scope"], access["acr"]) == (ISSUER, "email openid", "1")
    assert (identity["aud"], identity["sub"], identity["nonce"], identity["sid"]) == ("app", "u1", "n-1", body["sid"])


async def test_beside_the_scopes_of_an_api_those_of_openid_are_the_sessions(app: SimpleNamespace) -> None:
    code = await app.issue_code(scope=frozenset({"openid", "orders:read"}), resource="orders")
    body = (await app.redeem_code(code)).json()
    assert body["scope"] == "openid orders:read"
    assert claims_of(body["access_token"])["scope"] == "orders:read"
    renewed = await app.token("refresh_token", auth=APP, refresh_token=body["refresh_token"], resource=ISSUER)
    claims = claims_of(renewed.json()["access_token"])
    assert (claims["aud"], claims["scope"], claims["acr"]) == (ISSUER, "openid", "1")


async def test_without_openid_there_is_no_id_token(app: SimpleNamespace) -> None:
    code = await app.issue_code(scope=frozenset({"orders:read"}), resource="orders")
    assert "id_token" not in (await app.redeem_code(code)).json()


async def test_a_refreshed_session_tells_userinfo_as_before(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    renewed = (await app.token("refresh_token", auth=APP, refresh_token=body["refresh_token"])).json()
    assert renewed["scope"] == "email openid"
    assert await app.userinfo(renewed["access_token"]) == await app.userinfo(body["access_token"])


@pytest.mark.parametrize(
    ("form", "code"),
    [
        ({"auth": ("robot", "slc_robot")}, None),
        ({"redirect_uri": CALLBACK + "/"}, "code_wrong_redirect_uri"),
        ({"code_verifier": None}, "code_wrong_verifier"),
        ({"code_verifier": "x" * 43}, "code_wrong_verifier"),
    ],
)
async def test_a_code_in_other_hands_is_refused_in_one_word_and_stays_good(
    app: SimpleNamespace, form: dict[str, Any], code: str | None
) -> None:
    await app.issue_code()
    refused = await app.redeem_code(**form)
    if code is not None:
        assert (refused.status_code, refused.json()["error"], refused.json()["code"]) == (
            400,
            "invalid_grant",
            "code_refused",
        )
        assert (await app.events())[-1].code == code
    assert (await app.redeem_code()).status_code == 200


async def test_a_code_that_is_used_twice_ends_its_session_and_not_the_browsers(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    refused = await app.redeem_code()
    assert (refused.status_code, refused.json()["code"]) == (400, "code_refused")
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    assert await app.store.sso_sessions.find(bytes(32), now=app.now) is not None
    told = (await app.events())[-1]
    assert (told.event, told.sid) == ("code_replayed", body["sid"])
    after = await app.token("refresh_token", auth=APP, refresh_token=body["refresh_token"])
    assert after.json()["error"] == "invalid_grant"


async def test_two_who_redeem_at_once_get_no_session_between_them(app: SimpleNamespace) -> None:
    await app.issue_code()
    answers = await asyncio.gather(*(app.redeem_code() for _ in range(5)))
    good = [answer for answer in answers if answer.status_code == 200]
    assert len(good) == 1
    assert await app.store.sessions.find(good[0].json()["sid"], now=app.now) is None


async def test_an_unknown_code_is_refused_and_leaves_no_event(app: SimpleNamespace) -> None:
    before = len(await app.events())
    assert (await app.redeem_code("nobody's")).json()["code"] == "code_refused"
    assert len(await app.events()) == before


async def test_an_expired_code_is_refused(app: SimpleNamespace) -> None:
    await app.issue_code()
    app.pass_time(60)
    assert (await app.redeem_code()).json()["code"] == "code_refused"
    assert (await app.events())[-1].code == "code_expired"


async def test_a_password_change_between_log_in_and_code_leaves_no_session(app: SimpleNamespace) -> None:
    await app.issue_code()
    await app.store.sessions.end_all_of("u1", reason="ended_by_user", now=app.now, events=[])
    assert (await app.redeem_code()).json()["code"] == "code_refused"
    assert (await app.events())[-1].code == "code_ended"


async def test_a_resource_narrows_and_another_api_is_no_target(app: SimpleNamespace) -> None:
    await app.issue_code(scope=frozenset({"openid", "orders:read"}), resource="orders")
    assert (await app.redeem_code(resource="bills")).json()["code"] == "invalid_target"
    body = (await app.redeem_code(resource=ISSUER)).json()
    assert claims_of(body["access_token"])["aud"] == ISSUER


async def test_a_client_without_the_code_flow_may_not_ask(app: SimpleNamespace) -> None:
    refused = await app.redeem_code(auth=("shop", "slc_shop"))
    assert (refused.json()["error"], refused.json()["code"]) == ("unauthorized_client", "grant_not_registered")


async def test_where_the_id_token_cannot_be_signed_yet_the_code_stays_good(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    flow = msgspec.structs.replace(FLOW, id_token_signed_response_alg="Ed25519")
    await app.store.clients.replace(msgspec.structs.replace(client, code_flow=flow), read=client, events=[])
    await app.issue_code()
    early = await app.redeem_code()
    assert (early.status_code, early.json()["code"]) == (503, "no_signing_key")
    keys = app.opened.desk.keys
    line = Schedule("access_token", "Ed25519")
    await begin_line(line, store=app.store, signer=keys.signer, terms=keys.terms, now=app.now)
    body = (await app.redeem_code()).json()
    assert json.loads(decode(body["id_token"].split(".")[0].encode()))["alg"] == "Ed25519"
