from types import SimpleNamespace

import pytest

from sealring.protocol.caller import Caller
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret
from sealring.protocol.sso_session import SsoSession
from sealring.services.session import DevicePresented
from sealring.services.sso_session import BrowserSignedIn, PasswordForm, find_sso_session, sign_in_browser

PASSWORD = "correct horse battery staple"
CALLER = Caller(network="192.0.2.0/24", user_agent="Firefox")


async def sign_in(
    site: SimpleNamespace,
    name: str = "ada",
    password: str = PASSWORD,
    *,
    current: SsoSession | None = None,
    device: str | None = None,
) -> BrowserSignedIn | OAuthError:
    house = site.opened.house
    return await sign_in_browser(
        PasswordForm(login_name=name, password=Secret(password), client_id=None),
        CALLER,
        current=current,
        presented=None if device is None else DevicePresented(token=Secret(device), signer=house.signer),
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        limit=house.limit,
        policy=house.sso_policy,
        now=site.now,
        randomness=house.randomness,
    )


async def signed_in(site: SimpleNamespace, name: str = "ada", **more: SsoSession | None) -> str:
    done = await sign_in(site, name, **more)
    assert isinstance(done, BrowserSignedIn)
    return done.cookie.reveal()


async def find(site: SimpleNamespace, cookie: str | None) -> SsoSession | None:
    house = site.opened.house
    return await find_sso_session(cookie, store=house.store, policy=house.sso_policy, now=site.now)


async def test_a_browser_is_signed_in_under_a_cookie_of_256_bits(site: SimpleNamespace) -> None:
    cookie = await signed_in(site)
    assert len(cookie) == 43
    session = await find(site, cookie)
    assert session is not None
    assert (session.sub, session.amr, session.acr, session.auth_time) == ("u1", ("pwd",), "1", site.now)
    assert session.subject_epoch == 3
    assert await find(site, None) is None
    assert await find(site, cookie[:-1] + ("A" if cookie[-1] != "A" else "E")) is None


async def test_the_same_person_goes_on_under_another_cookie(site: SimpleNamespace) -> None:
    cookie = await signed_in(site)
    before = await find(site, cookie)
    site.pass_time(5)
    again = await signed_in(site, current=before)
    after = await find(site, again)
    assert before is not None
    assert after is not None
    assert (after.id, after.auth_time - before.auth_time) == (before.id, 5000)
    assert await find(site, cookie) is None


async def test_another_person_begins_a_session_of_their_own(site: SimpleNamespace) -> None:
    before = await find(site, await signed_in(site))
    after = await find(site, await signed_in(site, "bob", current=before))
    assert before is not None
    assert after is not None
    assert (after.sub, after.id != before.id) == ("u2", True)


async def test_a_session_that_has_ended_is_not_carried_on(site: SimpleNamespace) -> None:
    before = await find(site, await signed_in(site))
    assert before is not None
    await site.store.sso_sessions.end(before.id, reason="test", now=site.now, events=[])
    after = await find(site, await signed_in(site, current=before))
    assert after is not None
    assert after.id != before.id


@pytest.mark.parametrize(
    ("name", "password", "code"),
    [
        ("ada", "not this one at all", "wrong_credentials"),
        ("nobody", PASSWORD, "wrong_credentials"),
        ("", PASSWORD, "invalid_login_name"),
        ("a\x00da", PASSWORD, "invalid_login_name"),
        ("ada", "x" * 100_000, "wrong_credentials"),
    ],
)
async def test_whoever_proves_nothing_is_not_signed_in(
    site: SimpleNamespace, name: str, password: str, code: str
) -> None:
    refusal = await sign_in(site, name, password)
    assert isinstance(refusal, OAuthError)
    assert refusal.code == code


async def test_a_device_is_known_by_the_token_that_it_was_given(site: SimpleNamespace) -> None:
    done = await sign_in(site)
    assert isinstance(done, BrowserSignedIn)
    for _ in range(11):
        await sign_in(site, password="not this one at all")
    stranger = await sign_in(site)
    assert isinstance(stranger, OAuthError)
    assert isinstance(await sign_in(site, device=done.device_token.reveal()), BrowserSignedIn)


async def test_use_is_noted_about_once_a_minute_and_ends_with_the_idle_time(site: SimpleNamespace) -> None:
    cookie = await signed_in(site)
    idle = site.opened.house.sso_policy.idle

    async def last_used() -> int:
        (session,) = await site.store.sso_sessions.list_live("u1", now=site.now, limit=10)
        return int(session.last_used_at)

    first = await last_used()
    site.pass_time(60)
    await find(site, cookie)
    assert await last_used() == first
    site.pass_time(1)
    await find(site, cookie)
    assert await last_used() == first + 61_000
    site.pass_time(idle - 1)
    assert await find(site, cookie) is not None
    site.pass_time(idle)
    assert await find(site, cookie) is None


async def test_no_cookie_and_no_password_is_shown_in_a_repr(site: SimpleNamespace) -> None:
    done = await sign_in(site)
    assert isinstance(done, BrowserSignedIn)
    assert done.cookie.reveal() not in repr(done)
    assert PASSWORD not in repr(PasswordForm(login_name="ada", password=Secret(PASSWORD), client_id=None))
