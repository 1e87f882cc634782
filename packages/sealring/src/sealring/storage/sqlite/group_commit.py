"""Group commit (SECURITY A8): acts that arrive together share one transaction, durable before any answer leaves.

Statements run on the event loop, where they cost microseconds; only COMMIT, which waits for the disk, runs in a thread.
Meanwhile the next batch gathers. An act that raises, or a COMMIT that fails, undoes the batch.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from sealring.storage.act_queue import ActQueue
from sealring.storage.journal import Journal
from sealring.storage.sqlite.audit_writer import AuditWriter
from sealring.storage.sqlite.checkpoint import Checkpoints
from sealring.storage.sqlite.revocation_writer import write_revocations

Act = Callable[[apsw.Connection, Journal], Any]
"""The statements of one act. It may be run again from the start, so it keeps nothing outside the connection."""


class GroupCommit:
    """Runs acts on the one writing connection of a file.

    `path`: of the file; None for a database in memory, whose readers share the connection. `on_commit`: called after
    each commit, before anybody is told of it.
    """

    def __init__(
        self, connection: apsw.Connection, audit: AuditWriter, *, path: Path | None, on_commit: Callable[[], None]
    ) -> None:
        self._connection = connection
        self._audit = audit
        self._on_commit = on_commit
        self._thread = None if path is None else ThreadPoolExecutor(1, "commit")
        self._checkpoints = None if path is None else Checkpoints(path, writing=connection)
        self._queue: ActQueue[Act] = ActQueue(self._transact, out_of_reach=_OUT_OF_REACH)
        self._feed_growth: asyncio.Future[None] | None = None

    async def act(self, act: Act, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- an act's own result
        """Run `act` and return its result once it is durable.

        `key`: of the family, user or client that it touches: in one batch each occurs once, the second waits for the
        next. Raises StoreUnavailable where the disk or the file refuses.
        """
        return await self._queue.act(act, key=key)

    async def close(self) -> None:
        """Finish what waits and take nothing more."""
        await self._queue.close()
        if self._checkpoints is not None:
            await self._checkpoints.close()
        if self._thread is not None:
            self._thread.shutdown()

    def feed_growth(self) -> asyncio.Future[None]:
        """Give the future that is done when the next commit has added to the feed; all who wait share it."""
        if self._feed_growth is None:
            self._feed_growth = asyncio.get_running_loop().create_future()
        return self._feed_growth

    async def _transact(self, acts: Sequence[Act]) -> list[Any]:
        connection, journal = self._connection, Journal()
        if self._checkpoints is not None and self._checkpoints.is_due:
            await self._in_thread(self._checkpoints.finish)
            # A view of before would keep the log from its start; one that begins now reads the file alone.
            self._on_commit()
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [act(connection, journal) for act in acts]
            head = self._audit.write(connection, journal.events)
            if journal.revocations:
                write_revocations(connection, journal.revocations)
            await self._in_thread(self._commit)
        except BaseException:
            # SQLite has rolled back by itself after some errors (disk full, I/O); elsewhere we do.
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        self._audit.adopt(head)
        self._on_commit()
        if self._checkpoints is not None:
            self._checkpoints.note(len(acts))
        if journal.revocations and self._feed_growth is not None:
            self._feed_growth.set_result(None)
            self._feed_growth = None
        return results

    async def _in_thread(self, work: Callable[[], object]) -> None:
        """Do what waits for the disk."""
        if self._thread is None:
            work()
            return
        working = asyncio.get_running_loop().run_in_executor(self._thread, work)
        while not working.done():
            # The connection belongs to the thread until it is done, and what a COMMIT wrote must be told: a cancelled
            # runner finishes its work (when a loop ends, the callers are cancelled too, and nothing is left to do).
            with suppress(asyncio.CancelledError):
                await asyncio.wait([working])
        working.result()

    def _commit(self) -> None:
        self._connection.execute("COMMIT")


_OUT_OF_REACH = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.FullError,
    apsw.IOError,
    apsw.LockedError,
    apsw.ReadOnlyError,
)
