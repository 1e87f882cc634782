"""Browser sessions on SQLite."""

from collections.abc import Sequence

import apsw

from sealring.ports import EndedSession
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.sso_session import SsoProof, SsoSession
from sealring.storage.journal import Journal
from sealring.storage.rows.revocation import revocation_of_session
from sealring.storage.rows.sso_session import proof_row, sso_session_of, sso_session_row
from sealring.storage.sql import session as session_sql
from sealring.storage.sql import sso_session as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteSsoSessions:
    """`ports.SsoSessionStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def create(self, session: SsoSession, *, digest: bytes, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Open one if its user still stands under the epoch."""
        row = sso_session_row(session, digest=digest) | {"now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.CREATE_SSO_SESSION, row).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=session.sub))

    async def find(self, digest: bytes, *, now: Instant) -> SsoSession | None:
        """Read a live one by its cookie."""
        row = self._database.read(sql.FIND_SSO_SESSION, {"digest": digest, "now": now})
        return None if row is None else sso_session_of(row)

    async def prove(self, id: str, proof: SsoProof, *, now: Instant, events: Sequence[AuditEvent]) -> bool:  # noqa: A002 -- the noun
        """Carry a live one over to a new proof of the same person."""
        values = proof_row(proof) | {"id": id, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.PROVE_SSO_SESSION, values).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=id))

    async def touch(self, id: str, *, idle_expires_at: Instant, now: Instant) -> None:  # noqa: A002 -- the noun
        """Note that a live one was used."""
        values = {"id": id, "idle_expires_at": idle_expires_at, "now": now}

        def act(connection: apsw.Connection, _journal: Journal) -> None:
            connection.execute(sql.TOUCH_SSO_SESSION, values)

        await self._database.act(act, key=id)

    async def end(
        self,
        id: str,  # noqa: A002 -- the noun
        *,
        reason: str,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> tuple[EndedSession, ...] | None:
        """End one with every client session that came from it."""
        values = {"id": id, "sso_id": id, "reason": reason, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> tuple[EndedSession, ...] | None:
            if connection.execute(sql.END_SSO_SESSION, values).get is None:
                return None
            ended = connection.execute(session_sql.END_SESSIONS_OF_SSO, values).fetchall()
            journal.revoke(revocation_of_session(str(sid), str(resources), now=now) for sid, resources, _ in ended)
            journal.record(events)
            return tuple(EndedSession(sid=str(sid), client_id=str(client_id)) for sid, _, client_id in ended)

        ended: tuple[EndedSession, ...] | None = await self._database.act(act, key=id)
        return ended

    async def list_live(self, sub: str, *, now: Instant, limit: int) -> tuple[SsoSession, ...]:
        """List the live ones of a person, newest first."""
        rows = self._database.read_all(sql.LIST_SSO_SESSIONS, {"sub": sub, "now": now, "limit": limit})
        return tuple(sso_session_of(row) for row in rows)

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those whose absolute lifetime was over before an instant."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_SSO_SESSIONS, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))
