"""People on PostgreSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sealring.ports import RenewedSession
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.user import User, UserCredentials
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.session import end_sessions_of, hold_subject, subject_revocation
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.user import credentials_of, user_of, user_row
from sealring.storage.sql import audit_event as audit_sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sql import user as sql


class PostgresqlUsers:
    """`ports.UserStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def add(
        self,
        user: User,
        *,
        username_key: str | None,
        email_key: str | None,
        password_hash: str | None,
        events: Sequence[AuditEvent],
    ) -> bool:
        """Add a user; False where the sub or one of the names is taken, or the sub is a client's id."""
        row = user_row(user, username_key=username_key, email_key=email_key, password_hash=password_hash)

        async def act(transaction: Transaction, journal: Journal) -> bool:
            if not await _add(transaction, row):
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=user.sub))

    async def add_subject(self, user: User, *, events: Sequence[AuditEvent]) -> User | None:
        """Return the user of a subject that a trusted back-end names, added where it is new; None for a client's."""
        row = user_row(user, username_key=None, email_key=None, password_hash=None)

        async def act(transaction: Transaction, journal: Journal) -> Any:  # noqa: ANN401 -- a row
            # Asked first: who is known signs in often, and shall not wait for those who are added.
            present = await transaction.one(sql.FIND_SUBJECT, row)
            if present is None and await _add(transaction, row):
                journal.record(events)
            return present or await transaction.one(sql.FIND_SUBJECT, row)

        found = await self._database.act(act, key=user.sub)
        return None if found is None else user_of(found)

    async def find(self, sub: str) -> User | None:
        """Read a user by `sub`."""
        row = await self._database.read(sql.FIND_USER, {"sub": sub})
        return None if row is None else user_of(row)

    async def find_by_login(self, key: str) -> UserCredentials | None:
        """Read a user by the normalised user name or e-mail address, hash and epoch in one statement."""
        # User names hold no '@', so the two name spaces never meet.
        statement = sql.FIND_BY_EMAIL if "@" in key else sql.FIND_BY_USERNAME
        return credentials_of(await self._database.read(statement, {"key": key}))

    async def find_credentials(self, sub: str) -> UserCredentials | None:
        """Read a user by `sub`, hash and epoch in one statement."""
        return credentials_of(await self._database.read(sql.FIND_CREDENTIALS, {"sub": sub}))

    async def list_all(self, *, after: str | None, limit: int) -> tuple[User, ...]:
        """List users in the order of their `sub`."""
        rows = await self._database.read_all(sql.LIST_USERS, {"after": after or "", "limit": limit})
        return tuple(user_of(row) for row in rows)

    async def set_password(
        self,
        sub: str,
        *,
        password_hash: str,
        proven_epoch: int | None,
        keep: RenewedSession | None,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> int | None:
        """Set a password, raise the epoch, end the other sessions, carry `keep` over: one transaction."""
        proven = {"sub": sub, "proven_epoch": proven_epoch}
        kept = None if keep is None else keep.sid

        async def act(transaction: Transaction, journal: Journal) -> int | None:
            await hold_subject(transaction, sub)
            if await transaction.one(sql.STILL_PROVEN, proven) is None:
                return None
            if kept is not None and await transaction.one(session_sql.FIND_LIVE, {"sid": kept, "now": now}) is None:
                return None
            await end_sessions_of(transaction, sub, kept=kept, reason="password_changed", now=now)
            change = {"sub": sub, "password_hash": password_hash, "now": now}
            epoch = int(await transaction.value(sql.SET_PASSWORD, change))
            if keep is not None:
                row = msgspec.structs.asdict(keep) | {"sub": sub, "subject_epoch": epoch, "now": now}
                row["amr"] = msgspec.json.encode(keep.amr).decode()
                await transaction.change(session_sql.REPLACE_FAMILY, row)
            journal.revoke([await subject_revocation(transaction, sub, epoch=epoch, now=now)])
            journal.record(events)
            return epoch

        changed: int | None = await self._database.act(act, key=sub)
        return changed

    async def rehash(self, sub: str, *, old: str, new: str, events: Sequence[AuditEvent]) -> bool:
        """Replace a hash by one of the same password under today's parameters, if it is still `old`."""
        return await self._change(sql.REHASH_PASSWORD, {"sub": sub, "old": old, "new": new}, events=events)

    async def set_disabled(self, sub: str, *, disabled: bool, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Disable (raise the epoch, end the sessions) or enable; None for an unknown user."""
        if not disabled:
            return 0 if await self._change(sql.ENABLE_USER, {"sub": sub}, events=events) else None
        return await self._end_with(sql.DISABLE_USER, sub, reason="user_disabled", now=now, events=events)

    async def set_roles(self, sub: str, roles: tuple[str, ...], *, events: Sequence[AuditEvent]) -> bool:
        """Replace a user's roles."""
        values = {"sub": sub, "roles": msgspec.json.encode(roles).decode()}
        return await self._change(sql.SET_ROLES, values, events=events)

    async def set_claims(self, sub: str, claims: bytes, *, events: Sequence[AuditEvent]) -> bool:
        """Replace a user's custom claims (a JSON object)."""
        return await self._change(sql.SET_CLAIMS, {"sub": sub, "claims": claims.decode()}, events=events)

    async def delete(self, sub: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Delete a user, end the sessions, erase the personal part of the audit; None for an unknown user."""
        return await self._end_with(
            sql.DELETE_USER, sub, reason="user_deleted", now=now, events=events, erase=sql.ERASE_PERSONAL_EVENTS
        )

    async def add_link(self, digest: bytes, *, expires_at: Instant, events: Sequence[AuditEvent]) -> None:
        """Keep the SHA-256 of a one-use administrator link."""

        async def act(transaction: Transaction, journal: Journal) -> None:
            await transaction.change(sql.ADD_LINK, {"digest": digest, "expires_at": expires_at})
            journal.record(events)

        await self._database.act(act, key=digest)

    async def spend_link(
        self,
        digest: bytes,
        *,
        user: User,
        username_key: str | None,
        email_key: str | None,
        password_hash: str,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> bool | None:
        """Spend a link and add its administrator in one act; None for a bad link, False for a taken name."""
        row = user_row(user, username_key=username_key, email_key=email_key, password_hash=password_hash)

        async def act(transaction: Transaction, journal: Journal) -> bool | None:
            link = {"digest": digest, "now": now}
            await transaction.one(sql.LOCK_LINK, link)
            if await transaction.one(sql.FIND_LINK, link) is None:
                return None
            if not await _add(transaction, row):
                return False  # the link stays good: the person tries another name
            await transaction.change(sql.SPEND_LINK, link)
            journal.record(events)
            return True

        added: bool | None = await self._database.act(act, key=digest)
        return added

    async def _change(self, statement: str, values: dict[str, Any], *, events: Sequence[AuditEvent]) -> bool:
        async def act(transaction: Transaction, journal: Journal) -> bool:
            if await transaction.one(statement, values) is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=values["sub"]))

    async def _end_with(
        self, statement: str, sub: str, *, reason: str, now: Instant, events: Sequence[AuditEvent], erase: str = ""
    ) -> int | None:
        async def act(transaction: Transaction, journal: Journal) -> int | None:
            await hold_subject(transaction, sub)
            ended = await end_sessions_of(transaction, sub, reason=reason, now=now)
            epoch = await transaction.value(statement, {"sub": sub, "now": now})
            if epoch is None:
                return None
            journal.revoke([await subject_revocation(transaction, sub, epoch=epoch, now=now)])
            if erase:
                # Nobody records from here on, so nothing of other nodes stands behind what is erased.
                await transaction.one(audit_sql.LOCK_POSITION)
                await transaction.change(erase, {"sub": sub})
            journal.record(events)
            return ended

        ended: int | None = await self._database.act(act, key=sub)
        return ended


async def _add(transaction: Transaction, row: Mapping[str, Any]) -> bool:
    """Add a user; False where a name is taken, or the `sub` a client's. No other node adds either until the end."""
    await transaction.one(sql.LOCK_NAMES)
    return await transaction.one(sql.ADD_USER, row) is not None
