"""What the code flow keeps: browser sessions, codes, consents, and log-outs that clients have not been told of."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealring.ports.session import NewSession
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_code import AuthorizationCode, PresentedCode
from sealring.protocol.consent import Consent
from sealring.protocol.instant import Instant
from sealring.protocol.sso_session import SsoProof, SsoSession


class EndedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A client's session that ended with the browser session that it came from."""

    sid: str
    client_id: str


class SsoSessionStore(Protocol):
    """Browser sessions."""

    async def create(self, session: SsoSession, *, digest: bytes, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Open one if its user still stands under the epoch; False where not. `digest`: SHA-256 of its cookie."""
        ...

    async def find(self, digest: bytes, *, now: Instant) -> SsoSession | None:
        """Read a live one by its cookie: not ended, not expired, its user standing under the epoch."""
        ...

    async def prove(self, id: str, proof: SsoProof, *, now: Instant, events: Sequence[AuditEvent]) -> bool:  # noqa: A002 -- the noun
        """Carry a live one over to a new proof of the same person; False where it has ended or the epoch is old."""
        ...

    async def touch(self, id: str, *, idle_expires_at: Instant, now: Instant) -> None:  # noqa: A002 -- the noun
        """Note that a live one was used."""
        ...

    async def end(
        self,
        id: str,  # noqa: A002 -- the noun
        *,
        reason: str,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> tuple[EndedSession, ...] | None:
        """End one with every client session that came from it; return those that lived, None where it had ended."""
        ...

    async def list_live(self, sub: str, *, now: Instant, limit: int) -> tuple[SsoSession, ...]:
        """List the live ones of a person, newest first."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those whose absolute lifetime was over before an instant."""
        ...


class AuthorizationCodeStore(Protocol):
    """Authorization codes."""

    async def add(self, code: AuthorizationCode, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Keep a code if its browser session, user and client stand as it says; False where one does not."""
        ...

    async def find(self, digest: bytes, *, now: Instant) -> PresentedCode | None:
        """Read a code, spent or not."""
        ...

    async def redeem(self, digest: bytes, session: NewSession, *, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """Spend a code and open its session in one act; False where the code is spent, expired or stands no more."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete codes that expired before an instant."""
        ...


class ConsentStore(Protocol):
    """Consents: one for each user, client and redirect URI."""

    async def find(self, sub: str, client_id: str, redirect_uri: str) -> Consent | None:
        """Read one."""
        ...

    async def keep(self, consent: Consent, *, events: Sequence[AuditEvent]) -> None:
        """Remember one in the place of what stood there."""
        ...

    async def list_of(self, sub: str) -> tuple[Consent, ...]:
        """List what a person allowed, by client."""
        ...

    async def withdraw(self, sub: str, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Forget a client's consents of a person and end their sessions; return how many lived, None without any."""
        ...


class LogoutNotice(msgspec.Struct, frozen=True, kw_only=True):
    """An ended session of which its client is to be told (OpenID Connect Back-Channel Logout 1.0)."""

    sid: str
    sub: str
    client_id: str
    ended_at: Instant
    attempts: int


class LogoutNoticeStore(Protocol):
    """Ended sessions that clients have not been told of: their own rows are the outbox."""

    async def list_due(self, *, now: Instant, limit: int) -> tuple[LogoutNotice, ...]:
        """List what is due, longest due first."""
        ...

    async def postpone(self, sid: str, *, due_at: Instant) -> None:
        """Count an attempt, and try again at an instant."""
        ...

    async def close(self, sid: str, *, events: Sequence[AuditEvent]) -> None:
        """Be done with one: delivered, or given up."""
        ...
