"""One SQLite file: its lock, its two connections, its migrations (DESIGN §4)."""

import asyncio
import fcntl
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any, Final

import apsw

from sealring.ports import StoreUnavailable
from sealring.protocol.secret import Randomness
from sealring.storage.migrations.apply import apply_migrations
from sealring.storage.sql import lease as lease_sql
from sealring.storage.sqlite.audit_writer import AuditWriter
from sealring.storage.sqlite.group_commit import Act, GroupCommit
from sealring.storage.store_problem import StoreProblem

# Of what is read, and of what is written: 20 000 busy sessions among a million lie on as many pages.
_READING_CACHE_KIB: Final = 64 * 1024
_WRITING_CACHE_KIB: Final = 256 * 1024
_Values = Mapping[str, Any]


class DatabaseFile:
    """A file that is held for this process and up to date, and whose audit has no key yet.

    It can be read; of writing it knows the one act that gives the store its standing keys.
    """

    def __init__(
        self, *, path: Path | None, writing: apsw.Connection, reading: apsw.Connection, lock: IO[bytes] | None
    ) -> None:
        self.path = path
        self.writing = writing
        self.reading = reading
        self._lock = lock

    def read(self, statement: str, values: _Values) -> Any:  # noqa: ANN401 -- a row
        """Read at most one row, straight on the loop: a point look-up costs a few microseconds."""
        try:
            return self.reading.execute(statement, values).fetchone()
        except (apsw.IOError, apsw.BusyError, apsw.CantOpenError, apsw.LockedError) as problem:
            raise StoreUnavailable(type(problem).__name__) from problem

    def read_all(self, statement: str, values: _Values) -> list[Any]:
        """Read all rows of a statement that bounds itself."""
        try:
            return self.reading.execute(statement, values).fetchall()
        except (apsw.IOError, apsw.BusyError, apsw.CantOpenError, apsw.LockedError) as problem:
            raise StoreUnavailable(type(problem).__name__) from problem

    def begin(self, *, audit_key: bytes, writer: str, randomness: Randomness) -> "SqliteDatabase":
        """Begin to write. `writer`: the name of this run of this node in the audit; `audit_key`: of its chain."""
        return SqliteDatabase(self, AuditWriter(writer=writer, audit_key=audit_key, randomness=randomness))

    def close(self) -> None:
        """Close the connections and release the lock."""
        self.reading.close()
        self.writing.close()
        if self._lock is not None:
            self._lock.close()


