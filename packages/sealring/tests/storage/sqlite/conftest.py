"""A database in a file of its own, with a table of notes and a count of its commits."""

import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from sealring.protocol.audit_verification import AuditVerification
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.database import SqliteDatabase, open_database

AUDIT_KEY = b"k" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """Open a database with the table `notes (text)`; in the end its audit must hold."""
    opened = open_database(
        tmp_path / "data" / "sealring.db", audit_key=AUDIT_KEY, writer="node-1", randomness=os.urandom, demo=False
    )
    assert isinstance(opened, SqliteDatabase)
    opened._writing.execute("CREATE TABLE notes (text TEXT NOT NULL) STRICT")
    yield opened
    verification = AuditVerification(audit_key=AUDIT_KEY)
    await SqliteAudit(opened).walk(verification.take, limit=100)
    assert verification.problems() == ()
    await opened.close()


@pytest.fixture
def commits(database: SqliteDatabase) -> Callable[[], int]:
    """Count the commits of the writing connection since the test began."""
    seen = 0

    def count() -> bool:
        nonlocal seen
        seen += 1
        return False

    database._writing.set_commit_hook(count)
    return lambda: seen
