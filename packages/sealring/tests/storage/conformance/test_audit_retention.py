"""Retention on the store: what a step finds, what it removes, and that every history of it holds."""

from collections.abc import Callable

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealring.ports import Store
from sealring.protocol.audit_anchor import AuditAnchor, make_anchor
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_retention import (
    RETENTION_EVENT,
    AuditClosing,
    AuditPart,
    close_segment,
    retention_event,
    take_old_segment,
)
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.instant import Instant
from sealring.protocol.user import User

KEY = b"the audit key of the tests (32 o)"
EVENT = AuditEvent(event="sign_in", at=Instant(0), actor="user:ada", sub="ada", personal={"name": "Ada"})


async def record(store: Store, *instants: int) -> None:
    """Record one event for each instant, all in one commit."""
    await store.audit.record([msgspec.structs.replace(EVENT, at=Instant(at)) for at in instants])


async def find(store: Store, *, before: int, limit: int = 100, without: frozenset[str] = frozenset()) -> AuditPart:
    """Find the segment that a step would remove; an empty part where there is none."""
    found = await store.audit.find_old_segment(before=Instant(before), limit=limit, without=without)
    if found is None:
        return AuditPart(writer="", closing=None, rows=(), links=())
    return take_old_segment(found, before=Instant(before))


async def remove(store: Store, segment: AuditPart, *, now: int) -> AuditClosing:
    """Remove a segment as the act does, with its event."""
    closing = close_segment(segment, audit_key=KEY, now=Instant(now))
    assert isinstance(closing, AuditClosing)
    event = retention_event(segment, now=Instant(now))
    events = [] if event is None else [event]
    assert await store.audit.remove_segment(closing, previous=segment.closing, events=events)
    return closing


async def verify(store: Store, *anchors: AuditAnchor) -> AuditVerification:
    verification = AuditVerification(audit_key=KEY, anchors=anchors)
    await store.audit.walk(verification.take, limit=3)
    return verification


def numbers(segment: AuditPart) -> list[int]:
    return [row.sequence for row in segment.rows]


async def test_the_segment_is_made_of_whole_old_commits_of_about_the_limit(store: Store) -> None:
    for group in ((1,), (2, 3), (4, 5, 6), (7, 20), (8,), (30,)):
        await record(store, *group)
    assert numbers(await find(store, before=10)) == [1, 2, 3, 4, 5, 6]
    assert numbers(await find(store, before=6)) == [1, 2, 3]
    assert numbers(await find(store, before=10, limit=3)) == [1, 2, 3]
    assert numbers(await find(store, before=10, limit=1)) == [1]
    assert numbers(await find(store, before=1)) == []
    assert numbers(await find(store, before=25, limit=100)) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


async def test_a_commit_larger_than_the_limit_is_a_segment_all_the_same(store: Store) -> None:
    await record(store, *[1] * 10)
    await record(store, 9)
    assert len(numbers(await find(store, before=5, limit=3))) == 10


async def test_the_newest_event_of_the_store_stays_so_that_positions_go_on(store: Store) -> None:
    await record(store, 1)
    await record(store, 2, 3)
    assert numbers(await find(store, before=99)) == [1]
    await remove(store, await find(store, before=99), now=100)
    positions = [position for position, _ in await store.audit.list_events(after=0, limit=10)]
    assert positions == [2, 3, 4]
    await remove(store, await find(store, before=99), now=101)
    positions = [position for position, _ in await store.audit.list_events(after=0, limit=10)]
    assert positions == [4, 5]


async def test_writers_that_are_left_out_are_passed_over(store: Store) -> None:
    await record(store, 1)
    await record(store, 2)
    (writer,) = await store.audit.heads()
    assert numbers(await find(store, before=99, without=frozenset({writer}))) == []


