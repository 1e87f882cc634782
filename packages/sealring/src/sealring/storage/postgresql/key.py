"""Keys on PostgreSQL."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from sealring.ports import KeyChange, KeyStock
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.revocation import Revocation
from sealring.protocol.standing_key import StandingKey
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import DatabasePool, PostgresqlDatabase
from sealring.storage.postgresql.session import end_everything
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.key import key_of, key_row
from sealring.storage.rows.revocation import revocation_of_session
from sealring.storage.sql import key as sql
from sealring.storage.sql import session as session_sql
from sealring.storage.store_problem import StoreProblem

_REASON: Final = "key_withdrawn"
_MOST_ENTRIES: Final = 1000


class PostgresqlKeys:
    """`ports.KeyStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def version(self) -> int:
        """Read the number that every change raises."""
        (version,) = await self._database.read(sql.FIND_VERSION)
        return int(version)

    async def stock(self) -> KeyStock:
        """Read all keys."""
        return await read_key_stock(self._database)

    async def change(self, change: KeyChange, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Write a change, and end what it ends; None where the keys were changed since. Returns sessions ended."""

        async def act(transaction: Transaction, journal: Journal) -> int | None:
            if await transaction.one(sql.RAISE_VERSION, {"version": change.version}) is None:
                return None
            for key in change.keys:
                await transaction.change(sql.WRITE_KEY, key_row(key))
            await transaction.change_each(sql.WRITE_STANDING_KEY, map(msgspec.structs.asdict, change.standing))
            journal.revoke([Revocation(kind="kid", value=kid, at=now) for kid in change.withdrawn])
            if change.ends_everything:
                ended = await end_everything(transaction, journal, reason=_REASON, now=now)
            else:
                ended = await _end_sessions_of(transaction, journal, change.ended_mac_key_ids, now=now)
            journal.record(events)
            return ended

        result = await self._database.act(act, key="keys")
        return None if result is None else int(result)


async def read_key_stock(database: PostgresqlDatabase | DatabasePool) -> KeyStock:
    """Read all keys, also of a database that is not written yet."""
    # The number first: a change that comes in between makes the keys newer than it, and is refused by it.
    version = int((await database.read(sql.FIND_VERSION))[0])
    standing = await database.read_all(sql.LIST_STANDING_KEYS)
    return KeyStock(
        version=version,
        keys=tuple(key_of(row) for row in await database.read_all(sql.LIST_KEYS)),
        standing=tuple(StandingKey(purpose=purpose, sealed=sealed) for purpose, sealed in standing),
    )


async def add_standing_keys(
    pool: DatabasePool, keys: Iterable[StandingKey], *, beside: Iterable[StoredKey] = (), version: int
) -> StoreProblem | None:
    """Give a store standing keys that it lacks, before its audit begins, so in no event.

    `beside`: keys that turn, which come with them. Nothing is written where the keys were changed since they were read
    as `version`: another node was quicker.
    """

    async def act(transaction: Transaction) -> None:
        if await transaction.one(sql.RAISE_VERSION, {"version": version}) is not None:
            await transaction.change_each(sql.WRITE_STANDING_KEY, map(msgspec.structs.asdict, keys))
            await transaction.change_each(sql.WRITE_KEY, map(key_row, beside))

    return await pool.write(act)


async def _end_sessions_of(
    transaction: Transaction, journal: Journal, mac_key_ids: Iterable[int], *, now: Instant
) -> int:
    ended: list[tuple[str, str]] = []
    for mac_key_id in mac_key_ids:
        values = {"mac_key_id": mac_key_id, "reason": _REASON, "now": now}
        await transaction.one(session_sql.LOCK_SESSIONS_OF_MAC_KEY, values)
        ended += await transaction.all(session_sql.END_SESSIONS_OF_MAC_KEY, values)
    if len(ended) > _MOST_ENTRIES:
        # Entries by the thousand would crowd the feed out (SECURITY B5): epochs say it in one entry a client.
        return len(ended) + await end_everything(transaction, journal, reason=_REASON, now=now)
    journal.revoke([revocation_of_session(sid, resources, now=now) for sid, resources in ended])
    return len(ended)
