"""Keys on SQLite."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import apsw
import msgspec

from sealring.ports import KeyChange, KeyStock
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.revocation import Revocation
from sealring.protocol.standing_key import StandingKey
from sealring.storage.journal import Journal
from sealring.storage.rows.key import key_of, key_row
from sealring.storage.rows.revocation import revocation_of_session
from sealring.storage.sql import key as sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sqlite.database import DatabaseFile, SqliteDatabase
from sealring.storage.sqlite.session import raise_all_epochs
from sealring.storage.store_problem import StoreProblem

_REASON: Final = "key_withdrawn"
_MOST_ENTRIES: Final = 1000


class SqliteKeys:
    """`ports.KeyStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def version(self) -> int:
        """Read the number that every change raises."""
        return int(self._database.read(sql.FIND_VERSION, {})[0])

    async def stock(self) -> KeyStock:
        """Read all keys."""
        return read_key_stock(self._database)

    async def change(self, change: KeyChange, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Write a change, and end what it ends; None where the keys were changed since. Returns sessions ended."""

        def act(connection: apsw.Connection, journal: Journal) -> int | None:
            if connection.execute(sql.RAISE_VERSION, {"version": change.version}).get is None:
                return None
            for key in change.keys:
                connection.execute(sql.WRITE_KEY, key_row(key))
            for standing in change.standing:
                connection.execute(sql.WRITE_STANDING_KEY, msgspec.structs.asdict(standing))
            journal.revoke([Revocation(kind="kid", value=kid, at=now) for kid in change.withdrawn])
            if change.ends_everything:
                ended = _end_everything(connection, journal, now=now)
            else:
                ended = _end_sessions_of(connection, journal, change.ended_mac_key_ids, now=now)
            journal.record(events)
            return ended

        result = await self._database.act(act, key="keys")
        return None if result is None else int(result)


def read_key_stock(database: SqliteDatabase | DatabaseFile) -> KeyStock:
    """Read all keys, also of a file that is not written yet."""
    # The number first: a change that comes in between makes the keys newer than it, and is refused by it.
    version = int(database.read(sql.FIND_VERSION, {})[0])
    standing = database.read_all(sql.LIST_STANDING_KEYS, {})
    return KeyStock(
        version=version,
        keys=tuple(key_of(row) for row in database.read_all(sql.LIST_KEYS, {})),
        standing=tuple(StandingKey(purpose=purpose, sealed=sealed) for purpose, sealed in standing),
    )


def add_standing_keys(
    file: DatabaseFile, keys: Iterable[StandingKey], *, beside: Iterable[StoredKey] = (), version: int
) -> StoreProblem | None:
    """Give a store standing keys that it lacks, before its audit begins, so in no event.

    `beside`: keys that turn, which come with them. Nothing is written where the keys were changed since they were read
    as `version`.
    """
    try:
        with file.writing:
            if file.writing.execute(sql.RAISE_VERSION, {"version": version}).get is not None:
                file.writing.executemany(sql.WRITE_STANDING_KEY, [msgspec.structs.asdict(key) for key in keys])
                file.writing.executemany(sql.WRITE_KEY, [key_row(key) for key in beside])
    except apsw.Error as failure:
        return StoreProblem(f"The database {file.path} cannot be written: {failure}.")
    return None


def _end_sessions_of(connection: apsw.Connection, journal: Journal, mac_key_ids: Iterable[int], *, now: Instant) -> int:
    ended: list[tuple[Any, ...]] = []
    for mac_key_id in mac_key_ids:
        values = {"mac_key_id": mac_key_id, "reason": _REASON, "now": now}
        ended += connection.execute(session_sql.END_SESSIONS_OF_MAC_KEY, values).fetchall()
    if len(ended) > _MOST_ENTRIES:
        # Entries by the thousand would crowd the feed out (SECURITY B5): epochs say it in one entry a client.
        return len(ended) + _end_everything(connection, journal, now=now)
    journal.revoke([revocation_of_session(sid, resources, now=now) for sid, resources in ended])
    return len(ended)


def _end_everything(connection: apsw.Connection, journal: Journal, *, now: Instant) -> int:
    ended = len(connection.execute(session_sql.END_ALL_SESSIONS, {"now": now, "reason": _REASON}).fetchall())
    raise_all_epochs(connection, journal, now=now)
    return ended
