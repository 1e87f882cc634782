"""Sessions in the store: one row each, with its refresh family."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import PresentedRefreshToken, RefreshFamily
from sealring.protocol.user import Subject


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to be opened, with the epochs under which user and client were proven.

    `key`: of the refresh family (also where the client gets no refresh token). Expiries are instants. `sso_id`: of the
    browser session that it came from. `requested_claims`: the `claims` parameter as JSON (OpenID Connect Core §5.5).
    `backchannel_logout`: whether its client is told when it ends.
    """

    key: bytes
    sid: str
    sub: str
    client_id: str
    subject_epoch: int
    client_epoch: int
    mac_key_id: int
    scope: frozenset[str]
    resource: str
    resources: frozenset[str]
    auth_time: Instant
    amr: tuple[str, ...]
    claims: bytes | None
    idle_expires_at: Instant
    absolute_expires_at: Instant
    binding_digest: bytes | None
    network: str | None
    user_agent: str | None
    sso_id: str | None = None
    acr: str | None = None
    requested_claims: bytes | None = None
    backchannel_logout: bool = False


class SessionGrant(msgspec.Struct, frozen=True, kw_only=True):
    """What a session's next access token needs: the grant, and its user as the same statement read it.

    `generation`, `mac_key_id`: of the current refresh token.
    """

    sid: str
    generation: int
    mac_key_id: int
    scope: frozenset[str]
    resource: str
    auth_time: Instant
    amr: tuple[str, ...]
    claims: bytes | None
    subject: Subject
    sso_id: str | None = None
    acr: str | None = None
    requested_claims: bytes | None = None


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A session as its user and the operator see it."""

    sid: str
    sub: str
    client_id: str
    scope: frozenset[str]
    resource: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    network: str | None
    user_agent: str | None
    refreshes: int
    auth_time: Instant
    amr: tuple[str, ...]
    claims: bytes | None
    sso_id: str | None = None
    acr: str | None = None
    requested_claims: bytes | None = None


class SessionStore(Protocol):
    """Sessions and their refresh families: one row each."""

    async def create(self, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Open a session if user and client still stand under their epochs; False where they do not."""
        ...

    async def advance(
        self,
        presented: PresentedRefreshToken,
        *,
        mac_key_id: int,
        idle_lifetime: Seconds,
        now: Instant,
        service_now: ServiceInstant,
    ) -> SessionGrant | None:
        """Rotate if and only if `decide_refresh` says `Rotate`; None where it does not."""
        ...

    async def retreat(self, grant: SessionGrant, *, mac_key_id: int) -> bool:
        """Undo an `advance` whose successor nobody was given; False where a repeat has handed it out since.

        `mac_key_id`: of the token that is current again.
        """
        ...

    async def find_family(self, key: bytes) -> RefreshFamily | None:
        """Read a family with today's epochs of its user and client, from the primary."""
        ...

    async def repeat(
        self, family: RefreshFamily, *, shared_generation: int | None, now: Instant, events: Sequence[AuditEvent]
    ) -> SessionGrant | None:
        """Count a repeat if the row is still as `family` has it; None where it has moved on."""
        ...

    async def end(self, sid: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End a session; False (and no event) where it had ended or never was."""
        ...

    async def end_all_of(self, sub: str, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise the subject's epoch and end its sessions; return how many lived."""
        ...

    async def end_everything(self, *, reason: str, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Raise every epoch and end every session; return how many lived."""
        ...

    async def find(self, sid: str, *, now: Instant) -> Session | None:
        """Read a live session: not ended, not expired, its user and client standing under their epochs."""
        ...

    async def stands_behind(
        self, sid: str, *, sub: str, client_id: str, sub_epoch: int, jti: str, now: Instant
    ) -> bool:
        """Say in one look whether a live session stands behind an access token that was not ended itself.

        `sub`, `client_id`, `sub_epoch`, `jti`: the token's. A password change keeps the session that made it, but not
        the tokens before it.
        """
        ...

    async def list_live(self, *, sub: str | None, now: Instant, limit: int) -> tuple[Session, ...]:
        """List live sessions, of one subject or of everybody, newest first."""
        ...

    async def count_live(self, *, sub: str | None, now: Instant) -> int:
        """Count live sessions."""
        ...

    async def latest_idle_expiry(self, mac_key_id: int) -> Instant | None:
        """Say until when sessions may hold a refresh token under a MAC key; it may read every row, so ask seldom."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete rows whose absolute lifetime was over `before` an instant.

        An ended family stays until its last token has expired, or a replay would look unknown; and rows outlive the
        access tokens of their session, since they name the APIs that must know of an end.
        """
        ...
