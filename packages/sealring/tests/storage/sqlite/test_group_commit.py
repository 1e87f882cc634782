import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from sealring.ports import StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.journal import Journal
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.database import SqliteDatabase
from sealring.storage.sqlite.group_commit import Act

EVENT = AuditEvent(event="user_changed", at=1000, actor="cli:test")


class Poison(Exception):  # noqa: N818 -- stands for any mistake of ours inside an act
    pass


class Interrupt(BaseException):
    """Stands for KeyboardInterrupt, which would end the test run itself."""


def note(text: str, *, raises: type[BaseException] | None = None) -> Act:
    """Make an act that writes a note and an event, and then perhaps raises."""

    def act(connection: apsw.Connection, journal: Journal) -> str:
        connection.execute("INSERT INTO notes VALUES (?)", (text,))
        journal.record([EVENT])
        if raises is not None:
            raise raises(text)
        return text

    return act


def notes(database: SqliteDatabase) -> list[str]:
    return sorted(text for (text,) in database.read_all("SELECT text FROM notes", {}))


async def sequences(database: SqliteDatabase) -> list[int]:
    return [recorded.sequence for _, recorded in await SqliteAudit(database).list_events(after=0, limit=10_000)]


async def settle(*acts: Awaitable[Any]) -> list[Any]:
    return await asyncio.wait_for(asyncio.gather(*acts, return_exceptions=True), timeout=20)


async def test_results_are_joined_to_their_acts_by_position(database: SqliteDatabase) -> None:
    texts = [f"{number:03}" for number in range(200)]
    assert await settle(*(database.act(note(text)) for text in texts)) == texts
    assert notes(database) == texts


async def test_one_poisoned_act_among_two_hundred_fails_alone(
    database: SqliteDatabase, commits: Callable[[], int]
) -> None:
    texts = [f"{number:03}" for number in range(200)]
    results = await settle(*(database.act(note(text, raises=Poison if text == "077" else None)) for text in texts))
    assert isinstance(results.pop(77), Poison)
    texts.remove("077")
    assert results == texts == notes(database)
    assert await sequences(database) == list(range(1, 200))
    # Halves are tried again, not single acts: a hostile request must not cost everybody else a commit each.
    assert commits() <= 8


@pytest.mark.parametrize("poisoned", [{0}, {63}, {0, 1, 2}, {10, 40}, set(range(64))])
async def test_only_guilty_acts_fail_wherever_they_stand(database: SqliteDatabase, poisoned: set[int]) -> None:
    results = await settle(
        *(database.act(note(f"{number:03}", raises=Poison if number in poisoned else None)) for number in range(64))
    )
    assert {number for number, result in enumerate(results) if isinstance(result, Poison)} == poisoned
    assert notes(database) == [f"{number:03}" for number in range(64) if number not in poisoned]
    assert await sequences(database) == list(range(1, 65 - len(poisoned)))


async def test_text_that_cannot_be_encoded_fails_alone(database: SqliteDatabase) -> None:
    results = await settle(*(database.act(note(text)) for text in ("a", "half a character: \ud800", "b")))
    assert [type(result) for result in results] == [str, UnicodeEncodeError, str]
    assert notes(database) == ["a", "b"]


async def test_the_act_of_a_caller_who_went_away_is_not_begun(database: SqliteDatabase) -> None:
    begun: list[str] = []

    def act(_connection: apsw.Connection, _journal: Journal) -> None:
        begun.append("begun")

    first = asyncio.ensure_future(database.act(note("first")))
    gone = asyncio.ensure_future(database.act(act))
    await asyncio.sleep(0)
    gone.cancel()
    assert await first == "first"
    await database.act(note("second"))
    assert gone.cancelled()
    assert begun == []


async def test_what_was_committed_when_its_caller_went_away_stays(database: SqliteDatabase) -> None:
    caller = asyncio.ensure_future(database.act(note("kept")))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the statement has run, COMMIT is under way
    caller.cancel()
    assert await database.act(note("next")) == "next"
    assert notes(database) == ["kept", "next"]


async def test_a_caller_who_went_away_while_its_batch_failed_is_not_tried_again(database: SqliteDatabase) -> None:
    begun: list[str] = []
    gone: asyncio.Future[Any]

    def act(_connection: apsw.Connection, _journal: Journal) -> None:
        begun.append("begun")

    def poison(_connection: apsw.Connection, _journal: Journal) -> None:
        gone.cancel()
        raise Poison

    gone = asyncio.ensure_future(database.act(act))
    poisoned = asyncio.ensure_future(database.act(poison))
    with pytest.raises(Poison):
        await poisoned
    await database.act(note("after"))
    assert begun == ["begun"]
    assert gone.cancelled()


