"""Authorization codes on SQLite."""

from collections.abc import Sequence

import apsw

from sealring.ports import NewSession
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_code import AuthorizationCode, PresentedCode
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.rows.authorization_code import code_row, presented_code_of
from sealring.storage.rows.session import session_row
from sealring.storage.sql import authorization_code as sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteAuthorizationCodes:
    """`ports.AuthorizationCodeStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, code: AuthorizationCode, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Keep a code if its browser session, user and client stand as it says."""
        row = code_row(code) | {"now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.ADD_CODE, row).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=code.sub))

    async def find(self, digest: bytes, *, now: Instant) -> PresentedCode | None:
        """Read a code, spent or not."""
        row = self._database.read(sql.FIND_CODE, {"digest": digest, "now": now})
        return None if row is None else presented_code_of(row)

    async def redeem(self, digest: bytes, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Spend a code and open its session in one act."""
        values = {"digest": digest, "sid": session.sid, "now": now}
        row = session_row(session) | {"now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.SPEND_CODE, values).get is None:
                return False
            # False here alone where the session's epochs are not the code's: the code is spent then, for nothing.
            if connection.execute(session_sql.CREATE_SESSION, row).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=digest))

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete codes that expired before an instant."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_CODES, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))
