"""Authorization codes on PostgreSQL."""

from collections.abc import Sequence

from sealring.ports import NewSession
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_code import AuthorizationCode, PresentedCode
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.session import open_session
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.authorization_code import code_row, presented_code_of
from sealring.storage.rows.session import session_row
from sealring.storage.sql import authorization_code as sql
from sealring.storage.sql import sso_session as sso_sql
from sealring.storage.sql import user as user_sql


class PostgresqlAuthorizationCodes:
    """`ports.AuthorizationCodeStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def add(self, code: AuthorizationCode, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Keep a code if its browser session, user and client stand as it says."""
        row = code_row(code) | {"now": now}

        async def act(transaction: Transaction, journal: Journal) -> bool:
            if await transaction.one(sql.ADD_CODE, row) is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=code.sub))

    async def find(self, digest: bytes, *, now: Instant) -> PresentedCode | None:
        """Read a code, spent or not."""
        row = await self._database.read(sql.FIND_CODE, {"digest": digest, "now": now})
        return None if row is None else presented_code_of(row)

    async def redeem(self, digest: bytes, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Spend a code and open its session in one act."""
        values = {"digest": digest, "sid": session.sid, "now": now}
        row = session_row(session) | {"now": now}

        async def act(transaction: Transaction, journal: Journal) -> bool:
            # Whoever ends the browser session or raises the epoch waits, and finds this session then.
            await transaction.all(user_sql.LOCK_PROVEN, {"subs": [session.sub]})
            await transaction.one(sso_sql.SHARE_SSO_SESSION, {"id": session.sso_id})
            if await transaction.one(sql.SPEND_CODE, values) is None:
                return False
            # False here alone where the session's epochs are not the code's: the code is spent then, for nothing.
            if not await open_session(transaction, row):
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=digest))

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete codes that expired before an instant."""

        async def act(transaction: Transaction, _journal: Journal) -> int:
            return await transaction.change(sql.FORGET_CODES, {"before": before, "limit": limit})

        return int(await self._database.act(act))