async def test_a_key_occurs_once_in_a_batch_and_its_second_act_comes_in_the_next(
    database: SqliteDatabase, commits: Callable[[], int]
) -> None:
    at_commit: dict[str, int] = {}

    def act(name: str) -> Act:
        def run(_connection: apsw.Connection, _journal: Journal) -> None:
            at_commit[name] = commits()

        return run

    await settle(
        database.act(act("a1"), key="a"),
        database.act(act("b1"), key="b"),
        database.act(act("a2"), key="a"),
        database.act(act("free")),
        database.act(act("a3"), key="a"),
    )
    assert at_commit == {"a1": 0, "b1": 0, "free": 0, "a2": 1, "a3": 2}


async def test_acts_of_one_key_run_in_the_order_in_which_they_came(database: SqliteDatabase) -> None:
    order: list[int] = []

    def act(number: int) -> Act:
        return lambda _connection, _journal: order.append(number)

    await settle(*(database.act(act(number), key="family") for number in range(20)))
    assert order == list(range(20))


async def test_what_arrives_together_shares_its_commits(database: SqliteDatabase, commits: Callable[[], int]) -> None:
    async def client(name: int) -> None:
        for number in range(20):
            await database.act(note(f"{name}-{number}"), key=f"{name}")

    await settle(*(client(name) for name in range(64)))
    assert len(notes(database)) == 64 * 20
    assert commits() < 64 * 20 / 16


async def test_a_batch_has_a_largest_size(database: SqliteDatabase, commits: Callable[[], int]) -> None:
    await settle(*(database.act(note("x")) for _ in range(1000)))
    assert commits() == 4


async def test_no_act_is_forgotten_whenever_it_comes(database: SqliteDatabase) -> None:
    async def late(turns: int) -> str:
        for _ in range(turns):
            await asyncio.sleep(0)
        answer: str = await database.act(note(f"{turns}"))
        return answer

    for round_of in range(5):
        results = await settle(*(late(turns) for turns in range(round_of, 60)))
        assert results == [f"{turns}" for turns in range(round_of, 60)]


async def test_a_reader_sees_only_what_is_durable(database: SqliteDatabase) -> None:
    seen: list[list[str]] = []

    def act(connection: apsw.Connection, _journal: Journal) -> None:
        connection.execute("INSERT INTO notes VALUES ('x')")
        seen.append(notes(database))

    await database.act(act)
    assert seen == [[]]
    assert notes(database) == ["x"]


# --- The disk refuses ---


async def test_a_full_disk_is_unavailable_and_afterwards_all_is_well(database: SqliteDatabase) -> None:
    await database.act(note("before"))
    pages = database._writing.execute("PRAGMA page_count").get
    database._writing.execute(f"PRAGMA max_page_count = {pages}")
    results = await settle(*(database.act(note(f"{number}" * 50_000)) for number in range(5)))
    assert [type(result) for result in results] == [StoreUnavailable] * 5
    assert isinstance(results[0].__cause__, apsw.FullError)
    assert notes(database) == ["before"]
    database._writing.execute("PRAGMA max_page_count = 1000000")
    await database.act(note("later"))
    assert notes(database) == ["before", "later"]
    assert await sequences(database) == [1, 2]


async def test_a_small_act_beside_a_large_one_succeeds_on_a_nearly_full_disk(database: SqliteDatabase) -> None:
    pages = database._writing.execute("PRAGMA page_count").get
    database._writing.execute(f"PRAGMA max_page_count = {pages + 3}")
    small, large, other = await settle(*(database.act(note(text)) for text in ("small", "x" * 100_000, "other")))
    assert (small, other) == ("small", "other")
    assert isinstance(large, StoreUnavailable)
    assert notes(database) == ["other", "small"]


async def test_a_commit_that_is_refused_undoes_its_batch_and_no_number_is_skipped(database: SqliteDatabase) -> None:
    await database.act(note("before"))
    refused = 0

    def refuse_twice() -> bool:
        nonlocal refused
        refused += 1
        return refused <= 2

    database._writing.set_commit_hook(refuse_twice)
    results = await settle(*(database.act(note(text)) for text in ("a", "b", "c")))
    assert [result if isinstance(result, str) else type(result) for result in results] == [
        apsw.ConstraintError,
        "b",
        "c",
    ]
    assert notes(database) == ["b", "before", "c"]
    assert await sequences(database) == [1, 2, 3]


