import asyncio
from collections.abc import Awaitable, Callable

from sealring.clocks import wall_clock
from sealring.ports import KeyChange, NewSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, ServiceInstant
from sealring.protocol.standing_key import StandingKey
from sealring.storage.sqlite.store import SqliteStore

OpenSession = Callable[..., Awaitable[NewSession]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]
RECOVERED = AuditEvent(event="store_recovered", at=3000, actor="cli:test")


async def test_every_new_store_has_an_incarnation_of_its_own(stores: Callable[[], Awaitable[Store]]) -> None:
    first, second = await (await stores()).state.identity(), await (await stores()).state.identity()
    assert len(first.incarnation) == len(second.incarnation) == 16
    assert first.incarnation != second.incarnation
    assert (first.feed_number, first.service_now, first.demo) == (0, 0, False)


async def test_the_service_clock_never_goes_back(store: Store) -> None:
    for reading, kept in ((5, 5), (3, 5), (9, 9), (9, 9)):
        await store.state.beat(ServiceInstant(reading))
        assert (await store.state.identity()).service_now == kept
    await asyncio.gather(*(store.state.beat(ServiceInstant(reading)) for reading in (40, 70, 10, 60)))
    assert (await store.state.identity()).service_now == 70


async def test_a_database_of_a_server_tells_its_wall_clock_and_a_file_has_none(store: Store) -> None:
    before = wall_clock()
    told = await store.state.clock()
    assert (told is None) is isinstance(store, SqliteStore)
    # Both run on this machine.
    assert told is None or before - 50 <= told <= wall_clock() + 50


async def test_recovering_begins_an_incarnation_in_which_nobody_is_signed_in(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    for number in (1, 2):
        await open_session(number)
    await shop.state.beat(ServiceInstant(500))
    before = await shop.state.identity()
    assert await shop.state.recover(b"r" * 16, now=Instant(3000), events=[RECOVERED]) == 2
    after = await shop.state.identity()
    assert after.incarnation == b"r" * 16
    assert after.feed_number > before.feed_number
    assert after.service_now == 500
    assert await shop.sessions.count_live(sub=None, now=Instant(3000)) == 0
    ada, client = await shop.users.find("ada"), await shop.clients.find("shop")
    assert ada is not None
    assert client is not None
    assert (ada.epoch, client.epoch) == (6, 8)
    assert await recorded() == [RECOVERED]


async def test_a_log_in_that_was_proven_before_the_recovery_opens_nothing(shop: Store, new_session: NewSession) -> None:
    await shop.state.recover(b"r" * 16, now=Instant(3000), events=[])
    assert not await shop.sessions.create(new_session, now=Instant(3000), events=[])


async def test_each_end_moves_the_feed_number_and_nothing_else_does(shop: Store, open_session: OpenSession) -> None:
    async def feed_number() -> int:
        return (await shop.state.identity()).feed_number

    for number in (1, 2, 3):
        await open_session(number)
    await shop.users.set_roles("ada", (), events=[])
    await shop.users.rehash("ada", old="hash-1", new="hash-2", events=[])
    await shop.state.beat(ServiceInstant(9))
    assert await feed_number() == 0
    ends = asyncio.gather(
        *(shop.sessions.end(f"sid-{n}", reason="test", now=Instant(3000), events=[]) for n in (1, 2, 2))
    )
    assert sorted(await ends) == [False, True, True]
    assert await feed_number() == 2
    await shop.sessions.end_all_of("ada", reason="test", now=Instant(3000), events=[])
    await shop.users.set_password("ada", password_hash="h", proven_epoch=None, keep=None, now=Instant(3000), events=[])
    await shop.users.set_disabled("ada", disabled=True, now=Instant(3000), events=[])
    await shop.users.set_disabled("ada", disabled=False, now=Instant(3000), events=[])
    await shop.clients.set_disabled("shop", disabled=True, now=Instant(3000), events=[])
    assert await feed_number() == 6
    await shop.users.delete("ada", now=Instant(3000), events=[])
    await shop.clients.delete("shop", now=Instant(3000), events=[])
    await shop.sessions.end_everything(reason="test", now=Instant(3000), events=[])
    assert await feed_number() == 9


async def test_destroying_the_keys_leaves_only_the_standing_ones_that_are_given(store: Store) -> None:
    old, new = StandingKey(purpose="audit", sealed=b"old"), StandingKey(purpose="audit", sealed=b"new")
    read = await store.keys.version()
    await store.keys.change(KeyChange(version=read, keys=(), standing=(old,)), now=Instant(1), events=[])
    await store.state.destroy_keys([new], events=[])
    stock = await store.keys.stock()
    assert (stock.keys, stock.standing) == ((), (new,))