class SqliteDatabase:
    """A writing connection behind group commit, and a reading one that sees only what is durable."""

    def __init__(self, file: DatabaseFile, audit: AuditWriter) -> None:
        self._file = file
        self._writing = file.writing
        self._reading = file.reading
        self._apart = file.reading is not file.writing
        self._viewing = False
        self._group = GroupCommit(self._writing, audit, path=file.path, on_commit=self._end_view)

    async def act(self, act: Act, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- an act's own result
        """Run an act in the next commit group; see GroupCommit.act."""
        return await self._group.act(act, key=key)

    def read(self, statement: str, values: _Values) -> Any:  # noqa: ANN401 -- a row
        """Read at most one row, as `DatabaseFile.read` does."""
        self._view()
        return self._file.read(statement, values)

    def read_all(self, statement: str, values: _Values) -> list[Any]:
        """Read all rows of a statement that bounds itself."""
        self._view()
        return self._file.read_all(statement, values)

    async def read_apart(self, reading: Callable[[apsw.Connection], Any]) -> Any:  # noqa: ANN401 -- the reading's own
        """Read much, in a thread and on a connection of its own, so that nobody waits for it."""
        if self._file.path is None:
            return reading(self._reading)
        path = str(self._file.path)

        def read() -> Any:  # noqa: ANN401 -- as above
            connection = apsw.Connection(path, flags=apsw.SQLITE_OPEN_READONLY)
            try:
                return reading(connection)
            finally:
                connection.close()

        try:
            return await asyncio.to_thread(read)
        except (apsw.IOError, apsw.BusyError, apsw.CantOpenError, apsw.LockedError) as problem:
            raise StoreUnavailable(type(problem).__name__) from problem

    def feed_growth(self) -> asyncio.Future[None]:
        """Give the future that is done when the next commit has added to the revocation feed."""
        return self._group.feed_growth()

    async def close(self) -> None:
        """Finish what waits, close the file and release the lock."""
        await self._group.close()
        self._end_view()
        # In a thread: the last connection writes the log back into the file.
        await asyncio.to_thread(self._file.close)

    def _view(self) -> None:
        """Let the readings of this turn of the loop share one transaction: each of its own costs twice the reading.

        It ends with the turn, and before anybody is told of a commit: who knows of one sees it.
        """
        if not self._viewing and self._apart:
            if self._reading.in_transaction:  # a view that could not be ended shows the past
                self._reading.execute("ROLLBACK")
            self._reading.execute("BEGIN")
            self._viewing = True
            asyncio.get_running_loop().call_soon(self._end_view)

    def _end_view(self) -> None:
        if self._viewing:
            self._viewing = False
            self._reading.execute("COMMIT")


def open_database(
    path: Path | None, *, audit_key: bytes, writer: str, randomness: Randomness, demo: bool
) -> SqliteDatabase | StoreProblem:
    """Open the database at `path` where the audit's key is known beforehand; see `open_file`, `DatabaseFile.begin`."""
    file = open_file(path, randomness=randomness, demo=demo)
    if isinstance(file, StoreProblem):
        return file
    return file.begin(audit_key=audit_key, writer=writer, randomness=randomness)


def open_file(path: Path | None, *, randomness: Randomness, demo: bool) -> DatabaseFile | StoreProblem:
    """Open (and where it is new, make) the database at `path`, bringing its tables up to date; None is in memory.

    Leases of whoever had it open before are free. `demo`: marks a new file as the demo's.
    """
    if path is None:
        memory = apsw.Connection(":memory:")
        _configure(memory)
        apply_migrations(memory, randomness=randomness, demo=demo)
        return DatabaseFile(path=None, writing=memory, reading=memory, lock=None)
    lock = take_lock(path)
    if isinstance(lock, StoreProblem):
        return lock
    try:
        writing = apsw.Connection(str(path))
        _configure(writing)
        problem = apply_migrations(writing, randomness=randomness, demo=demo)
        if problem is None:
            # The file is this process's alone, so whoever had a lease in it died with its work half done.
            writing.execute(lease_sql.FREE_LEASES)
        reading = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reading.execute(f"PRAGMA cache_size = -{_READING_CACHE_KIB}")
        _keep_plans(reading)
    except apsw.Error as failure:
        lock.close()
        return StoreProblem(f"The database {path} cannot be opened: {failure}.")
    if problem is not None:
        lock.close()
        return StoreProblem(problem)
    return DatabaseFile(path=path, writing=writing, reading=reading, lock=lock)


def _configure(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    # FULL: what was answered survives a power loss; the group commit shares its price.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA cache_size = -{_WRITING_CACHE_KIB}")
    connection.execute("PRAGMA trusted_schema = OFF")
    _keep_plans(connection)


def _keep_plans(connection: apsw.Connection) -> None:
    # Else SQLite prepares a statement anew for each set of values, to look whether they deserve another plan: all of
    # ours have one, and the look costs four times what the reading of a row does.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)


def take_lock(path: Path) -> IO[bytes] | StoreProblem:
    """Hold the file for this process alone: two writers on one file gain nothing, and one of them starves."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock").open("ab")
        if not path.exists():
            # Password hashes lie in it, also where the directory is open to others; -wal and -shm take over the mode.
            path.touch(mode=0o600)
    except OSError as failure:
        return StoreProblem(
            f"The data directory {path.parent} cannot be written ({failure.strerror}): make it writable."
        )
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        return StoreProblem(
            f"Another Sealring process has the database {path} open. One process serves one SQLite file: "
            "stop the other one, or use its control socket (the same command with the same sealring.toml)."
        )
    if path.exists() and not os.access(path, os.W_OK):
        lock.close()
        return StoreProblem(f"The database {path} is not writable for this user.")
    return lock
