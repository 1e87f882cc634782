"""What the store knows about itself, on SQLite."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import apsw
import msgspec

from sealring.ports import StoreIdentity
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, ServiceInstant
from sealring.protocol.standing_key import StandingKey
from sealring.storage.journal import Journal
from sealring.storage.sql import key as key_sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sql import store_state as sql
from sealring.storage.sqlite.database import DatabaseFile, SqliteDatabase
from sealring.storage.sqlite.database_copy import write_copy
from sealring.storage.sqlite.session import raise_all_epochs
from sealring.storage.store_problem import StoreProblem


class SqliteState:
    """`ports.StateStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        return read_identity(self._database)

    async def beat(self, service_now: ServiceInstant) -> None:
        """Move the kept service clock forward; never back."""

        def act(connection: apsw.Connection, _journal: Journal) -> None:
            connection.execute(sql.BEAT, {"service_now": service_now})

        await self._database.act(act)

    async def clock(self) -> Instant | None:
        """Say that there is no other machine."""
        return None

    async def recover(self, incarnation: bytes, *, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Begin a new incarnation: raise all epochs, end all sessions; return how many lived."""
        values = {"incarnation": incarnation, "now": now, "reason": "store_recovered"}

        def act(connection: apsw.Connection, journal: Journal) -> int:
            ended = len(connection.execute(session_sql.END_ALL_SESSIONS, values).fetchall())
            raise_all_epochs(connection, journal, now=now)
            connection.execute(sql.REPLACE_INCARNATION, values)
            journal.record(events)
            return ended

        return int(await self._database.act(act))

    async def copy_to(self, path: str) -> str | None:
        """Write a whole copy of the store to a new private file, off the event loop."""
        problem: StoreProblem | None = await self._database.read_apart(lambda reading: write_copy(reading, Path(path)))
        return None if problem is None else problem.sentence

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last, as its registration tells."""
        return read_former_issuer(self._database)

    async def destroy_keys(self, standing: Iterable[StandingKey], *, events: Sequence[AuditEvent]) -> None:
        """Destroy all keys and all administrator links; `standing` take the place of the standing keys."""

        def act(connection: apsw.Connection, journal: Journal) -> None:
            connection.execute(sql.DESTROY_KEYS)
            connection.execute(sql.DESTROY_STANDING_KEYS)
            for key in standing:
                connection.execute(key_sql.WRITE_STANDING_KEY, msgspec.structs.asdict(key))
            connection.execute(sql.DESTROY_LINKS)
            journal.record(events)

        await self._database.act(act)


def read_identity(database: SqliteDatabase | DatabaseFile) -> StoreIdentity:
    """Read which store this is, also of a file that is not written yet."""
    incarnation, feed_number, service_clock, demo = database.read(sql.FIND_STATE, {})
    return StoreIdentity(incarnation=incarnation, feed_number=feed_number, service_now=service_clock, demo=bool(demo))


def read_former_issuer(database: SqliteDatabase | DatabaseFile) -> str | None:
    """Name the issuer under which the store was served last, also of a file that is not written yet."""
    row = database.read(sql.FIND_FORMER_ISSUER, {})
    return None if row is None else str(row[0])
