from types import SimpleNamespace

from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import later
from sealring.protocol.revocation import Revocation
from sealring.services.expiry import forget_expired


async def test_a_session_outlives_its_last_access_token(site: SimpleNamespace) -> None:
    await site.sign_in()
    absolute = 90 * 24 * 3600
    await forget_expired(store=site.store, now=later(site.now, absolute + 599), limit=10)
    assert (await site.store.sessions.list_live(sub="u1", now=site.now, limit=10)) != ()
    await forget_expired(store=site.store, now=later(site.now, absolute + 600), limit=10)
    assert (await site.store.sessions.list_live(sub="u1", now=site.now, limit=10)) == ()


async def test_an_entry_of_the_feed_stays_a_while_longer_than_it_lives(site: SimpleNamespace) -> None:
    ended = Revocation(kind="jti", value="t1", at=site.now, audiences=frozenset({"orders"}), client_id="shop")
    await site.store.revocations.end_token(ended, most=10, now=site.now, events=[])
    until = 600 + 300
    await forget_expired(store=site.store, now=later(site.now, until + 899), limit=10)
    assert await site.store.revocations.has_ended("t1", now=site.now)
    await forget_expired(store=site.store, now=later(site.now, until + 900), limit=10)
    assert not await site.store.revocations.has_ended("t1", now=site.now)


async def test_used_assertions_are_forgotten_a_minute_after_they_expired_however_many(site: SimpleNamespace) -> None:
    used = [AcceptedAssertion(digest=bytes([number] * 32), expires_at=site.now) for number in range(25)]
    for each in used:
        assert await site.store.client_assertions.spend(each)
    await forget_expired(store=site.store, now=later(site.now, 59), limit=10)
    assert not await site.store.client_assertions.spend(used[0])
    await forget_expired(store=site.store, now=later(site.now, 60), limit=10)
    assert [await site.store.client_assertions.spend(each) for each in used] == [True] * 25
