"""Consents on PostgreSQL."""

from collections.abc import Sequence

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.consent import Consent
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.session import hold_subject
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.consent import consent_of, consent_row
from sealring.storage.rows.revocation import revocation_of_session
from sealring.storage.sql import consent as sql
from sealring.storage.sql import session as session_sql


class PostgresqlConsents:
    """`ports.ConsentStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def find(self, sub: str, client_id: str, redirect_uri: str) -> Consent | None:
        """Read one."""
        values = {"sub": sub, "client_id": client_id, "redirect_uri": redirect_uri}
        row = await self._database.read(sql.FIND_CONSENT, values)
        return None if row is None else consent_of(row)

    async def keep(self, consent: Consent, *, events: Sequence[AuditEvent]) -> None:
        """Remember one in the place of what stood there."""

        async def act(transaction: Transaction, journal: Journal) -> None:
            await transaction.change(sql.KEEP_CONSENT, consent_row(consent))
            journal.record(events)

        await self._database.act(act, key=consent.sub)

    async def list_of(self, sub: str) -> tuple[Consent, ...]:
        """List what a person allowed."""
        return tuple(consent_of(row) for row in await self._database.read_all(sql.LIST_CONSENTS, {"sub": sub}))

    async def withdraw(self, sub: str, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Forget a client's consents of a person and end their sessions."""
        values = {"sub": sub, "client_id": client_id, "reason": "consent_withdrawn", "now": now}

        async def act(transaction: Transaction, journal: Journal) -> int | None:
            if not await transaction.all(sql.WITHDRAW_CONSENTS, values):
                return None
            await hold_subject(transaction, sub)
            ended = await transaction.all(session_sql.END_SESSIONS_OF_CONSENT, values)
            journal.revoke(revocation_of_session(str(sid), str(resources), now=now) for sid, resources in ended)
            journal.record(events)
            return len(ended)

        count: int | None = await self._database.act(act, key=sub)
        return count
