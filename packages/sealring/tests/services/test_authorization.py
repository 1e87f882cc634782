from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.sso_session import SsoSession
from sealring.services.authorization import (
    Asked,
    Returned,
    Shown,
    Standing,
    Waiting,
    allow,
    answer_authorization,
    deny,
    find_authorization_request,
)

ISSUER = "http://localhost:8799"
CALLBACK = "https://app.example/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")
PLAIN = {
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid email",
    "state": "s",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def find(app: SimpleNamespace, **changes: str | None) -> Asked | Shown | Returned:
    asked = {name: value for name, value in (PLAIN | changes).items() if value is not None}
    return await find_authorization_request(urlencode(asked).encode(), store=app.store, issuer=ISSUER)


async def ask(app: SimpleNamespace, **changes: str | None) -> Asked:
    asked = await find(app, **changes)
    assert isinstance(asked, Asked), asked
    return asked


async def session(app: SimpleNamespace) -> SsoSession:
    found = await app.store.sso_sessions.find(bytes(32), now=app.now)
    assert isinstance(found, SsoSession)
    return found


async def answer(app: SimpleNamespace, asked: Asked, standing: Standing) -> Returned | Waiting:
    house = app.opened.house
    return await answer_authorization(
        asked,
        standing,
        store=house.store,
        signer=house.signer,
        pairwise_key=house.pairwise_key,
        now=app.now,
        randomness=house.randomness,
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, "missing_parameter"),
        ({"client_id": "nobody"}, "client_not_registered"),
        ({"client_id": "shop"}, "client_not_registered"),
        ({"redirect_uri": None}, "missing_parameter"),
        ({"redirect_uri": CALLBACK + "/"}, "redirect_uri_not_registered"),
    ],
)
async def test_until_client_and_redirect_uri_fit_nothing_is_redirected(
    app: SimpleNamespace, changes: dict[str, Any], code: str
) -> None:
    shown = await find(app, **changes)
    assert isinstance(shown, Shown)
    assert shown.refusal.code == code


async def test_other_faults_go_to_the_client_with_state_and_issuer(app: SimpleNamespace) -> None:
    returned = await find(app, response_type="token")
    assert isinstance(returned, Returned)
    assert returned.parameters["error"] == "unsupported_response_type"
    assert (returned.parameters["state"], returned.parameters["iss"]) == ("s", ISSUER)


async def test_faults_of_a_client_that_registered_itself_are_shown(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    await app.store.clients.replace(msgspec.structs.replace(client, self_registered=True), read=client, events=[])
    shown = await find(app, response_type="token")
    assert isinstance(shown, Shown)
    assert shown.refusal.code == "unsupported_response_type"


async def test_a_disabled_client_signs_nobody_in(app: SimpleNamespace) -> None:
    await app.store.clients.set_disabled("app", disabled=True, now=app.now, events=[])
    shown = await find(app)
    assert isinstance(shown, Shown)
    assert shown.refusal.code == "client_not_registered"


async def test_first_somebody_signs_in_then_is_asked_then_gets_a_code(app: SimpleNamespace) -> None:
    asked = await ask(app)
    nobody = await answer(app, asked, Standing(session=None))
    assert isinstance(nobody, Waiting)
    assert nobody.step == "login"
    standing = Standing(session=await session(app))
    unasked = await answer(app, asked, standing)
    assert isinstance(unasked, Waiting)
    assert unasked.step == "consent"
    allowed = await answer(app, asked, msgspec.structs.replace(standing, allowed=True))
    assert isinstance(allowed, Returned)
    assert allowed.parameters.keys() == {"code", "iss", "state"}
    digest = sha256(allowed.parameters["code"].encode()).digest()
    kept = await app.store.authorization_codes.find(digest, now=app.now)
    assert kept is not None
    assert (kept.code.scope, kept.code.sso_id, kept.code.expires_at) == ({"openid", "email"}, "sso-1", app.now + 60_000)


async def test_what_was_allowed_is_remembered_and_grows(app: SimpleNamespace) -> None:
    standing = Standing(session=await session(app))
    await allow(await ask(app), await session(app), CALLER, store=app.store, now=app.now)
    assert isinstance(await answer(app, await ask(app), standing), Returned)
    assert isinstance(await answer(app, await ask(app, scope="openid phone"), standing), Waiting)
    await allow(await ask(app, scope="openid phone"), await session(app), CALLER, store=app.store, now=app.now)
    assert isinstance(await answer(app, await ask(app, scope="openid phone email"), standing), Returned)
    assert [event.event for event in await app.events()][-2:] == ["consent_given", "consent_given"]


async def test_where_it_may_not_be_remembered_a_consent_is_an_event_alone(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    flow = msgspec.structs.replace(client.code_flow, redirect_uris=("com.example.app:/cb",), application_type="native")
    native = msgspec.structs.replace(client, type="public", code_flow=flow)
    await app.store.clients.replace(native, read=client, events=[])
    asked = await ask(app, redirect_uri="com.example.app:/cb")
    await allow(asked, await session(app), CALLER, store=app.store, now=app.now)
    assert await app.store.consents.list_of("u1") == ()
    assert (await app.events())[-1].event == "consent_given"


async def test_a_code_is_for_the_resources_that_were_asked_for(app: SimpleNamespace) -> None:
    asked = await ask(app, scope="openid orders:read", resource="orders")
    granted = await answer(app, asked, Standing(session=await session(app), allowed=True))
    assert isinstance(granted, Returned)
    digest = sha256(granted.parameters["code"].encode()).digest()
    kept = await app.store.authorization_codes.find(digest, now=app.now)
    assert kept is not None
    assert (kept.code.resource, kept.code.scope) == ("orders", {"openid", "orders:read"})


async def test_a_session_that_ended_a_moment_ago_gives_no_code(app: SimpleNamespace) -> None:
    stale = await session(app)
    await app.store.sso_sessions.end("sso-1", reason="logged_out", now=app.now, events=[])
    waiting = await answer(app, await ask(app), Standing(session=stale, allowed=True))
    assert isinstance(waiting, Waiting)
    assert waiting.step == "login"


async def test_a_hint_that_is_no_id_token_of_the_client_is_its_mistake(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    standing = Standing(session=await session(app), allowed=True)
    good = await answer(app, await ask(app, id_token_hint=body["id_token"], prompt="none"), standing)
    assert isinstance(good, Returned)
    assert "code" in good.parameters
    for hint in (body["access_token"], body["id_token"][:-2], "x"):
        refused = await answer(app, await ask(app, id_token_hint=hint), standing)
        assert isinstance(refused, Returned)
        assert refused.parameters["error"] == "invalid_request"


async def test_who_says_no_is_reported_as_that(app: SimpleNamespace) -> None:
    told = deny(await ask(app), issuer=ISSUER).parameters
    assert (told["error"], told["state"], told["iss"]) == ("access_denied", "s", ISSUER)
