import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import apsw
import pytest

from sealring.ports import StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.instant import Instant
from sealring.protocol.standing_key import StandingKey
from sealring.storage.sql.session import FIND_LIVE
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.database import DatabaseFile, SqliteDatabase, open_database, open_file
from sealring.storage.sqlite.key import add_standing_keys, read_key_stock
from sealring.storage.sqlite.store import SqliteStore
from sealring.storage.store_problem import StoreProblem

EVENT = AuditEvent(event="sign_in", at=1000, actor="user:ada")
OPEN = """
import asyncio, os, sys
from pathlib import Path
from tempfile import TemporaryDirectory
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.sqlite.database import open_database
from sealring.storage.sqlite.store import SqliteStore
from sealring.storage.store_problem import StoreProblem

def opened(writer):
    database = open_database(Path(sys.argv[1]), audit_key=b"k" * 32, writer=writer, randomness=os.urandom, demo=False)
    if isinstance(database, StoreProblem):
        sys.exit(database.sentence)
    return database
"""
ANSWER_FOR_EVER = """
async def main():
    store = SqliteStore(opened("child"))
    async def client(name):
        for number in range(1_000_000):
            await store.audit.record([AuditEvent(event="sign_in", at=number, actor=f"user:{name}")])
            print(f"user:{name}", number, flush=True)
    await asyncio.gather(*(client(name) for name in range(16)))
asyncio.run(main())
"""


def open_at(path: Path, *, writer: str = "node-1", demo: bool = False) -> SqliteDatabase | StoreProblem:
    return open_database(path, audit_key=b"k" * 32, writer=writer, randomness=os.urandom, demo=demo)


def opened_at(path: Path, *, writer: str = "node-1") -> SqliteDatabase:
    database = open_at(path, writer=writer)
    assert isinstance(database, SqliteDatabase), database
    return database


def problem_at(path: Path) -> str:
    problem = open_at(path)
    assert isinstance(problem, StoreProblem)
    return problem.sentence


async def test_what_was_written_is_there_when_the_file_is_opened_again(tmp_path: Path) -> None:
    path = tmp_path / "data" / "sealring.db"
    store = SqliteStore(opened_at(path, writer="first"))
    identity = await store.state.identity()
    await store.audit.record([EVENT])
    await store.close()
    store = SqliteStore(opened_at(path, writer="second"))
    await store.audit.record([EVENT])
    assert await store.state.identity() == identity
    assert sorted(await store.audit.heads()) == ["first", "second"]
    await store.close()


async def test_a_new_file_remembers_whether_it_is_the_demos(tmp_path: Path) -> None:
    path = tmp_path / "demo.db"
    for demo in (True, False):  # the second opening finds it made
        database = open_at(path, demo=demo)
        assert isinstance(database, SqliteDatabase)
        assert (await SqliteStore(database).state.identity()).demo
        await database.close()


async def test_a_second_process_on_the_file_is_refused_with_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    database = opened_at(path)
    command = [sys.executable, "-c", OPEN + 'opened("second")', str(path)]
    second = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: ASYNC221 -- nothing else runs on this loop
    assert second.returncode == 1
    assert second.stderr.startswith(f"Another Sealring process has the database {path} open.")
    await database.close()
    third = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: ASYNC221 -- as above
    assert (third.returncode, third.stderr) == (0, "")


async def test_a_second_opening_in_the_same_process_is_refused_too(tmp_path: Path) -> None:
    database = opened_at(tmp_path / "sealring.db")
    assert "Another Sealring process" in problem_at(tmp_path / "sealring.db")
    await database.close()
    await opened_at(tmp_path / "sealring.db").close()


