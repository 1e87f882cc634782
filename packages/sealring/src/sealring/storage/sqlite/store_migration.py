"""A SQLite file as a source: held as it is, read table by table, never written."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

import apsw

from sealring.ports import StoreUnavailable
from sealring.storage.migrations.apply import LIST_RECORDS, migration_problem, migrations
from sealring.storage.sql.table import Table
from sealring.storage.sqlite.database import DatabaseFile, take_lock
from sealring.storage.store_problem import StoreProblem

_ROWS_OF_A_PART: Final = 1000


def open_source(path: Path) -> DatabaseFile | StoreProblem:
    """Hold the file at `path` for this process and leave it as it is: no table is changed, no lease is freed."""
    if not path.is_file():
        return StoreProblem(f"There is no database {path}.")
    lock = take_lock(path)
    if isinstance(lock, StoreProblem):
        return lock
    try:
        reading = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        problem = _problem(reading, path)
    except apsw.Error as failure:
        lock.close()
        return StoreProblem(f"The database {path} cannot be read: {failure}.")
    if problem is not None:
        reading.close()
        lock.close()
        return StoreProblem(problem)
    return DatabaseFile(path=path, writing=reading, reading=reading, lock=lock)


def read_table(source: DatabaseFile, table: Table) -> Iterator[list[Any]]:
    """Read a table in the order of its key, a thousand rows at a time. Raises StoreUnavailable."""
    try:
        rows = source.reading.execute(table.read_from_sqlite)
        while part := list(islice(rows, _ROWS_OF_A_PART)):
            yield part
    except apsw.Error as problem:
        raise StoreUnavailable(f"{table.name}: {problem}") from problem


def _problem(reading: apsw.Connection, path: Path) -> str | None:
    applied = {str(name): str(digest) for name, digest in reading.execute(LIST_RECORDS)}
    known = migrations("sqlite")
    if applied.keys() < known.keys():
        return f"The database {path} is not up to date: run `sealring migrate` on it first."
    return migration_problem(applied, known)
