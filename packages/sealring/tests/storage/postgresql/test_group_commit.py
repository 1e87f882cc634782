"""How the writer fails and goes on; the queue before it is asked in test_act_queue, acts by the conformance suite."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from sealring.ports import NewSession, Store, StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import PresentedRefreshToken
from sealring.storage.journal import Journal
from sealring.storage.postgresql.group_commit import Act, Batch
from sealring.storage.postgresql.transaction import Transaction

if TYPE_CHECKING:
    from sealring.storage.postgresql.database import PostgresqlDatabase

NOW = Instant(3000)
EVENT = AuditEvent(event="user_changed", at=1000, actor="cli:test")
ADD_NOTE = "INSERT INTO notes (text) VALUES (:text)"
# At COMMIT, where a note says so, the server thinks for a while.
NOTES = """
CREATE TABLE notes (text TEXT NOT NULL UNIQUE);
CREATE FUNCTION linger() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN IF NEW.text LIKE 'slow%' THEN PERFORM pg_sleep(0.4); END IF; RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER lingers AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION linger();
"""
DROP_NOTES = "DROP TABLE notes; DROP FUNCTION linger"
OpenSession = Callable[..., Awaitable[NewSession]]


class Poison(Exception):  # noqa: N818 -- stands for any mistake of ours inside an act
    pass


@pytest.fixture
async def server(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, and the table `notes (text)`."""
    connection = await asyncpg.connect(url)
    await connection.execute(NOTES)
    yield connection
    await connection.execute(DROP_NOTES)
    await connection.close()


def note(text: str, *, raises: type[Exception] | None = None, events: Sequence[AuditEvent] = (EVENT,)) -> Act:
    """Make an act that writes a note and events, and then perhaps raises."""

    async def act(transaction: Transaction, journal: Journal) -> str:
        await transaction.change(ADD_NOTE, {"text": text})
        journal.record(events)
        if raises is not None:
            raise raises(text)
        return text

    return act


async def _write(transaction: Transaction, journal: Journal, texts: Sequence[str]) -> list[str]:
    for text in texts:
        await transaction.change(ADD_NOTE, {"text": text})
        journal.record([EVENT])
    return list(texts)


WRITE = Batch(rank=5, run=_write)


async def notes(server: asyncpg.Connection) -> list[str]:
    return [text for (text,) in await server.fetch("SELECT text FROM notes ORDER BY text")]


async def sequences(store: Store) -> list[int]:
    return [recorded.sequence for _, recorded in await store.audit.list_events(after=0, limit=10_000)]


async def settle(*acts: Awaitable[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*acts, return_exceptions=True), timeout=20)


async def advance(store: Store, session: NewSession, *, user_agent: str = "Firefox") -> int | None:
    presented = PresentedRefreshToken(key=session.key, generation=0, client_id="shop", user_agent=user_agent)
    grant = await store.sessions.advance(
        presented, mac_key_id=0, idle_lifetime=Seconds(100), now=NOW, service_now=ServiceInstant(50)
    )
    return None if grant is None else grant.generation


# --- Only the guilty act fails ---


async def test_one_poisoned_refresh_among_two_hundred_fails_alone(shop: Store, open_session: OpenSession) -> None:
    sessions = [await open_session(number) for number in range(1, 201)]
    asked = [
        advance(shop, session, user_agent="Fire\x00fox" if number == 77 else "Firefox")
        for number, session in enumerate(sessions)
    ]
    results = await settle(*asked)
    assert isinstance(results.pop(77), asyncpg.CharacterNotInRepertoireError)
    assert results == [1] * 199
    family = await shop.sessions.find_family(sessions[77].key)
    assert family is not None
    assert family.generation == 0


async def test_one_poisoned_log_in_among_two_hundred_fails_alone(
    open_session: OpenSession, recorded: Callable[[], Awaitable[list[AuditEvent]]]
) -> None:
    await open_session(78)
    opened = await settle(*(open_session(number) for number in range(1, 201)))
    assert isinstance(opened.pop(77), asyncpg.UniqueViolationError)
    assert [session.sid for session in opened] == [f"sid-{number}" for number in range(1, 201) if number != 78]
    assert await recorded() == []


