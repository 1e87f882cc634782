"""What the store knows about itself, on PostgreSQL."""

from collections.abc import Iterable, Sequence

import msgspec

from sealring.ports import StoreIdentity
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, ServiceInstant
from sealring.protocol.standing_key import StandingKey
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import DatabasePool, PostgresqlDatabase
from sealring.storage.postgresql.session import end_everything
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.sql import audit_event as audit_sql
from sealring.storage.sql import key as key_sql
from sealring.storage.sql import store_state as sql


class PostgresqlState:
    """`ports.StateStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        return await read_identity(self._database)

    async def beat(self, service_now: ServiceInstant) -> None:
        """Move the kept service clock forward; never back."""

        async def act(transaction: Transaction, _journal: Journal) -> None:
            await transaction.change(sql.BEAT, {"service_now": service_now})

        await self._database.act(act)

    async def clock(self) -> Instant | None:
        """Read the wall clock of the database's machine."""
        return await read_clock(self._database)

    async def recover(self, incarnation: bytes, *, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Begin a new incarnation: raise all epochs, end all sessions; return how many lived."""

        async def act(transaction: Transaction, journal: Journal) -> int:
            ended = await end_everything(transaction, journal, reason="store_recovered", now=now)
            # In the order in which others take them: the head of the feed lies in this row.
            await transaction.one(audit_sql.LOCK_POSITION)
            await transaction.change(sql.REPLACE_INCARNATION, {"incarnation": incarnation})
            journal.record(events)
            return ended

        return int(await self._database.act(act))

    async def copy_to(self, path: str) -> str | None:
        """Say which tool writes a copy: PostgreSQL's own."""
        return f"A PostgreSQL database is copied by its own tool: pg_dump --format=custom --file={path} DATABASE."

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last, as its registration tells."""
        return await read_former_issuer(self._database)

    async def destroy_keys(self, standing: Iterable[StandingKey], *, events: Sequence[AuditEvent]) -> None:
        """Destroy all keys and all administrator links; `standing` take the place of the standing keys."""
        rows = [msgspec.structs.asdict(key) for key in standing]

        async def act(transaction: Transaction, journal: Journal) -> None:
            await transaction.change(sql.DESTROY_KEYS)
            await transaction.change(sql.DESTROY_STANDING_KEYS)
            await transaction.change_each(key_sql.WRITE_STANDING_KEY, rows)
            await transaction.change(sql.DESTROY_LINKS)
            journal.record(events)

        await self._database.act(act)


async def read_identity(database: PostgresqlDatabase | DatabasePool) -> StoreIdentity:
    """Read which store this is, also of a database that is not written yet."""
    incarnation, feed_number, service_clock, demo = await database.read(sql.FIND_STATE)
    return StoreIdentity(incarnation=incarnation, feed_number=feed_number, service_now=service_clock, demo=bool(demo))


async def read_former_issuer(database: PostgresqlDatabase | DatabasePool) -> str | None:
    """Name the issuer under which the store was served last, also of a database that is not written yet."""
    row = await database.read(sql.FIND_FORMER_ISSUER)
    return None if row is None else str(row[0])


async def read_clock(database: PostgresqlDatabase | DatabasePool) -> Instant:
    """Read the wall clock of the database's machine, also of a database that is not written yet."""
    (now,) = await database.read(sql.FIND_CLOCK)
    return Instant(now)
