from hashlib import sha256
from types import SimpleNamespace
from typing import Any

import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.protocol.sso_session import SsoPolicy, SsoSession
from sealring.services.session import DevicePresented
from sealring.services.sso_session import BrowserSignedIn, PasswordForm, find_sso_session, sign_in_browser

PASSWORD = "correct horse battery staple"
POLICY = SsoPolicy(idle=1000, absolute=10_000)
CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")


async def sign_in(
    site: SimpleNamespace, name: str = "ada", password: str = PASSWORD, **changes: object
) -> BrowserSignedIn | OAuthError:
    house = site.opened.house
    form = PasswordForm(login_name=name, password=Secret(password), client_id="app")
    terms: dict[str, Any] = {"current": None, "presented": None} | changes
    return await sign_in_browser(
        form,
        CALLER,
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        limit=house.limit,
        policy=POLICY,
        now=site.now,
        randomness=house.randomness,
        **terms,
    )


async def good(site: SimpleNamespace, **changes: object) -> str:
    signed_in = await sign_in(site, **changes)
    assert isinstance(signed_in, BrowserSignedIn)
    return signed_in.cookie.reveal()


async def find(site: SimpleNamespace, cookie: str | None) -> SsoSession | None:
    return await find_sso_session(cookie, store=site.store, policy=POLICY, now=site.now)


async def test_a_person_is_signed_in_under_a_cookie_that_only_the_browser_has(site: SimpleNamespace) -> None:
    cookie = await good(site)
    session = await find(site, cookie)
    assert session is not None
    assert (session.sub, session.amr, session.acr, session.auth_time) == ("u1", ("pwd",), "1", site.now)
    assert len(cookie) == 43
    assert await find(site, None) is None
    assert await find(site, "A" * 43) is None


async def test_the_same_person_goes_on_under_another_cookie(site: SimpleNamespace) -> None:
    before = await good(site)
    current = await find(site, before)
    site.pass_time(5)
    after = await good(site, current=current)
    assert before != after
    assert await find(site, before) is None
    session = await find(site, after)
    assert session is not None
    assert current is not None
    assert (session.id, session.auth_time) == (current.id, site.now)


async def test_another_person_begins_a_session_of_their_own(site: SimpleNamespace) -> None:
    current = await find(site, await good(site))
    session = await find(site, await good(site, name="bob", current=current))
    assert session is not None
    assert current is not None
    assert (session.sub, session.id != current.id) == ("u2", True)


async def test_where_the_session_ended_meanwhile_the_person_begins_another(site: SimpleNamespace) -> None:
    current = await find(site, await good(site))
    assert current is not None
    await site.store.sso_sessions.end(current.id, reason="logged_out", now=site.now, events=[])
    session = await find(site, await good(site, current=current))
    assert session is not None
    assert session.id != current.id


async def test_a_session_ends_without_use_and_at_its_absolute_limit(site: SimpleNamespace) -> None:
    cookie = await good(site)
    for _ in range(11):
        site.pass_time(900)
        assert await find(site, cookie) is not None
    site.pass_time(200)
    assert await find(site, cookie) is None
    idle = await good(site)
    site.pass_time(1000)
    assert await find(site, idle) is None


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("ada", "wrong wrong wrong", "wrong_credentials"),
        ("nobody", PASSWORD, "wrong_credentials"),
        ("a b", PASSWORD, "invalid_login_name"),
    ],
)
async def test_who_does_not_know_the_password_is_not_signed_in(
    site: SimpleNamespace, name: str, password: str, code: str
) -> None:
    refused = await sign_in(site, name, password)
    assert isinstance(refused, OAuthError)
    assert refused.code == code


async def test_what_was_weighed_is_an_event_with_its_client(site: SimpleNamespace) -> None:
    await sign_in(site, "ada", "wrong wrong wrong")
    await good(site)
    refused, done = (await site.events())[-2:]
    assert (refused.event, refused.outcome, refused.code, refused.client_id) == (
        "sign_in",
        "refused",
        "wrong_credentials",
        "app",
    )
    assert (done.event, done.outcome, done.sub, done.actor) == ("sign_in", "done", "u1", "browser")


async def test_the_device_keeps_its_place(site: SimpleNamespace) -> None:
    first = await sign_in(site)
    assert isinstance(first, BrowserSignedIn)
    presented = DevicePresented(token=first.device_token, signer=site.opened.house.signer)
    again = await sign_in(site, presented=presented)
    assert isinstance(again, BrowserSignedIn)
    assert again.device_token.reveal().startswith("sld_")


async def test_neither_cookie_nor_token_is_shown(site: SimpleNamespace) -> None:
    signed_in = await sign_in(site)
    assert isinstance(signed_in, BrowserSignedIn)
    assert signed_in.cookie.reveal() not in repr(signed_in)
    session = await find(site, signed_in.cookie.reveal())
    assert session is not None
    assert sha256(signed_in.cookie.reveal().encode()).hexdigest() not in repr(session)