async def test_a_poisoned_act_and_its_event_leave_no_trace(
    database: "PostgresqlDatabase", store: Store, server: asyncpg.Connection
) -> None:
    acts = [database.act(note(f"{n:02}", raises=Poison if n == 7 else None)) for n in range(20)]
    texts = [database.join(WRITE, f"batch {n}" if n != 3 else "batch 2") for n in range(9)]
    results = await settle(*acts, *texts)
    assert [number for number, result in enumerate(results) if not isinstance(result, str)] == [7, 23]
    assert len(await notes(server)) == 19 + 8
    assert await sequences(store) == list(range(1, 28))


async def test_a_caller_who_went_away_is_not_begun(database: "PostgresqlDatabase", server: asyncpg.Connection) -> None:
    first = asyncio.ensure_future(database.act(note("first")))
    gone = asyncio.ensure_future(database.act(note("gone")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await first == "first"
    assert await notes(server) == ["first"]


async def test_results_are_joined_by_place_whatever_rotates(shop: Store, open_session: OpenSession) -> None:
    sessions = [await open_session(number) for number in range(1, 61)]
    ended = {number for number in range(60) if number % 3 == 1}
    for number in ended:
        await shop.sessions.end(sessions[number].sid, reason="test", now=NOW, events=[])
    results = await settle(*(advance(shop, session) for session in sessions))
    assert {number for number, result in enumerate(results) if result is None} == ended


# --- Others are in the way ---


async def test_a_deadlock_with_a_stranger_is_tried_again(
    shop: Store, open_session: OpenSession, server: asyncpg.Connection
) -> None:
    first, second = await open_session(1), await open_session(2)
    # Takes the rows in the other order, and is patient, so that ours is the one that is undone.
    await server.execute("SET deadlock_timeout = '10s'")
    async with server.transaction():
        await server.execute("SELECT 1 FROM sessions WHERE key = $1 FOR UPDATE", second.key)
        ours = asyncio.gather(advance(shop, first), advance(shop, second))
        await asyncio.sleep(0.1)
        await server.execute("SELECT 1 FROM sessions WHERE key = $1 FOR UPDATE", first.key)
    assert await asyncio.wait_for(ours, timeout=10) == [1, 1]


async def test_conflicts_are_tried_again_a_bounded_number_of_times(
    database: "PostgresqlDatabase", server: asyncpg.Connection
) -> None:
    tries = 0

    def conflict(times: int) -> Act:
        async def act(transaction: Transaction, _journal: Journal) -> str:
            nonlocal tries
            tries += 1
            if tries <= times:
                await transaction.script("DO $$ BEGIN RAISE EXCEPTION 'x' USING ERRCODE = '40001'; END $$")
            return "done"

        return act

    assert await database.act(conflict(3)) == "done"
    assert tries == 4
    tries = 0
    with pytest.raises(StoreUnavailable):
        await database.act(conflict(100))
    assert tries == 8
    assert await notes(server) == []


async def test_a_row_that_somebody_holds_for_too_long_is_unavailable_to_its_caller_alone(
    shop: Store, open_session: OpenSession, server: asyncpg.Connection, database: "PostgresqlDatabase"
) -> None:
    held, free = await open_session(1), await open_session(2)
    await database._group._connection.execute("SET lock_timeout = '100ms'")
    async with server.transaction():
        await server.execute("SELECT 1 FROM sessions WHERE key = $1 FOR UPDATE", held.key)
        results = await settle(advance(shop, held), advance(shop, free))
    assert isinstance(results[0], StoreUnavailable)
    assert results[1] == 1


# --- The connection is lost ---


async def lose(server: asyncpg.Connection, database: "PostgresqlDatabase") -> None:
    await server.fetchval("SELECT pg_terminate_backend($1)", database._group._connection.get_server_pid())


async def test_a_connection_that_was_cut_while_idle_is_replaced_without_an_error(
    database: "PostgresqlDatabase", store: Store, server: asyncpg.Connection
) -> None:
    assert await database.act(note("before")) == "before"
    await lose(server, database)
    assert await database.act(note("after")) == "after"
    assert await sequences(store) == [1, 2]


async def test_readers_that_were_cut_are_replaced_without_an_error(store: Store, server: asyncpg.Connection) -> None:
    await store.state.identity()
    await server.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sealring'")
    await store.state.identity()
    assert await store.audit.list_events(after=0, limit=1) == ()


async def test_a_connection_that_is_lost_before_commit_is_tried_again_once(
    database: "PostgresqlDatabase", server: asyncpg.Connection, store: Store
) -> None:
    cuts = 0

    async def act(transaction: Transaction, journal: Journal) -> str:
        nonlocal cuts
        await transaction.change(ADD_NOTE, {"text": "once"})
        journal.record([EVENT])
        cuts += 1
        if cuts == 1:
            await lose(server, database)
        return "done"

    assert await database.act(act) == "done"
    assert cuts == 2
    assert await notes(server) == ["once"]
    assert await sequences(store) == [1]


async def test_an_outcome_unknown_in_commit_is_found_out_by_reading_and_told(
    database: "PostgresqlDatabase", store: Store, server: asyncpg.Connection
) -> None:
    await database.act(note("before"))
    acting = asyncio.ensure_future(database.act(note("slow")))
    await asyncio.sleep(0.15)
    database._group._connection._transport.abort()  # the server does not notice, and commits
    assert await asyncio.wait_for(acting, timeout=10) == "slow"
    assert await notes(server) == ["before", "slow"]
    assert await database.act(note("after")) == "after"
    assert await sequences(store) == [1, 2, 3]


async def test_a_commit_that_did_not_happen_is_unavailable_and_is_not_tried_again(
    database: "PostgresqlDatabase", store: Store, server: asyncpg.Connection
) -> None:
    await database.act(note("before"))
    acting = asyncio.ensure_future(database.act(note("slow")))
    await asyncio.sleep(0.15)
    await lose(server, database)
    (result,) = await settle(acting)
    assert isinstance(result, StoreUnavailable)
    assert await notes(server) == ["before"]
    assert await database.act(note("after")) == "after"
    assert await sequences(store) == [1, 2]


@pytest.mark.usefixtures("server")
async def test_an_unknown_outcome_that_recorded_nothing_is_unavailable(database: "PostgresqlDatabase") -> None:
    acting = asyncio.ensure_future(database.act(note("slow", events=())))
    await asyncio.sleep(0.15)
    database._group._connection._transport.abort()
    (result,) = await settle(acting)
    assert isinstance(result, StoreUnavailable)


async def test_an_interrupted_writer_answers_everybody_and_goes_on(
    database: "PostgresqlDatabase", store: Store, server: asyncpg.Connection
) -> None:
    acts = [asyncio.ensure_future(database.act(note(text))) for text in ("slow", "second")]
    await asyncio.sleep(0.15)
    running = database._group._queue._running
    assert running is not None
    running.cancel()
    assert [type(result) for result in await settle(*acts)] == [StoreUnavailable] * 2
    assert await database.act(note("third")) == "third"
    # Whether the interrupted one had been committed is the server's word; the chain holds either way.
    assert await sequences(store) == list(range(1, len(await notes(server)) + 1))


async def test_closing_finishes_what_waits(database: "PostgresqlDatabase", server: asyncpg.Connection) -> None:
    acts = [asyncio.ensure_future(database.act(note(f"{number}"))) for number in range(5)]
    await asyncio.sleep(0)
    await database._group.close()
    assert [act.result() for act in acts] == ["0", "1", "2", "3", "4"]
    with pytest.raises(StoreUnavailable):
        await database.act(note("late"))
    assert len(await notes(server)) == 5
