"""One PostgreSQL database: a writing connection behind group commit, a pool that reads, its migrations (DESIGN §4)."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import asyncpg

from sealring.ports import StoreUnavailable
from sealring.protocol.secret import Randomness
from sealring.storage.migrations.apply_postgresql import apply_due, is_migrated, make_records
from sealring.storage.postgresql.audit_writer import AuditWriter
from sealring.storage.postgresql.feed_watch import FeedWatch
from sealring.storage.postgresql.group_commit import Act, Batch, GroupCommit
from sealring.storage.postgresql.recent_reads import RecentReads
from sealring.storage.postgresql.refusal import CONFLICTS, CUT, OUT_OF_REACH
from sealring.storage.postgresql.transaction import NO_VALUES, Transaction, Values
from sealring.storage.sql import revocation as revocation_sql
from sealring.storage.store_problem import StoreProblem

_MOST_READERS: Final = 8
_CONNECT_SECONDS: Final = 5
_ANSWER_SECONDS: Final = 30
_TRIES: Final = 20
_OPTIONS: Final[dict[str, Any]] = {
    "timeout": _CONNECT_SECONDS,
    "command_timeout": _ANSWER_SECONDS,
    # A replica lags behind, and would take a spent token for a good one (SECURITY A3).
    "target_session_attrs": "read-write",
    "server_settings": {
        "application_name": "sealring",
        "statement_timeout": f"{_ANSWER_SECONDS}s",
        "lock_timeout": "5s",
        # A node that stops in the middle of a transaction must not hold the feed's head for ever.
        "idle_in_transaction_session_timeout": "10s",
    },
}
_Read = TypeVar("_Read")


class DatabasePool:
    """Connections to a database that is up to date, and whose audit has no key yet.

    It can be read; of writing it knows the one act that gives the store its standing keys.
    """

    def __init__(self, url: str, pool: Any) -> None:  # noqa: ANN401 -- asyncpg's pool
        self._url = url
        self._pool = pool

    async def read(self, statement: str, values: Values = NO_VALUES) -> Any:  # noqa: ANN401 -- a row
        """Read at most one row."""
        return await _reading(self._pool, lambda transaction: transaction.one(statement, values))

    async def read_all(self, statement: str, values: Values = NO_VALUES) -> list[Any]:
        """Read all rows of a statement that bounds itself."""
        return await _reading(self._pool, lambda transaction: transaction.all(statement, values))

    @asynccontextmanager
    async def view(self) -> AsyncIterator[Transaction]:
        """Read much of one moment's store, on a connection of its own."""
        try:
            async with (
                self._pool.acquire(timeout=_CONNECT_SECONDS) as connection,
                connection.transaction(isolation="repeatable_read", readonly=True),
            ):
                yield Transaction(connection)
        except ValueError:
            raise
        except (*OUT_OF_REACH, *CUT) as problem:
            raise StoreUnavailable(type(problem).__name__) from problem

    async def write(self, act: Callable[[Transaction], Awaitable[None]]) -> StoreProblem | None:
        """Run statements in one transaction, before the writer begins."""
        try:
            async with self._pool.acquire(timeout=_CONNECT_SECONDS) as connection, connection.transaction():
                await act(Transaction(connection))
        except _REFUSED as failure:
            return StoreProblem(_sentence(failure, name=database_name(self._url)))
        return None

    def begin(self, *, audit_key: bytes, writer: str, randomness: Randomness) -> "PostgresqlDatabase":
        """Begin to write. `writer`: the name of this run of this node in the audit; `audit_key`: of its chain."""
        return PostgresqlDatabase(self, AuditWriter(writer=writer, audit_key=audit_key, randomness=randomness))

    async def connect(self) -> Any:  # noqa: ANN401 -- asyncpg's connection
        """Open a connection beside the pool. Raises StoreUnavailable."""
        try:
            return await asyncpg.connect(self._url, **_OPTIONS)
        except _REFUSED as failure:
            raise StoreUnavailable(type(failure).__name__) from failure

    async def close(self) -> None:
        """Close the connections."""
        try:
            await asyncio.wait_for(self._pool.close(), timeout=_CONNECT_SECONDS)
        except TimeoutError:
            self._pool.terminate()


