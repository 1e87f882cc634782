"""Log-outs that clients have not been told of, on SQLite."""

from collections.abc import Sequence

import apsw

from sealring.ports import LogoutNotice
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.rows.logout_notice import logout_notice_of
from sealring.storage.sql import logout_notice as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteLogoutNotices:
    """`ports.LogoutNoticeStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def list_due(self, *, now: Instant, limit: int) -> tuple[LogoutNotice, ...]:
        """List what is due, longest due first."""
        rows = self._database.read_all(sql.LIST_DUE, {"now": now, "limit": limit})
        return tuple(logout_notice_of(row) for row in rows)

    async def postpone(self, sid: str, *, due_at: Instant) -> None:
        """Count an attempt, and try again at an instant."""
        values = {"sid": sid, "due_at": due_at}

        def act(connection: apsw.Connection, _journal: Journal) -> None:
            connection.execute(sql.POSTPONE, values)

        await self._database.act(act, key=sid)

    async def close(self, sid: str, *, events: Sequence[AuditEvent]) -> None:
        """Be done with one."""

        def act(connection: apsw.Connection, journal: Journal) -> None:
            if connection.execute(sql.CLOSE, {"sid": sid}).get is not None:
                journal.record(events)

        await self._database.act(act, key=sid)
