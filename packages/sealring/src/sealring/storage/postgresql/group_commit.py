"""Group commit on PostgreSQL (SECURITY A8): one writing connection of a node, one transaction for many acts.

What arrives often joins a batch, which does the work of all its members by one statement over arrays. Everything else
is alone in its transaction, so that no act holds rows while another one waits for rows of its own. Whoever holds
several rows takes them in one order, on all nodes: the lock of names, users, browser sessions, clients, sessions by
key, the audit's head, the feed's head.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Final

import asyncpg
import msgspec

from sealring.ports import StoreUnavailable
from sealring.protocol.audit_chain import ChainHead
from sealring.storage.act_queue import ActQueue
from sealring.storage.journal import Journal
from sealring.storage.postgresql.audit_writer import AuditWriter
from sealring.storage.postgresql.refusal import CONFLICTS, CUT, OUT_OF_REACH
from sealring.storage.postgresql.revocation_writer import write_revocations
from sealring.storage.postgresql.transaction import Transaction

_MOST_CONFLICTS: Final = 8
_CONFLICT_SECONDS: Final = 0.005
_CLOSE_SECONDS: Final = 5

Act = Callable[[Transaction, Journal], Awaitable[Any]]
"""The statements of one act. It may be run again from the start, so it keeps nothing outside the transaction."""


class Batch(msgspec.Struct, frozen=True, eq=False):
    """What does the work of many callers at once. `run`: returns their results by position.

    `rank`: batches of one transaction run in this order, whoever came first, so that all nodes take rows in one order.
    """

    rank: int
    run: Callable[[Transaction, Journal, Sequence[Any]], Awaitable[list[Any]]]


class Member(msgspec.Struct, frozen=True, eq=False):
    """One caller's part of a batch."""

    batch: Batch
    value: Any


class GroupCommit:
    """Runs acts on the one writing connection of a node.

    `connect`: opens a connection, or raises StoreUnavailable. `tell_feed_growth`: called when a commit has added to the
    revocation feed.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Any]],
        audit: AuditWriter,
        *,
        tell_feed_growth: Callable[[], None],
    ) -> None:
        self._connect = connect
        self._audit = audit
        self._tell_feed_growth = tell_feed_growth
        self._connection: Any = None
        self._queue: ActQueue[Act | Member] = ActQueue(self._transact, out_of_reach=OUT_OF_REACH)

    async def act(self, act: Act, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- an act's own result
        """Run `act` in a transaction of its own and return its result once it is durable.

        `key`: as ActQueue has it. Raises StoreUnavailable where the database refuses or is gone: nothing happened then,
        or repeating is harmless.
        """
        return await self._queue.act(act, key=key, alone=True)

    async def join(self, batch: Batch, value: Any, *, key: str | bytes | None = None) -> Any:  # noqa: ANN401 -- as above
        """Add `value` to the next run of a batch and return its result once it is durable; else as `act`."""
        return await self._queue.act(Member(batch, value), key=key)

    async def close(self) -> None:
        """Finish what waits and take nothing more."""
        await self._queue.close()
        if self._connection is not None:
            with suppress(*CUT, OSError):  # nothing is under way on it
                await self._connection.close(timeout=_CLOSE_SECONDS)

    async def _transact(self, acts: Sequence[Act | Member]) -> list[Any]:
        lost = False
        for conflicts in range(_MOST_CONFLICTS):
            try:
                return await self._attempt(acts)
            except _LostBeforeCommit as problem:
                # Nothing happened. An idle connection may have been cut long ago, so one more is tried.
                if lost:
                    raise StoreUnavailable("the connection to the database is lost") from problem
                lost = True
            except CONFLICTS:
                await asyncio.sleep(_CONFLICT_SECONDS * 2**conflicts)
        raise StoreUnavailable("other nodes were in the way again and again")

    async def _attempt(self, acts: Sequence[Act | Member]) -> list[Any]:
        connection = await self._ready()
        transaction, journal = Transaction(connection), Journal()
        try:
            await transaction.script("BEGIN")
            results = await _run(acts, transaction, journal)
            head = await self._audit.write(transaction, journal.events)
            if journal.revocations:
                await write_revocations(transaction, journal.revocations)
        except Exception as problem:
            if not await self._roll_back(connection, problem):
                raise _LostBeforeCommit from problem
            raise
        except BaseException:
            self._drop(connection)
            raise
        await self._commit(connection, head)
        if journal.revocations:
            self._tell_feed_growth()
        return results

    async def _commit(self, connection: Any, head: ChainHead) -> None:  # noqa: ANN401 -- asyncpg's connection
        try:
            await connection.execute("COMMIT")
        except (*CONFLICTS, asyncpg.IntegrityConstraintViolationError):
            raise  # PostgreSQL has rolled back by itself
        except Exception as problem:
            self._drop(connection)
            before = self._audit.head
            # Resolved by reading, never by trying again: what was recorded stands in the chain or does not. An act that
            # records nothing is one that its caller may repeat.
            await self._ready()
            if head == before or self._audit.head != head:
                raise StoreUnavailable("the connection to the database was lost in COMMIT") from problem
        except BaseException:
            self._drop(connection)
            raise
        self._audit.adopt(head)

    async def _ready(self) -> Any:  # noqa: ANN401 -- asyncpg's connection
        """Return the connection; a new one begins by reading how far this node's chain has come."""
        if self._connection is None or self._connection.is_closed():
            connection = await self._connect()
            try:
                async with connection.transaction():
                    await self._audit.read_head(Transaction(connection))
            except BaseException as problem:
                connection.terminate()
                if isinstance(problem, (*OUT_OF_REACH, *CUT)):
                    raise StoreUnavailable(type(problem).__name__) from problem
                raise
            self._connection = connection
        return self._connection

    async def _roll_back(self, connection: Any, problem: Exception) -> bool:  # noqa: ANN401 -- as above
        """Undo what failed before COMMIT; False where the connection is lost, and the server undoes it."""
        if not connection.is_closed():
            try:
                # A database that did not answer in time is not asked for more.
                if not isinstance(problem, TimeoutError):
                    await connection.execute("ROLLBACK")
                    return True
            except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
                pass
        self._drop(connection)
        return isinstance(problem, TimeoutError)

    def _drop(self, connection: Any) -> None:  # noqa: ANN401 -- as above
        connection.terminate()
        self._connection = None


class _LostBeforeCommit(Exception):  # noqa: N818 -- a state of the connection
    """The connection is lost and nothing has happened."""


async def _run(acts: Sequence[Act | Member], transaction: Transaction, journal: Journal) -> list[Any]:
    """Run acts and batches; return the results in the order of `acts`."""
    results: list[Any] = [None] * len(acts)
    members: defaultdict[Batch, dict[int, Any]] = defaultdict(dict)
    for place, act in enumerate(acts):
        if isinstance(act, Member):
            members[act.batch][place] = act.value
        else:
            results[place] = await act(transaction, journal)
    for batch in sorted(members, key=lambda batch: batch.rank):
        values = members[batch]
        answers = await batch.run(transaction, journal, list(values.values()))
        for place, answer in zip(values, answers, strict=True):
            results[place] = answer
    return results
