"""Sessions and refresh families on PostgreSQL."""

from collections.abc import Sequence
from typing import Any, Final

from sealring.ports import NewSession, Session, SessionGrant
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import PresentedRefreshToken, RefreshFamily
from sealring.protocol.revocation import Revocation
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.group_commit import Batch
from sealring.storage.postgresql.transaction import Transaction, Values
from sealring.storage.rows.revocation import revocation_of_client, revocation_of_session, revocation_of_subject
from sealring.storage.rows.session import family_of, grant_of, session_of, session_row, words
from sealring.storage.sql import client as client_sql
from sealring.storage.sql import session as sql
from sealring.storage.sql import user as user_sql
from sealring_verify.revocation_feed import revocation_id


class PostgresqlSessions:
    """`ports.SessionStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def create(self, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Open a session if user and client still stand under their epochs."""
        row = session_row(session) | {"now": now}
        return bool(await self._database.join(_CREATE, (row, events), key=session.sub))

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
        row = await self._database.join(_ADVANCE, values, key=presented.key)
        return None if row is None else grant_of(row)

    async def retreat(self, grant: SessionGrant, *, mac_key_id: int) -> bool:
        """Undo an `advance` whose successor nobody was given; False where a repeat has handed it out since."""
        values = {"sid": grant.sid, "generation": grant.generation, "mac_key_id": mac_key_id}

        async def act(transaction: Transaction, _journal: Journal) -> bool:
            return await transaction.one(sql.RETREAT_FAMILY, values) is not None

        return bool(await self._database.act(act, key=grant.sid))

    async def find_family(self, key: bytes) -> RefreshFamily | None:
        """Read a family with today's epochs of its user and client."""
        row = await self._database.read(sql.FIND_FAMILY, {"key": key})
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

        async def act(transaction: Transaction, journal: Journal) -> Any:  # noqa: ANN401 -- a row
            row = await transaction.one(sql.COUNT_REPEAT, values)
            if row is not None:
                journal.record(events)
            return row

        row = await self._database.act(act, key=family.key)
        return None if row is None else grant_of(row)

    async def end(self, sid: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End a session; False (and no event) where it had ended or never was."""
        values = {"sid": sid, "reason": reason, "now": now}

        async def act(transaction: Transaction, journal: Journal) -> bool:
            resources = await transaction.value(sql.END_SESSION, values)
            if resources is None:
                return False
            journal.revoke([revocation_of_session(sid, resources, now=now)])
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=sid))

    async def end_all_of(self, sub: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise the subject's epoch and end its sessions; return how many lived."""
        values = {"sub": sub, "reason": reason, "now": now}

        async def act(transaction: Transaction, journal: Journal) -> int:
            await hold_subject(transaction, sub)
            ended = await end_sessions_of(transaction, sub, reason=reason, now=now)
            epoch = await transaction.value(user_sql.RAISE_EPOCH, values)
            if epoch is None:
                return 0
            journal.revoke([await subject_revocation(transaction, sub, epoch=epoch, now=now)])
            journal.record(events)
            return ended

        return int(await self._database.act(act, key=sub))

    async def end_everything(self, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise every epoch and end every session; return how many lived."""

        async def act(transaction: Transaction, journal: Journal) -> int:
            ended = await end_everything(transaction, journal, reason=reason, now=now)
            journal.record(events)
            return ended

        return int(await self._database.act(act))

    async def find(self, sid: str, *, now: Instant) -> Session | None:
        """Read a live session."""
        row = await self._database.read(sql.FIND_LIVE, {"sid": sid, "now": now})
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
        return await self._database.read(sql.STANDS_BEHIND, values) is not None

    async def list_live(self, *, sub: str | None, now: Instant, limit: int) -> tuple[Session, ...]:
        """List live sessions, newest first."""
        statement = sql.LIST_LIVE if sub is None else sql.LIST_LIVE_OF_SUBJECT
        rows = await self._database.read_all(statement, {"sub": sub, "now": now, "limit": limit})
        return tuple(session_of(row) for row in rows)

    async def count_live(self, *, sub: str | None, now: Instant) -> int:
        """Count live sessions."""
        statement = sql.COUNT_LIVE if sub is None else sql.COUNT_LIVE_OF_SUBJECT
        row = await self._database.read(statement, {"sub": sub, "now": now})
        return int(row[0]) if row is not None else 0

    async def latest_idle_expiry(self, mac_key_id: int) -> Instant | None:
        """Say until when sessions may hold a refresh token under a MAC key."""
        (latest,) = await self._database.read(sql.LATEST_IDLE_EXPIRY, {"mac_key_id": mac_key_id})
        return None if latest is None else Instant(latest)

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete rows whose absolute lifetime was over `before` an instant."""

        async def act(transaction: Transaction, _journal: Journal) -> int:
            return await transaction.change(sql.FORGET_EXPIRED, {"before": before, "limit": limit})

        return int(await self._database.act(act))


async def hold_subject(transaction: Transaction, sub: str) -> None:
    """Hold a subject and its sessions, so that what is read of them stays true to the end of the act.

    Log-ins that were proven under its epoch are waited for; the statements that follow see their sessions.
    """
    await transaction.one(user_sql.LOCK_USER, {"sub": sub})
    await transaction.one(sql.LOCK_SESSIONS_OF_SUBJECT, {"sub": sub})


async def end_sessions_of(
    transaction: Transaction, sub: str, *, kept: str | None = None, reason: str, now: Instant
) -> int:
    """End the live sessions of a subject but `kept`; to be called before its epoch is raised, while it is held."""
    values = {"sub": sub, "kept": kept, "reason": reason, "now": now}
    return await transaction.change(sql.END_SESSIONS_OF_SUBJECT, values)


async def subject_revocation(transaction: Transaction, sub: str, *, epoch: int, now: Instant) -> Revocation:
    """Say that a subject's tokens below an epoch have ended, to every API that one of them may name."""
    granted = await transaction.all(sql.LIST_RESOURCES_OF_SUBJECT, {"sub": sub})
    return revocation_of_subject(sub, (str(row[0]) for row in granted), epoch=epoch, now=now)


async def end_everything(transaction: Transaction, journal: Journal, *, reason: str, now: Instant) -> int:
    """End every session and raise every epoch; return how many sessions lived.

    Each token names a client, so the clients' entries reach them all, however many people.
    """
    await transaction.one(user_sql.LOCK_ALL_USERS)
    await transaction.one(sql.LOCK_ALL_SESSIONS)
    ended = await transaction.change(sql.END_ALL_SESSIONS, {"now": now, "reason": reason})
    await transaction.change(user_sql.RAISE_ALL_EPOCHS, {"now": now})
    # Last: whatever client a session was opened for meanwhile is known by now.
    raised = await transaction.all(client_sql.RAISE_ALL_CLIENT_EPOCHS, {"now": now})
    journal.revoke(revocation_of_client(client_id, epoch=epoch, now=now) for client_id, epoch in raised)
    return ended


async def _create(
    transaction: Transaction, journal: Journal, asked: Sequence[tuple[Values, Sequence[AuditEvent]]]
) -> list[bool]:
    rows = [row for row, _ in asked]
    await transaction.all(user_sql.LOCK_PROVEN, {"subs": sorted({row["sub"] for row in rows})})
    opened = {sid for (sid,) in await transaction.all(sql.CREATE_SESSIONS, _by_column(rows))}
    for row, events in asked:
        if row["sid"] in opened:
            journal.record(events)
    return [row["sid"] in opened for row in rows]


async def open_session(transaction: Transaction, row: Values) -> bool:
    """Open the session of a row, in an act that holds its subject; False where it does not stand under its epochs."""
    return bool(await transaction.all(sql.CREATE_SESSIONS, _by_column([row])))


async def _advance(transaction: Transaction, _journal: Journal, asked: Sequence[Values]) -> list[Any]:
    await transaction.all(sql.LOCK_FAMILIES, {"keys": [values["key"] for values in asked]})
    rows = await transaction.all(sql.ADVANCE_FAMILIES, _by_column(asked))
    advanced = {place: row for place, *row in rows}
    return [advanced.get(place) for place in range(1, len(asked) + 1)]


def _by_column(rows: Sequence[Values]) -> Values:
    """Turn rows into one array for each column, in the order of the rows."""
    return {name: [row[name] for row in rows] for name in rows[0]}


# Users before sessions: see GroupCommit.
_CREATE: Final = Batch(rank=1, run=_create)
_ADVANCE: Final = Batch(rank=2, run=_advance)
