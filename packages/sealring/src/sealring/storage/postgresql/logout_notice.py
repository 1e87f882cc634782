"""Log-outs that clients have not been told of, on PostgreSQL."""

from collections.abc import Sequence

from sealring.ports import LogoutNotice
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.logout_notice import logout_notice_of
from sealring.storage.sql import logout_notice as sql


class PostgresqlLogoutNotices:
    """`ports.LogoutNoticeStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def list_due(self, *, now: Instant, limit: int) -> tuple[LogoutNotice, ...]:
        """List what is due, longest due first."""
        rows = await self._database.read_all(sql.LIST_DUE, {"now": now, "limit": limit})
        return tuple(logout_notice_of(row) for row in rows)

    async def postpone(self, sid: str, *, due_at: Instant) -> None:
        """Count an attempt, and try again at an instant."""
        values = {"sid": sid, "due_at": due_at}

        async def act(transaction: Transaction, _journal: Journal) -> None:
            await transaction.change(sql.POSTPONE, values)

        await self._database.act(act, key=sid)

    async def close(self, sid: str, *, events: Sequence[AuditEvent]) -> None:
        """Be done with one."""

        async def act(transaction: Transaction, journal: Journal) -> None:
            if await transaction.one(sql.CLOSE, {"sid": sid}) is not None:
                journal.record(events)

        await self._database.act(act, key=sid)