async def test_what_was_answered_survives_kill_9_and_the_chain_holds(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    child = subprocess.Popen(  # noqa: ASYNC220 -- nothing else runs on this loop
        [sys.executable, "-c", OPEN + ANSWER_FOR_EVER, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    answered = [child.stdout.readline().split() for _ in range(500)]
    child.send_signal(signal.SIGKILL)
    answered += [words for line in child.stdout.read().splitlines() if len(words := line.split()) == 2]
    child.wait()
    child.stdout.close()
    database = opened_at(path, writer="after")
    listed = await SqliteAudit(database).list_events(after=0, limit=1_000_000)
    kept = {(recorded.event.actor, recorded.event.at) for _, recorded in listed}
    # The last line may have been cut by the signal in the middle of its number.
    assert {(actor, int(at)) for actor, at in answered[:-1]} <= kept
    verification = AuditVerification(audit_key=b"k" * 32)
    await SqliteAudit(database).walk(verification.take, limit=100)
    assert verification.problems() == ()
    assert list(verification.heads) == ["child"]
    await database.close()


def test_a_data_directory_that_cannot_be_written_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "sealring.db", Path("/proc/nowhere/sealring.db")):
        sentence = problem_at(path)
        assert sentence.startswith(f"The data directory {path.parent} cannot be written (")
        assert sentence.endswith(": make it writable.")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not write here")
def test_a_directory_of_somebody_else_is_told_in_a_sentence() -> None:
    # Permissions do not bind root, so the question is asked in a child that has become nobody.
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        command = [sys.executable, "-c", OPEN + 'os.seteuid(65534); opened("nobody")', f"{folder}/sealring.db"]
        child = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert child.stderr == f"The data directory {folder} cannot be written (Permission denied): make it writable.\n"


def test_a_file_that_is_no_database_is_told_in_a_sentence_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Ada, " * 500)
    assert problem_at(path) == f"The database {path} cannot be opened: file is not a database."
    assert path.read_text() == "Dear Ada, " * 500
    assert problem_at(path).startswith("The database")  # the lock was given back


def test_a_directory_in_place_of_the_database_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sealring.db").mkdir()
    assert problem_at(tmp_path / "sealring.db").startswith(f"The database {tmp_path / 'sealring.db'} cannot be opened")


@pytest.mark.parametrize("umask", [0o022, 0o000])
async def test_nobody_else_may_read_the_database_or_its_journal(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(opened_at(tmp_path / "data" / "sealring.db"))
    finally:
        os.umask(before)
    await store.audit.record([EVENT])
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) & 0o077 == 0
    for name in ("sealring.db", "sealring.db-wal", "sealring.db-shm"):
        assert stat.S_IMODE((tmp_path / "data" / name).stat().st_mode) & 0o077 == 0, name
    await store.close()


async def test_the_writing_connection_is_durable_and_strict(database: SqliteDatabase) -> None:
    def pragma(name: str) -> object:
        return database._writing.execute(f"PRAGMA {name}").get

    assert pragma("journal_mode") == "wal"
    assert pragma("synchronous") == 2
    assert pragma("foreign_keys") == 1
    assert pragma("trusted_schema") == 0
    strict = database._writing.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND NOT strict AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    assert strict == []


async def test_the_reading_connection_cannot_write(database: SqliteDatabase) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        database._reading.execute("INSERT INTO notes VALUES ('x')")


async def test_a_closed_database_takes_no_act(tmp_path: Path) -> None:
    store = SqliteStore(opened_at(tmp_path / "sealring.db"))
    await store.close()
    with pytest.raises(StoreUnavailable):
        await store.audit.record([EVENT])


@pytest.mark.parametrize("read", [lambda database: database.read, lambda database: database.read_all])
async def test_a_file_that_cannot_be_read_is_unavailable(
    database: SqliteDatabase, read: Callable[[SqliteDatabase], Callable[..., object]]
) -> None:
    def fail(_name: str) -> None:
        raise apsw.IOError("the disk is gone")

    database._reading.create_scalar_function("fail", fail, 1)
    with pytest.raises(StoreUnavailable):
        read(database)("SELECT fail('x')", {})


async def test_leases_of_a_process_that_died_are_free_and_those_of_this_one_are_not(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"

    async def take(holder: str) -> bool:
        return await store.leases.take("work", holder=holder, now=Instant(1000), expires_at=Instant(2000))

    store = SqliteStore(opened_at(path))
    assert await take("one")
    # Refused while the holder lives, and its lease is left alone.
    assert isinstance(open_at(path), StoreProblem)
    assert not await take("two")
    await store.close()
    store = SqliteStore(opened_at(path))
    assert await take("two")
    await store.close()


async def test_standing_keys_are_added_before_the_audit_begins_unless_the_keys_were_changed(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    file = open_file(path, randomness=os.urandom, demo=False)
    assert isinstance(file, DatabaseFile)
    audit, other = StandingKey(purpose="audit", sealed=b"one"), StandingKey(purpose="audit", sealed=b"other")
    stock = read_key_stock(file)
    assert stock.standing == ()
    assert add_standing_keys(file, [audit], version=stock.version) is None
    assert add_standing_keys(file, [other], version=stock.version) is None
    assert read_key_stock(file).standing == (audit,)
    assert read_key_stock(file).version == stock.version + 1
    assert isinstance(open_at(path), StoreProblem)
    file.close()
    store = SqliteStore(opened_at(path))
    assert (await store.keys.stock()).standing == (audit,)
    assert await store.audit.list_events(after=0, limit=10) == ()
    await store.close()


def test_no_statement_is_prepared_again_for_other_values(tmp_path: Path) -> None:
    file = open_file(tmp_path / "sealring.db", randomness=os.urandom, demo=False)
    assert isinstance(file, DatabaseFile), file
    prepared: list[str] = []

    def allow(*_: object) -> int:  # SQLite asks while it prepares a statement, and at no other time
        prepared.append(sid)
        return apsw.SQLITE_OK

    for connection in (file.reading, file.writing):
        connection.authorizer = allow
        for sid in ("one", "another", "a third"):
            connection.execute(FIND_LIVE, {"sid": sid, "now": 1}).fetchall()
        connection.authorizer = None
    file.close()
    assert set(prepared) == {"one"}


async def test_whoever_was_told_of_a_commit_sees_it_in_the_same_turn_of_the_loop(tmp_path: Path) -> None:
    database = opened_at(tmp_path / "sealring.db")
    count = "SELECT count(*) FROM audit_events"
    store = SqliteStore(database)
    for number in range(1, 21):
        recording = asyncio.ensure_future(store.audit.record([EVENT]))
        while not recording.done():
            database.read(count, {})  # a view is open in each turn, also in the one in which the commit ends
            await asyncio.sleep(0)
        assert database.read(count, {})[0] == number
    await database.close()


async def test_a_view_is_let_go_with_its_turn_of_the_loop(tmp_path: Path) -> None:
    file = open_file(tmp_path / "sealring.db", randomness=os.urandom, demo=False)
    assert isinstance(file, DatabaseFile), file
    database = file.begin(audit_key=b"k" * 32, writer="node-1", randomness=os.urandom)
    for _ in range(2):
        database.read("SELECT 1", {})
        database.read_all("SELECT 1", {})
        assert file.reading.in_transaction
        await asyncio.sleep(0)
        assert not file.reading.in_transaction
    database.read("SELECT 1", {})
    await database.close()