class PostgresqlDatabase:
    """What the nouns of the store ask: acts go to the writer, reads to the pool, both on the primary."""

    def __init__(self, pool: DatabasePool, audit: AuditWriter) -> None:
        self._pool = pool
        self.watch = FeedWatch(self._read_feed_number)
        self._group = GroupCommit(pool.connect, audit, tell_feed_growth=self._tell_feed_growth)
        self._recent: list[RecentReads[Any]] = []

    def keep_recent(self, read: Callable[[str], Awaitable[_Read | None]]) -> RecentReads[_Read]:
        """Keep what `read` finds for a moment, as long as this node ends nothing, which may raise a client's epoch."""
        kept = RecentReads(read, monotonic=time.monotonic)
        self._recent.append(kept)
        return kept

    async def act(self, act: Act, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- an act's own result
        """Run an act in a transaction of its own; see GroupCommit.act."""
        return await self._group.act(act, key=key)

    async def join(self, batch: Batch, value: Any, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- as above
        """Join the next run of a batch; see GroupCommit.join."""
        return await self._group.join(batch, value, key=key)

    async def read(self, statement: str, values: Values = NO_VALUES) -> Any:  # noqa: ANN401 -- a row
        """Read at most one row."""
        return await self._pool.read(statement, values)

    async def read_all(self, statement: str, values: Values = NO_VALUES) -> list[Any]:
        """Read all rows of a statement that bounds itself."""
        return await self._pool.read_all(statement, values)

    def view(self) -> AbstractAsyncContextManager[Transaction]:
        """Read much of one moment's store; see `DatabasePool.view`."""
        return self._pool.view()

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._group.close()
        await self.watch.close()
        await self._pool.close()

    def _tell_feed_growth(self) -> None:
        self.watch.tell()
        for kept in self._recent:
            kept.forget()

    async def _read_feed_number(self) -> int:
        _, number, _ = await self.read(revocation_sql.FIND_HEAD)
        return int(number)


async def open_database(
    url: str, *, audit_key: bytes, writer: str, randomness: Randomness, demo: bool
) -> PostgresqlDatabase | StoreProblem:
    """Open a database where the audit's key is known beforehand; see `open_pool`, `DatabasePool.begin`."""
    pool = await open_pool(url, randomness=randomness, demo=demo)
    if isinstance(pool, StoreProblem):
        return pool
    return pool.begin(audit_key=audit_key, writer=writer, randomness=randomness)


async def open_pool(url: str, *, randomness: Randomness, demo: bool) -> DatabasePool | StoreProblem:
    """Connect to a database and bring its tables up to date. `demo`: marks a new one as the demo's."""
    name = database_name(url)
    try:
        problem = await _migrate(url, randomness=randomness, demo=demo)
        if problem is not None:
            return StoreProblem(f"The database {name}: {problem}")
        pool = await asyncpg.create_pool(url, min_size=1, max_size=_MOST_READERS, reset=_leave_as_it_is, **_OPTIONS)
    except (*_REFUSED, ValueError) as failure:
        return StoreProblem(_sentence(failure, name=name))
    return DatabasePool(url, pool)


async def _reading(pool: Any, read: Callable[[Transaction], Awaitable[_Read]]) -> _Read:  # noqa: ANN401 -- asyncpg's pool
    """Read; again on another connection where this one had been cut, which shows only when it is used."""
    try:
        for _ in range(_MOST_READERS):
            async with pool.acquire(timeout=_CONNECT_SECONDS) as connection:
                try:
                    return await read(Transaction(connection))
                except ValueError:  # no text or number that PostgreSQL could be asked for
                    raise
                except CUT:
                    with suppress(asyncpg.InterfaceError):  # it has left the pool by itself
                        connection.terminate()
    except OUT_OF_REACH as problem:
        raise StoreUnavailable(type(problem).__name__) from problem
    raise StoreUnavailable("every connection to the database was cut")


async def _migrate(url: str, *, randomness: Randomness, demo: bool) -> str | None:
    connection = await asyncpg.connect(url, **_OPTIONS)
    transaction = Transaction(connection)
    try:
        for tries in range(_TRIES):
            migrated = await is_migrated(transaction)
            if isinstance(migrated, str):
                return migrated
            if migrated:
                return None
            try:
                with suppress(*_MADE_AT_ONCE):
                    await make_records(transaction)
                async with connection.transaction():
                    return await apply_due(transaction, randomness=randomness, demo=demo)
            except (*CONFLICTS, asyncpg.LockNotAvailableError):
                # Another node is at it: look again what is left.
                await asyncio.sleep(0.02 * tries)
        return "other nodes were changing its tables again and again. Try again."
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)


_REFUSED: Final = (*OUT_OF_REACH, *CUT, asyncpg.PostgresError)
_MADE_AT_ONCE: Final = (asyncpg.UniqueViolationError, asyncpg.DuplicateTableError, asyncpg.DuplicateObjectError)


async def _leave_as_it_is(_connection: Any) -> None:  # noqa: ANN401 -- asyncpg's connection
    """Readers change nothing of their connection, so nothing is asked of it when they give it back."""


def database_name(url: str) -> str:
    """Name a database by its URL without user, password and options."""
    try:
        parts = urlsplit(url)
        return f"{parts.path.lstrip('/') or '(by default)'} on {parts.netloc.rpartition('@')[2] or 'this machine'}"
    except ValueError:
        return "(its URL cannot be read)"


def _sentence(failure: Exception, *, name: str) -> str:
    match failure:
        case asyncpg.InvalidAuthorizationSpecificationError():
            return (
                f"The database {name} refuses the user ({failure}): set user and password in the URL, "
                "or the password in a file that PGPASSFILE names."
            )
        case asyncpg.InvalidCatalogNameError():
            return f"There is no database {name}: make it with `createdb`, or correct `database`."
        case asyncpg.InsufficientPrivilegeError():
            return (
                f"The database {name} lacks tables of this version, and this user may not make them ({failure}): "
                "run `sealring migrate` once with the URL of a user who may."
            )
        case asyncpg.TargetServerAttributeNotMatched():
            return f"The database {name} is a read-only replica: `database` must name the primary."
        case asyncpg.InterfaceError() | ValueError():
            # Its message may repeat parts of the URL, and so the password.
            return "The setting `database` is no URL of PostgreSQL: write postgresql://USER@HOST:PORT/DATABASE."
        case OSError() | asyncpg.PostgresConnectionError() | asyncpg.OperatorInterventionError():
            reason = str(failure) or type(failure).__name__
            return f"The database {name} cannot be reached ({reason}): is PostgreSQL running there?"
        case _:
            return f"The database {name} cannot be used: {failure}."
