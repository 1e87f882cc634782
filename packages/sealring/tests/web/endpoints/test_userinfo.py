import json
from types import SimpleNamespace

import pytest

from sealring_verify.jose.base64url import decode


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def access_token(site: SimpleNamespace, **changes: object) -> str:
    return str((await site.redeem_code(await site.issue_code(**changes))).json()["access_token"])


async def test_a_token_is_taken_from_the_header_by_get_and_post_and_from_the_form(app: SimpleNamespace) -> None:
    token = await access_token(app)
    headers = {"authorization": f"Bearer {token}"}
    by_get = await app.client().get("/userinfo", headers=headers)
    assert (by_get.status_code, by_get.headers["content-type"]) == (200, "application/json")
    assert by_get.headers["cache-control"] == "no-store"
    assert (await app.client().post("/userinfo", headers=headers)).json() == by_get.json()
    assert (await app.client().post("/userinfo", data={"access_token": token})).json() == by_get.json()


async def test_a_token_in_the_address_is_no_token(app: SimpleNamespace) -> None:
    refused = await app.client().get("/userinfo", params={"access_token": await access_token(app)})
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")


async def test_a_token_without_openid_or_for_another_api_is_refused(app: SimpleNamespace) -> None:
    _, own = await app.own_token()
    refused = await app.client().get("/userinfo", headers=own)
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    foreign = await access_token(app, scope=frozenset({"openid", "orders:read"}), resource="orders")
    refused = await app.client().get("/userinfo", headers={"authorization": f"Bearer {foreign}"})
    assert (refused.status_code, refused.json()["code"]) == (401, "token_refused")


async def test_the_end_of_the_browser_session_is_noticed_at_once(app: SimpleNamespace) -> None:
    headers = {"authorization": f"Bearer {await access_token(app)}"}
    await app.store.sso_sessions.end("sso-1", reason="logged_out", now=app.now, events=[])
    refused = await app.client().get("/userinfo", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")


async def test_a_client_may_be_registered_for_a_signed_answer(site: SimpleNamespace) -> None:
    await site.add_app(userinfo_signed_response_alg="ES256")
    headers = {"authorization": f"Bearer {await access_token(site)}"}
    answer = await site.client().get("/userinfo", headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/jwt")
    claims = json.loads(decode(answer.text.split(".")[1].encode()))
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("http://localhost:8799", "app", "u1")
