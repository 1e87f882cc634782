from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import Store
from sealring.protocol.sso_session import SsoProof, SsoSession

OpenSession = Callable[..., Awaitable[object]]

FAR = 10**15
DIGEST, OTHER = b"d" * 32, b"e" * 32
SSO = SsoSession(
    id="sso-1",
    sub="ada",
    subject_epoch=5,
    auth_time=1500,
    amr=("pwd",),
    created_at=1500,
    last_used_at=1500,
    idle_expires_at=50_000,
    absolute_expires_at=90_000,
    network="192.0.2.0/24",
    user_agent="Firefox",
)
PROOF = SsoProof(digest=OTHER, subject_epoch=5, auth_time=3000, amr=("pwd", "otp"), acr="2", idle_expires_at=60_000)


async def open_sso(store: Store, digest: bytes = DIGEST, **members: object) -> SsoSession:
    session = msgspec.structs.replace(SSO, **members)
    assert await store.sso_sessions.create(session, digest=digest, now=1500, events=[])
    return session


async def test_a_browser_session_is_found_by_its_cookie_as_it_was_opened(shop: Store) -> None:
    assert await shop.sso_sessions.find(DIGEST, now=2000) is None
    await open_sso(shop)
    assert await shop.sso_sessions.find(DIGEST, now=2000) == SSO
    assert await shop.sso_sessions.find(OTHER, now=2000) is None


async def test_a_log_in_that_was_proven_under_an_older_epoch_opens_no_browser_session(shop: Store) -> None:
    stale = msgspec.structs.replace(SSO, subject_epoch=4)
    assert not await shop.sso_sessions.create(stale, digest=DIGEST, now=1500, events=[])
    assert await shop.sso_sessions.find(DIGEST, now=1500) is None


async def test_a_browser_session_is_over_from_its_idle_and_from_its_absolute_expiry_on(shop: Store) -> None:
    await open_sso(shop)
    assert await shop.sso_sessions.find(DIGEST, now=49_999) is not None
    assert await shop.sso_sessions.find(DIGEST, now=50_000) is None
    await shop.sso_sessions.touch("sso-1", idle_expires_at=FAR, now=40_000)
    found = await shop.sso_sessions.find(DIGEST, now=89_999)
    assert found is not None
    assert (found.last_used_at, found.idle_expires_at) == (40_000, FAR)
    assert await shop.sso_sessions.find(DIGEST, now=90_000) is None


async def test_an_expired_browser_session_is_not_brought_back_by_use(shop: Store) -> None:
    await open_sso(shop)
    await shop.sso_sessions.touch("sso-1", idle_expires_at=FAR, now=50_000)
    assert await shop.sso_sessions.find(DIGEST, now=50_000) is None


async def test_a_raised_epoch_or_a_disabled_user_ends_the_browser_session(shop: Store) -> None:
    await open_sso(shop)
    await shop.sessions.end_all_of("ada", reason="ended_by_user", now=2000, events=[])
    assert await shop.sso_sessions.find(DIGEST, now=2000) is None


async def test_a_new_proof_takes_the_old_cookie_away(shop: Store) -> None:
    await open_sso(shop)
    assert await shop.sso_sessions.prove("sso-1", PROOF, now=3000, events=[])
    assert await shop.sso_sessions.find(DIGEST, now=3000) is None
    found = await shop.sso_sessions.find(OTHER, now=3000)
    assert found is not None
    assert (found.id, found.auth_time, found.amr, found.acr) == ("sso-1", 3000, ("pwd", "otp"), "2")


async def test_a_proof_under_an_old_epoch_changes_nothing(shop: Store) -> None:
    await open_sso(shop)
    stale = msgspec.structs.replace(PROOF, subject_epoch=4)
    assert not await shop.sso_sessions.prove("sso-1", stale, now=3000, events=[])
    assert await shop.sso_sessions.find(DIGEST, now=3000) == SSO


async def test_a_browser_session_outlives_the_password_change_that_it_proved(shop: Store) -> None:
    await open_sso(shop)
    epoch = await shop.users.set_password("ada", password_hash="hash-2", proven_epoch=5, keep=None, now=3000, events=[])
    assert epoch is not None
    assert await shop.sso_sessions.find(DIGEST, now=3000) is None
    proof = msgspec.structs.replace(PROOF, subject_epoch=epoch)
    assert await shop.sso_sessions.prove("sso-1", proof, now=3000, events=[])
    assert await shop.sso_sessions.find(OTHER, now=3000) is not None


async def test_the_end_of_a_browser_session_ends_what_came_from_it_and_tells_the_apis(
    shop: Store, open_session: OpenSession
) -> None:
    await open_sso(shop)
    await open_session(1, sso_id="sso-1")
    await open_session(2, sso_id="sso-1")
    await open_session(3)
    before = (await shop.revocations.head()).number
    ended = await shop.sso_sessions.end("sso-1", reason="logged_out", now=3000, events=[])
    assert sorted((each.sid, each.client_id) for each in ended or ()) == [("sid-1", "shop"), ("sid-2", "shop")]
    assert await shop.sso_sessions.find(DIGEST, now=3000) is None
    assert await shop.sessions.find("sid-1", now=3000) is None
    assert await shop.sessions.find("sid-3", now=3000) is not None
    assert (await shop.revocations.head()).number == before + 2


async def test_a_browser_session_ends_once(shop: Store) -> None:
    await open_sso(shop)
    assert await shop.sso_sessions.end("sso-1", reason="logged_out", now=3000, events=[]) == ()
    assert await shop.sso_sessions.end("sso-1", reason="logged_out", now=3000, events=[]) is None
    assert await shop.sso_sessions.end("nobody", reason="logged_out", now=3000, events=[]) is None


async def test_the_live_browser_sessions_of_a_person_are_listed_newest_first(shop: Store) -> None:
    await open_sso(shop)
    newer = await open_sso(shop, OTHER, id="sso-2", created_at=1700)
    await open_sso(shop, b"f" * 32, id="sso-3", idle_expires_at=2000)
    assert await shop.sso_sessions.list_live("ada", now=2000, limit=10) == (newer, SSO)
    assert await shop.sso_sessions.list_live("ada", now=2000, limit=1) == (newer,)
    assert await shop.sso_sessions.list_live("bob", now=2000, limit=10) == ()


async def test_expired_browser_sessions_are_forgotten(shop: Store) -> None:
    await open_sso(shop)
    assert await shop.sso_sessions.forget_expired(before=89_999, limit=10) == 0
    assert await shop.sso_sessions.forget_expired(before=90_000, limit=10) == 1
