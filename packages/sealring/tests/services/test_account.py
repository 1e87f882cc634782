from types import SimpleNamespace

import msgspec
import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.client import ClientPages
from sealring.protocol.consent import Consent
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.protocol.sso_session import SsoSession
from sealring.services.account import (
    PasswordChange,
    browser_name,
    change_own_password,
    end_own_browser,
    see_account,
    withdraw_consent,
)

ISSUER = "http://localhost:8799"
CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")
PASSWORD = "correct horse battery staple"
NEW = "five other words nobody guesses"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def session(app: SimpleNamespace, digest: bytes = bytes(32)) -> SsoSession:
    found = await app.store.sso_sessions.find(digest, now=app.now)
    assert isinstance(found, SsoSession)
    return found


async def change(app: SimpleNamespace, current: str = PASSWORD, new: str = NEW) -> Secret | OAuthError:
    house = app.opened.house
    return await change_own_password(
        PasswordChange(current_password=Secret(current), new_password=Secret(new)),
        await session(app),
        CALLER,
        store=house.store,
        hashing=house.hashing,
        limit=house.limit,
        policy=house.password_policy,
        sso_policy=house.sso_policy,
        now=app.now,
        randomness=house.randomness,
    )


async def test_people_see_their_browsers_sessions_and_consents(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    seen = await see_account(await session(app), store=app.store, issuer=ISSUER, now=app.now)
    assert seen is not None
    assert [each.id for each in seen.browsers] == ["sso-1"]
    assert [(each.sid, each.sso_id) for each in seen.sessions] == [(body["sid"], "sso-1")]
    assert seen.client_names == {"app": "App"}


async def test_a_browser_is_signed_out_by_a_name_that_is_not_its_id(app: SimpleNamespace) -> None:
    mine = await session(app)
    other = msgspec.structs.replace(mine, id="sso-2")
    await app.store.sso_sessions.create(other, digest=b"o" * 32, now=app.now, events=[])
    assert browser_name(other) not in {"sso-1", "sso-2", browser_name(mine)}
    assert not await end_own_browser(mine, "sso-2", CALLER, store=app.store, now=app.now)
    assert await end_own_browser(mine, browser_name(other), CALLER, store=app.store, now=app.now)
    assert await app.store.sso_sessions.find(b"o" * 32, now=app.now) is None


async def test_nobody_signs_somebody_else_out(app: SimpleNamespace) -> None:
    bobs = msgspec.structs.replace(await session(app), id="sso-2", sub="u2")
    await app.store.sso_sessions.create(bobs, digest=b"b" * 32, now=app.now, events=[])
    assert not await end_own_browser(await session(app), browser_name(bobs), CALLER, store=app.store, now=app.now)


async def test_a_consent_that_is_taken_back_takes_the_clients_sessions_along(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    mine = await session(app)
    assert not await withdraw_consent(mine, "app", CALLER, store=app.store, now=app.now)
    consent = Consent(
        sub="u1",
        client_id="app",
        redirect_uri="https://app.example/callback",
        scope=frozenset({"openid"}),
        resources=frozenset(),
        metadata_digest=bytes(32),
        granted_at=app.now,
    )
    await app.store.consents.keep(consent, events=[])
    assert await withdraw_consent(mine, "app", CALLER, store=app.store, now=app.now)
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    assert (await app.events())[-1].event == "consent_withdrawn"


async def test_a_new_password_ends_all_but_this_browser(app: SimpleNamespace) -> None:
    body = (await app.redeem_code(await app.issue_code())).json()
    cookie = await change(app)
    assert isinstance(cookie, Secret)
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    assert await app.store.sso_sessions.find(bytes(32), now=app.now) is None
    (kept,) = await app.store.sso_sessions.list_live("u1", now=app.now, limit=9)
    assert kept.id == "sso-1"
    assert (await app.sign_in(password=NEW)).status_code == 200


@pytest.mark.parametrize(
    ("current", "new", "code"),
    [("wrong wrong wrong", NEW, "wrong_credentials"), (PASSWORD, "short", "password_refused")],
)
async def test_a_refused_change_changes_nothing(app: SimpleNamespace, current: str, new: str, code: str) -> None:
    refused = await change(app, current, new)
    assert isinstance(refused, OAuthError)
    assert refused.code == code
    assert await session(app)


@pytest.mark.parametrize(
    ("self_registered", "used", "names"),
    [(False, False, ["App"]), (False, True, ["App"]), (True, False, []), (True, True, ["app.example (not verified)"])],
)
async def test_a_log_in_begins_at_the_operators_applications_and_at_those_that_were_used(
    app: SimpleNamespace, *, self_registered: bool, used: bool, names: list[str]
) -> None:
    if used:
        await app.redeem_code(await app.issue_code())
    else:
        await app.issue_code()
    client = await app.store.clients.find("app")
    pages = ClientPages(initiate_login_uri="https://app.example/start?a=b")
    changed = msgspec.structs.replace(client, pages=pages, self_registered=self_registered)
    assert await app.store.clients.replace(changed, read=client, events=[])
    seen = await see_account(await session(app), store=app.store, issuer=ISSUER, now=app.now)
    assert seen is not None
    assert [each.name for each in seen.applications] == names
    address = "https://app.example/start?a=b&iss=http%3A%2F%2Flocalhost%3A8799"
    assert all(each.address == address for each in seen.applications)
    assert list(seen.client_names.values()) == (names if used else [])
    await app.store.clients.set_disabled("app", disabled=True, now=app.now, events=[])
    after = await see_account(await session(app), store=app.store, issuer=ISSUER, now=app.now)
    assert after is not None
    assert after.applications == ()