async def test_what_is_removed_leaves_a_closing_and_an_event_and_the_next_one_replaces_it(store: Store) -> None:
    for at in (1, 2, 50, 51):
        await record(store, at)
    first = await remove(store, await find(store, before=10), now=100)
    assert (first.last_sequence, first.events) == (2, 2)
    second = await remove(store, await find(store, before=60), now=200)
    assert (second.last_sequence, second.events, second.at) == (4, 4, 200)
    told = [recorded.event.details for _, recorded in await store.audit.list_events(after=0, limit=10)]
    writer = second.writer
    assert told == [
        {"writer": writer, "last_sequence": 2, "events": 2},
        {"writer": writer, "last_sequence": 4, "events": 2},
    ]
    verification = await verify(store)
    assert (verification.problems(), verification.removed, verification.events) == ((), 4, 2)


async def test_a_removal_is_undone_where_another_closing_stands(store: Store) -> None:
    for at in (1, 2, 50):
        await record(store, at)
    segment = await find(store, before=10)
    closing = await remove(store, segment, now=100)
    again = close_segment(segment, audit_key=KEY, now=Instant(101))
    assert isinstance(again, AuditClosing)
    stale = msgspec.structs.replace(closing, mac=bytes(32))
    for previous in (None, stale):
        assert not await store.audit.remove_segment(again, previous=previous, events=[EVENT])
    assert (await verify(store)).removed == 2
    names = [recorded.event.event for _, recorded in await store.audit.list_events(after=0, limit=10)]
    assert names == ["sign_in", RETENTION_EVENT]


async def test_the_head_of_a_chain_is_where_it_was_whatever_was_removed(store: Store) -> None:
    for at in (1, 2, 3):
        await record(store, at)
    (writer,) = await store.audit.heads()
    anchor = make_anchor(await store.audit.heads(), issuer="i", audit_key=KEY, now=Instant(5))
    await remove(store, await find(store, before=3), now=100)
    await remove(store, await find(store, before=50), now=101)
    assert (await store.audit.heads())[writer].sequence == 5
    verification = await verify(store, anchor)
    assert (verification.problems(), verification.remarks()) == ((), ())


async def test_events_of_removals_that_grow_old_do_not_keep_making_more_of_them(store: Store) -> None:
    for at in range(20):
        await record(store, at)
    now, steps = 1000, 0
    while (segment := await find(store, before=now - 10, limit=4)).links:
        await remove(store, segment, now=now)
        now, steps = now + 100, steps + 1
        assert steps < 40
    assert len(await store.audit.list_events(after=0, limit=100)) == 1


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(1, 4)),
        st.tuples(st.just("retain"), st.integers(0, 5)),
        st.tuples(st.just("erase"), st.just(0)),
    ),
    max_size=14,
)


async def play(store: Store, steps: list[tuple[str, int]]) -> tuple[int, list[AuditAnchor]]:
    """Do the steps, one instant apart; return how many events were recorded, and an anchor after each step."""
    recorded, anchors = 0, []
    for now, (kind, number) in enumerate([("record", 1), *steps], start=1):
        match kind:
            case "record":
                await record(store, *[now] * number)
                recorded += number
            case "retain":
                while (segment := await find(store, before=now - number, limit=3)).links:
                    await remove(store, segment, now=now)
                    recorded += retention_event(segment, now=Instant(now)) is not None
            case "erase":
                ada = User(sub="ada", username=None, claims={}, roles=(), epoch=1, created_at=Instant(1))
                await store.users.add(ada, username_key=None, email_key=None, password_hash=None, events=[])
                await store.users.delete("ada", now=Instant(now), events=[])
        anchors.append(make_anchor(await store.audit.heads(), issuer="i", audit_key=KEY, now=Instant(now)))
    return recorded, anchors


@given(steps=STEPS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_history_of_events_retentions_and_erasures_holds(
    stores: Callable[..., object], steps: list[tuple[str, int]]
) -> None:
    store: Store = await stores()  # type: ignore[misc] -- the fixture of conftest.py
    recorded, anchors = await play(store, steps)
    verification = await verify(store, *anchors)
    assert verification.problems() == ()
    assert verification.events + verification.removed == recorded
    assert verification.heads == await store.audit.heads()