LIMITED = """
import asyncio, json, os, resource, sys
from pathlib import Path
from sealring.ports import StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.storage.sqlite.database import open_database
from sealring.storage.sqlite.store import SqliteStore

async def main(path):
    database = open_database(path, audit_key=b"k" * 32, writer="w", randomness=os.urandom, demo=False)
    store = SqliteStore(database)
    event = AuditEvent(event="sign_in", at=1, actor="user:x", details={"filler": "x" * 500})
    await store.audit.record([event])
    wal = path.with_name(path.name + "-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (wal + 20_000, resource.RLIM_INFINITY))
    refused = await asyncio.gather(*(store.audit.record([event] * 5) for _ in range(30)), return_exceptions=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    answered = await asyncio.gather(*(store.audit.record([event]) for _ in range(30)), return_exceptions=True)
    verification = AuditVerification(audit_key=b"k" * 32)
    await store.audit.walk(verification.take, limit=100)
    print(json.dumps({
        "refused": sum(isinstance(answer, StoreUnavailable) for answer in refused),
        "done": sum(answer is None for answer in refused),
        "afterwards": sum(answer is None for answer in answered),
        "rows": verification.events,
        "holds": verification.problems() == () and list(verification.heads) == ["w"],
    }))
    await store.close()

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_disk_that_refuses_the_commit_itself_loses_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path / "x.db")], check=True, capture_output=True, text=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert told["refused"] > 0
    assert told["refused"] + told["done"] == 30
    assert told["afterwards"] == 30
    assert told["rows"] == 1 + 5 * told["done"] + 30
    assert told["holds"]


# --- The runner is killed, the store closed ---


async def test_a_runner_cancelled_in_the_middle_of_a_commit_tells_what_it_committed(database: SqliteDatabase) -> None:
    acts = [asyncio.ensure_future(database.act(note(f"{number}"))) for number in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running = database._group._queue._running
    assert running is not None
    running.cancel()
    assert await settle(*acts) == ["0", "1", "2", "3", "4"]
    assert await database.act(note("5")) == "5"
    assert await sequences(database) == [1, 2, 3, 4, 5, 6]


async def test_a_runner_cancelled_before_it_began_leaves_nobody_waiting(database: SqliteDatabase) -> None:
    act = asyncio.ensure_future(database.act(note("lost")))
    await asyncio.sleep(0)
    assert database._group._queue._running is not None
    database._group._queue._running.cancel()
    (result,) = await settle(act)
    assert isinstance(result, StoreUnavailable)
    assert await settle(database.act(note("next"))) == ["next"]
    assert notes(database) == ["next"]


async def test_an_interrupted_runner_undoes_its_batch_and_answers_everybody(database: SqliteDatabase) -> None:
    database_acts = [
        database.act(note("a"), key="k"),
        database.act(note("b", raises=Interrupt)),
        database.act(note("c"), key="k"),
    ]
    results = await settle(*database_acts)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert notes(database) == []
    assert await settle(database.act(note("next"))) == ["next"]
    assert await sequences(database) == [1]


async def test_closing_finishes_what_waits_and_takes_nothing_more(database: SqliteDatabase) -> None:
    acts = [asyncio.ensure_future(database.act(note(f"{number}"), key="k")) for number in range(5)]
    await asyncio.sleep(0)
    await database._group.close()
    assert [act.result() for act in acts] == ["0", "1", "2", "3", "4"]
    with pytest.raises(StoreUnavailable):
        await database.act(note("late"))


async def test_whoever_gives_up_closing_cancels_no_act(database: SqliteDatabase) -> None:
    acts = [asyncio.ensure_future(database.act(note(f"{number}"), key="k")) for number in range(5)]
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(database._group.close())
    await asyncio.sleep(0)
    closing.cancel()
    assert await settle(*acts) == ["0", "1", "2", "3", "4"]


def test_a_loop_that_ends_in_the_middle_of_a_commit_leaves_a_sound_store(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    kept: list[SqliteDatabase] = []

    async def leave_early() -> None:
        from sealring.storage.sqlite.database import open_database

        database = open_database(path, audit_key=b"k" * 32, writer="w", randomness=bytes, demo=False)
        assert isinstance(database, SqliteDatabase)
        kept.append(database)
        callers = [asyncio.ensure_future(SqliteAudit(database).record([EVENT])) for _ in range(10)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not any(caller.done() for caller in callers)

    async def go_on() -> list[int]:
        await SqliteAudit(kept[0]).record([EVENT])
        numbers = await sequences(kept[0])
        await kept[0].close()
        return numbers

    asyncio.run(leave_early())
    numbers = asyncio.run(go_on())
    assert numbers == list(range(1, len(numbers) + 1))
