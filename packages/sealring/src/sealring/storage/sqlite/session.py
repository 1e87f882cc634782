"""Sessions and refresh families on SQLite."""

from collections.abc import Sequence
from typing import Any

import apsw

from sealring.ports import NewSession, Session, SessionGrant
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import PresentedRefreshToken, RefreshFamily
from sealring.protocol.revocation import Revocation
from sealring.storage.journal import Journal
from sealring.storage.rows.revocation import revocation_of_client, revocation_of_session, revocation_of_subject
from sealring.storage.rows.session import family_of, grant_of, session_of, session_row, words
from sealring.storage.sql import client as client_sql
from sealring.storage.sql import session as sql
from sealring.storage.sql import user as user_sql
from sealring.storage.sqlite.database import SqliteDatabase
from sealring_verify.revocation_feed import revocation_id


class SqliteSessions:
    """`ports.SessionStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def create(self, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Open a session if user and client still stand under their epochs."""
        row = session_row(session) | {"now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.CREATE_SESSION, row).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=session.sub))

    async def advance(
        self,
        presented: PresentedRefreshToken,
        *,
        mac_key_id: int,
        idle_lifetime: Seconds,
        now: Instant,
        service_now: ServiceInstant,
    ) -> SessionGrant | None:
        """Rotate if the one statement finds every condition of `Rotate` true."""
        values = {
            "key": presented.key,
            "generation": presented.generation,
            "client_id": presented.client_id,
            "binding_digest": presented.binding_digest,
            "scope": None if presented.scope is None else words(presented.scope),
            "resource": presented.resource,
            "network": presented.network,
            "user_agent": presented.user_agent,
            "mac_key_id": mac_key_id,
            "idle": idle_lifetime * 1000,
            "now": now,
            "service_now": service_now,
        }

        def act(connection: apsw.Connection, _journal: Journal) -> Any:  # noqa: ANN401 -- a row
            return connection.execute(sql.ADVANCE_FAMILY, values).get

        row = await self._database.act(act, key=presented.key)
        return None if row is None else grant_of(row)

    async def retreat(self, grant: SessionGrant, *, mac_key_id: int) -> bool:
        """Undo an `advance` whose successor nobody was given; False where a repeat has handed it out since."""
        values = {"sid": grant.sid, "generation": grant.generation, "mac_key_id": mac_key_id}

        def act(connection: apsw.Connection, _journal: Journal) -> bool:
            return connection.execute(sql.RETREAT_FAMILY, values).get is not None

        return bool(await self._database.act(act, key=grant.sid))

    async def find_family(self, key: bytes) -> RefreshFamily | None:
        """Read a family with today's epochs of its user and client."""
        row = self._database.read(sql.FIND_FAMILY, {"key": key})
        return None if row is None else family_of(row)

    async def repeat(
        self, family: RefreshFamily, *, shared_generation: int | None, now: Instant, events: Sequence[AuditEvent]
    ) -> SessionGrant | None:
        """Count a repeat if the row is still as `family` has it."""
        values = {
            "key": family.key,
            "generation": family.generation,
            "repeats": family.repeats,
            "shared_generation": shared_generation,
            "now": now,
        }

        def act(connection: apsw.Connection, journal: Journal) -> Any:  # noqa: ANN401 -- a row
            row = connection.execute(sql.COUNT_REPEAT, values).get
            if row is not None:
                journal.record(events)
            return row

        row = await self._database.act(act, key=family.key)
        return None if row is None else grant_of(row)

    async def end(self, sid: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End a session; False (and no event) where it had ended or never was."""
        values = {"sid": sid, "reason": reason, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            resources = connection.execute(sql.END_SESSION, values).get
            if resources is None:
                return False
            journal.revoke([revocation_of_session(sid, resources, now=now)])
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=sid))

    async def end_all_of(self, sub: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise the subject's epoch and end its sessions; return how many lived."""
        values = {"sub": sub, "reason": reason, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> int:
            ended = end_sessions_of(connection, sub, reason=reason, now=now)
            epoch = connection.execute(user_sql.RAISE_EPOCH, values).get
            if epoch is None:
                return 0
            journal.revoke([subject_revocation(connection, sub, epoch=epoch, now=now)])
            journal.record(events)
            return ended

        return int(await self._database.act(act, key=sub))

    async def end_everything(self, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise every epoch and end every session; return how many lived."""

        def act(connection: apsw.Connection, journal: Journal) -> int:
            ended = len(connection.execute(sql.END_ALL_SESSIONS, {"now": now, "reason": reason}).fetchall())
            raise_all_epochs(connection, journal, now=now)
            journal.record(events)
            return ended

        return int(await self._database.act(act))

    async def find(self, sid: str, *, now: Instant) -> Session | None:
        """Read a live session."""
        row = self._database.read(sql.FIND_LIVE, {"sid": sid, "now": now})
        return None if row is None else session_of(row)

    async def stands_behind(
        self, sid: str, *, sub: str, client_id: str, sub_epoch: int, jti: str, now: Instant
    ) -> bool:
        """Say in one look whether a live session stands behind a token that was not ended itself."""
        values = {
            "sid": sid,
            "sub": sub,
            "client_id": client_id,
            "sub_epoch": sub_epoch,
            "jti": revocation_id("jti", jti),
            "now": now,
        }
        return self._database.read(sql.STANDS_BEHIND, values) is not None

    async def list_live(self, *, sub: str | None, now: Instant, limit: int) -> tuple[Session, ...]:
        """List live sessions, newest first."""
        statement = sql.LIST_LIVE if sub is None else sql.LIST_LIVE_OF_SUBJECT
        rows = self._database.read_all(statement, {"sub": sub, "now": now, "limit": limit})
        return tuple(session_of(row) for row in rows)

    async def count_live(self, *, sub: str | None, now: Instant) -> int:
        """Count live sessions."""
        statement = sql.COUNT_LIVE if sub is None else sql.COUNT_LIVE_OF_SUBJECT
        row = self._database.read(statement, {"sub": sub, "now": now})
        return int(row[0]) if row is not None else 0

    async def latest_idle_expiry(self, mac_key_id: int) -> Instant | None:
        """Say until when sessions may hold a refresh token under a MAC key."""
        values = {"mac_key_id": mac_key_id}
        latest: Instant | None = await self._database.read_apart(
            lambda connection: connection.execute(sql.LATEST_IDLE_EXPIRY, values).get
        )
        return latest

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete rows whose absolute lifetime was over `before` an instant."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_EXPIRED, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))


def end_sessions_of(
    connection: apsw.Connection, sub: str, *, kept: str | None = None, reason: str, now: Instant
) -> int:
    """End the live sessions of a subject but `kept`; to be called before its epoch is raised, while they stand."""
    values = {"sub": sub, "kept": kept, "reason": reason, "now": now}
    return len(connection.execute(sql.END_SESSIONS_OF_SUBJECT, values).fetchall())


def subject_revocation(connection: apsw.Connection, sub: str, *, epoch: int, now: Instant) -> Revocation:
    """Say that a subject's tokens below an epoch have ended, to every API that one of them may name."""
    granted = connection.execute(sql.LIST_RESOURCES_OF_SUBJECT, {"sub": sub})
    return revocation_of_subject(sub, (str(row[0]) for row in granted), epoch=epoch, now=now)


def raise_all_epochs(connection: apsw.Connection, journal: Journal, *, now: Instant) -> None:
    """Raise every epoch. Each token names a client, so the clients' entries reach them all, however many people."""
    connection.execute(user_sql.RAISE_ALL_EPOCHS, {"now": now})
    raised: list[Any] = connection.execute(client_sql.RAISE_ALL_CLIENT_EPOCHS, {"now": now}).fetchall()
    journal.revoke(revocation_of_client(client_id, epoch=epoch, now=now) for client_id, epoch in raised)
