import asyncio
import os
from pathlib import Path

import apsw

from sealring.protocol.audit_event import AuditEvent
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.checkpoint import LOG_PAGES, Checkpoints
from sealring.storage.sqlite.database import SqliteDatabase, open_database

EVENT = AuditEvent(event="sign_in", at=1000, actor="user:ada")


def opened_at(path: Path) -> SqliteDatabase:
    database = open_database(path, audit_key=b"k" * 32, writer="node-1", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase), database
    return database


async def copied_beside(checkpoints: Checkpoints) -> None:
    while not checkpoints.is_due:  # noqa: ASYNC110 -- nobody is told
        await asyncio.sleep(0.01)


async def test_the_log_stays_short_under_writes_and_readings_without_end(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    database = opened_at(path)
    audit = SqliteAudit(database)
    stop = asyncio.Event()

    async def write() -> None:
        while not stop.is_set():
            await audit.record([EVENT])

    async def read() -> None:
        while not stop.is_set():  # a view is open in every turn
            database.read("SELECT count(*) FROM store_state", {})
            await asyncio.sleep(0)

    working = [asyncio.create_task(work) for work in (*(write() for _ in range(64)), *(read() for _ in range(4)))]
    while (await audit.list_events(after=20_000, limit=1)) == ():  # noqa: ASYNC110 -- nobody is told
        await asyncio.sleep(0.05)
    stop.set()
    await asyncio.gather(*working)
    log_pages = path.with_name(path.name + "-wal").stat().st_size // 4096
    await database.close()
    assert log_pages < 4 * LOG_PAGES


async def test_all_of_a_log_is_in_the_file_once_the_rest_was_copied(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    writing = apsw.Connection(str(path))
    writing.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)").fetchall()
    checkpoints = Checkpoints(path, writing=writing)
    checkpoints.note(10)
    assert not checkpoints.is_due
    checkpoints.note(10_000)
    await copied_beside(checkpoints)
    writing.execute("INSERT INTO t VALUES (2)")  # a commit that came meanwhile
    checkpoints.finish()
    assert not checkpoints.is_due
    pages, copied = writing.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    assert pages == copied > 0
    await checkpoints.close()
    writing.close()


async def test_a_checkpoint_that_cannot_be_made_now_is_made_later(tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    writing = apsw.Connection(str(path))
    writing.execute("PRAGMA journal_mode = WAL; CREATE TABLE t (a)").fetchall()
    checkpoints = Checkpoints(path, writing=writing)
    reader = apsw.Connection(str(path))
    reader.execute("BEGIN; SELECT * FROM t").fetchall()
    for number in range(2):
        writing.execute("INSERT INTO t VALUES (1)")
        checkpoints.note(20_000)
        await copied_beside(checkpoints)
        checkpoints.finish()
        pages, copied = writing.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
        assert (pages == copied) == bool(number)
        if not number:
            reader.execute("COMMIT")
    await checkpoints.close()
    reader.close()
    writing.close()
