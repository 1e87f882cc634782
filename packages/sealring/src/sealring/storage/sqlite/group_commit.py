"""Group commit (SECURITY A8): acts that arrive together share one transaction, durable before any answer leaves.

Statements run on the event loop, where they cost microseconds; only COMMIT, which waits for the disk, runs in a thread.
Meanwhile the next batch gathers. An act that raises, or a COMMIT that fails, undoes the batch, and its halves are tried
again, down to single acts, so that only the guilty one fails: among 256 acts it costs the others eight commits.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

import apsw

from sealring.ports import StoreUnavailable
from sealring.storage.journal import Journal
from sealring.storage.sqlite.audit_writer import AuditWriter
from sealring.storage.sqlite.revocation_writer import write_revocations

_LARGEST_BATCH: Final = 256


Act = Callable[[apsw.Connection, Journal], Any]
"""The statements of one act. It may be run again from the start, so it keeps nothing outside the connection."""


class _Waiting:
    __slots__ = ("act", "future", "key")

    def __init__(self, key: str | bytes | None, act: Act, future: asyncio.Future[Any]) -> None:
        self.key = key
        self.act = act
        self.future = future


class GroupCommit:
    """Runs acts on the one writing connection of a file.

    `commit_in_thread`: False for a database in memory, whose readers share the connection.
    """

    def __init__(self, connection: apsw.Connection, audit: AuditWriter, *, commit_in_thread: bool) -> None:
        self._connection = connection
        self._audit = audit
        self._thread = ThreadPoolExecutor(1, "commit") if commit_in_thread else None
        self._waiting: list[_Waiting] = []
        self._batch: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False
        self._feed_growth: asyncio.Future[None] | None = None

    async def act(self, act: Act, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- an act's own result
        """Run `act` and return its result once it is durable.

        `key`: of the family, user or client that it touches: in one batch each occurs once, the second waits for the
        next. Raises StoreUnavailable where the disk or the file refuses.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(key, act, future))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
            self._running.add_done_callback(self._abandon)
        return await future

    async def close(self) -> None:
        """Finish what waits and take nothing more."""
        self._closed = True
        if self._running is not None:
            # Not awaited itself: whoever gives up closing shall not cancel the acts that still wait.
            await asyncio.wait([self._running])
        if self._thread is not None:
            self._thread.shutdown()

    def feed_growth(self) -> asyncio.Future[None]:
        """Give the future that is done when the next commit has added to the feed; all who wait share it."""
        if self._feed_growth is None:
            self._feed_growth = asyncio.get_running_loop().create_future()
        return self._feed_growth

    async def _run(self) -> None:
        while self._waiting:
            self._batch = self._take_batch()
            if self._batch:
                await self._run_batch(self._batch)
        # Here, not in a callback: an act that comes after the last look at `_waiting` must find nobody running.
        self._batch, self._running = [], None

    def _abandon(self, running: asyncio.Task[None]) -> None:
        """Answer those who wait for a runner that was killed before its end, so that nobody waits for ever."""
        if self._running is not running:
            return
        abandoned = [*self._batch, *self._waiting]
        self._batch, self._waiting, self._running = [], [], None
        for waiting in abandoned:
            _fail(waiting.future, StoreUnavailable("the writer was interrupted"))

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        later: list[_Waiting] = []
        keys: set[str | bytes] = set()
        for waiting in self._waiting:
            if waiting.future.done():  # the caller went away: its act is not begun
                continue
            if len(batch) == _LARGEST_BATCH or waiting.key in keys:
                later.append(waiting)
                continue
            if waiting.key is not None:
                keys.add(waiting.key)
            batch.append(waiting)
        self._waiting = later
        return batch

    async def _run_batch(self, batch: list[_Waiting]) -> None:
        try:
            results = await self._transact([waiting.act for waiting in batch])
        except Exception as problem:  # noqa: BLE001 -- whatever it was, only the guilty act shall feel it
            if len(batch) == 1:
                _fail(batch[0].future, problem)
                return
            half = len(batch) // 2
            for part in (batch[:half], batch[half:]):
                present = [waiting for waiting in part if not waiting.future.done()]
                if present:
                    await self._run_batch(present)
            return
        for waiting, result in zip(batch, results, strict=True):
            if not waiting.future.done():
                waiting.future.set_result(result)

    async def _transact(self, acts: Sequence[Act]) -> list[Any]:
        connection, journal = self._connection, Journal()
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [act(connection, journal) for act in acts]
            head = self._audit.write(connection, journal.events)
            if journal.revocations:
                write_revocations(connection, journal.revocations)
            await self._commit()
        except BaseException:
            # SQLite has rolled back by itself after some errors (disk full, I/O); elsewhere we do.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._audit.adopt(head)
        if journal.revocations and self._feed_growth is not None:
            self._feed_growth.set_result(None)
            self._feed_growth = None
        return results

    async def _commit(self) -> None:
        if self._thread is None:
            self._connection.execute("COMMIT")
            return
        committing = asyncio.get_running_loop().run_in_executor(self._thread, self._connection.execute, "COMMIT")
        while not committing.done():
            # The connection belongs to the thread until COMMIT is over, and what it wrote must be told: a cancelled
            # runner finishes its work (when a loop ends, the callers are cancelled too, and nothing is left to do).
            with suppress(asyncio.CancelledError):
                await asyncio.wait([committing])
        committing.result()


def _fail(future: asyncio.Future[Any], problem: Exception) -> None:
    if future.done():
        return
    if isinstance(problem, _OUT_OF_REACH):
        unavailable = StoreUnavailable(type(problem).__name__)
        unavailable.__cause__ = problem
        future.set_exception(unavailable)
    else:
        future.set_exception(problem)


_OUT_OF_REACH = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.ReadOnlyError,
)
