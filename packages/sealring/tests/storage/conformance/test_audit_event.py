import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import Store
from sealring.protocol.audit_chain import ChainHead
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds

Recorded = Callable[[], Awaitable[list[AuditEvent]]]
FULL = AuditEvent(
    event="sign_in",
    at=2000,
    actor="user:ada",
    outcome="refused",
    code="wrong_credentials",
    sub="ada",
    client_id="shop",
    sid="sid-1",
    api="orders",
    network="192.0.2.0/24",
    country="FR",
    error_id="e-1",
    details={"attempts": 3, "way": "passwörd"},
    personal={"name": "Ada\x1b[31m", "user_agent": "Firefox"},
)


async def test_an_event_is_read_back_as_recorded(store: Store, recorded: Recorded) -> None:
    await store.audit.record([FULL])
    assert await recorded() == [FULL]


async def test_events_are_listed_in_pages_by_position_and_the_last_ones_by_minus_one(store: Store) -> None:
    events = [msgspec.structs.replace(FULL, at=number) for number in range(1, 8)]
    for event in events:
        await store.audit.record([event])
    first = await store.audit.list_events(after=0, limit=3)
    assert [recorded.event for _, recorded in first] == events[:3]
    rest = await store.audit.list_events(after=first[-1][0], limit=100)
    assert [recorded.event for _, recorded in rest] == events[3:]
    assert [recorded.event for _, recorded in await store.audit.list_events(after=-1, limit=2)] == events[-2:]
    assert await store.audit.list_events(after=rest[-1][0], limit=10) == ()


async def test_numbers_are_dense_whatever_arrives_at_once(store: Store) -> None:
    await asyncio.gather(*(store.audit.record([FULL] * (number % 3)) for number in range(60)))
    listed = [recorded.sequence for _, recorded in await store.audit.list_events(after=0, limit=100)]
    assert listed == list(range(1, 61))
    (chain,) = await store.audit.chains()
    assert [row.sequence for row in chain.rows] == listed
    assert chain.links[-1].last_sequence == 60


async def test_the_heads_are_the_last_links(store: Store) -> None:
    assert await store.audit.heads() == {}
    for _ in range(3):
        await store.audit.record([FULL, FULL])
    (chain,) = await store.audit.chains()
    head = ChainHead(sequence=6, mac=chain.links[-1].mac)
    assert await store.audit.heads() == {chain.writer: head}


async def test_a_store_without_events_has_no_chain(store: Store) -> None:
    await store.audit.record([])
    assert await store.audit.chains() == ()
    assert await store.audit.list_events(after=-1, limit=5) == ()


async def test_a_refusal_is_recorded_once_in_its_quiet_time(store: Store) -> None:
    refusal = AuditEvent(
        event="session_refresh_refused", at=Instant(100_000), actor="client:shop", sid="one", code="refresh_ended"
    )
    for at in (100_000, 130_000, 160_000, 170_000):
        await store.audit.record_refusal(msgspec.structs.replace(refusal, at=Instant(at)), quiet=Seconds(60))
    await store.audit.record_refusal(msgspec.structs.replace(refusal, sid="two"), quiet=Seconds(60))
    events = [recorded.event for _, recorded in await store.audit.list_events(after=-1, limit=10)]
    assert [(event.sid, event.at) for event in events] == [("one", 100_000), ("one", 160_000), ("two", 100_000)]
