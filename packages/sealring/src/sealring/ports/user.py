"""People in the store."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.user import User, UserCredentials


class RenewedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session that goes on under a new family, proven again: its expiries and grant stay as they were.

    `binding_digest`: SHA-256 of the new browser binding, None for a session without one.
    """

    sid: str
    key: bytes
    mac_key_id: int
    auth_time: Instant
    amr: tuple[str, ...]
    binding_digest: bytes | None = None


class UserStore(Protocol):
    """People, their names and password hashes."""

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
        ...

    async def add_subject(self, user: User, *, events: Sequence[AuditEvent]) -> User | None:
        """Return the user of a subject that a trusted back-end names, added as `user` where it is new.

        None where it is a client's id, a deleted client's included: nobody may be taken for a client (RFC 9068 §5).
        """
        ...

    async def find(self, sub: str) -> User | None:
        """Read a user by `sub`."""
        ...

    async def find_by_login(self, key: str) -> UserCredentials | None:
        """Read a user by the normalised user name or e-mail address, hash and epoch in one statement."""
        ...

    async def find_credentials(self, sub: str) -> UserCredentials | None:
        """Read a user by `sub`, hash and epoch in one statement."""
        ...

    async def list_all(self, *, after: str | None, limit: int) -> tuple[User, ...]:
        """List users in the order of their `sub`."""
        ...

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
        """Set a password, raise the epoch and end the sessions; return the new epoch.

        `proven_epoch`: the epoch under which the old password was checked, None for an operator; where it no longer
        holds nothing happens and the answer is None. `keep`: the session that made the change; it lives on, stamped
        with the new epoch, and where it has ended nothing happens.
        """
        ...

    async def rehash(self, sub: str, *, old: str, new: str, events: Sequence[AuditEvent]) -> bool:
        """Replace a hash by one of the same password under today's parameters, if it is still `old`."""
        ...

    async def set_disabled(self, sub: str, *, disabled: bool, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Disable (raise the epoch, end the sessions) or enable; return sessions ended, None for an unknown user."""
        ...

    async def set_roles(self, sub: str, roles: tuple[str, ...], *, events: Sequence[AuditEvent]) -> bool:
        """Replace a user's roles."""
        ...

    async def set_claims(self, sub: str, claims: bytes, *, events: Sequence[AuditEvent]) -> bool:
        """Replace a user's custom claims (a JSON object)."""
        ...

    async def delete(self, sub: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Delete a user and end the sessions; return sessions ended, None for an unknown user."""
        ...

    async def add_link(self, digest: bytes, *, expires_at: Instant, events: Sequence[AuditEvent]) -> None:
        """Keep the SHA-256 of a one-use administrator link."""
        ...

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
        ...
