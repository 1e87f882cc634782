"""The store, by noun: each method is one atomic act, durable with its audit events when it returns, or undone.

An exception (`StoreUnavailable`) means that nothing happened or that repeating is harmless.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

import msgspec

from sealring.ports.key import KeyStore
from sealring.ports.lease import LeaseStore
from sealring.ports.revocation import RevocationStore
from sealring.ports.store_state import StateStore
from sealring.ports.user import UserStore
from sealring.protocol.api import Api
from sealring.protocol.audit_chain import ChainHead
from sealring.protocol.audit_event import AuditEvent, RecordedEvent
from sealring.protocol.audit_retention import AuditClosing, AuditPart
from sealring.protocol.client import Client
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import PresentedRefreshToken, RefreshFamily
from sealring.protocol.user import Subject


class StoreUnavailable(Exception):  # noqa: N818 -- a state of the store, not a mistake of the caller
    """The store cannot take an act now (disk full, locked away, gone): 503, and the act may be repeated."""


class NewSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session to be opened, with the epochs under which user and client were proven.

    `key`: of the refresh family (also where the client gets no refresh token). Expiries are instants.
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


class ClientStore(Protocol):
    """Registered clients."""

    async def add(self, client: Client, *, events: Sequence[AuditEvent]) -> bool:
        """Register a client; False where the id is taken, or is a person's `sub`, a deleted person's included."""
        ...

    async def find(self, client_id: str) -> Client | None:
        """Read a client."""
        ...

    async def list_all(self) -> tuple[Client, ...]:
        """List all clients."""
        ...

    async def replace(self, client: Client, *, read: Client, events: Sequence[AuditEvent]) -> bool:
        """Replace everything but epoch, state and birth; False where the client is no longer as it was `read`."""
        ...

    async def set_disabled(
        self, client_id: str, *, disabled: bool, now: Instant, events: Sequence[AuditEvent]
    ) -> int | None:
        """Disable (raise the epoch, end its sessions) or enable; return sessions ended, None for an unknown client."""
        ...

    async def delete(self, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Delete a client and end its sessions; return sessions ended, None for an unknown client."""
        ...

    async def compromise(
        self, client: Client, *, read: Client, now: Instant, events: Sequence[AuditEvent]
    ) -> int | None:
        """Replace a registration, raise the epoch and end its sessions; return how many.

        None where the client is no longer as it was `read`, and nothing was done.
        """
        ...

    async def raise_epoch(self, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Raise the epoch and end the sessions of a client, which stays as registered; None for an unknown client."""
        ...

    async def origin_is_registered(self, origin: str) -> bool:
        """Say whether any enabled client registered this Origin (for CORS preflights)."""
        ...


class ApiStore(Protocol):
    """Registered APIs."""

    async def add(self, api: Api, *, events: Sequence[AuditEvent]) -> bool:
        """Register an API; False where the identifier is taken."""
        ...

    async def find(self, identifier: str) -> Api | None:
        """Read an API."""
        ...

    async def list_all(self) -> tuple[Api, ...]:
        """List all APIs."""
        ...

    async def replace(self, api: Api, *, read: Api, events: Sequence[AuditEvent]) -> bool:
        """Replace an API's registration; False where it is no longer as it was `read`."""
        ...

    async def delete(self, identifier: str, *, events: Sequence[AuditEvent]) -> bool:
        """Delete an API; False for an unknown one."""
        ...


class AuditStore(Protocol):
    """The chain of events (SECURITY F1)."""

    async def record(self, events: Sequence[AuditEvent]) -> None:
        """Record events that belong to no change: refusals, starts and stops."""
        ...

    async def record_refusal(self, event: AuditEvent, *, quiet: Seconds) -> None:
        """Record a refusal that changed nothing, unless its session had one of the same code in the `quiet` before.

        A client that repeats a dead token a thousand times a second must not fill the disk.
        """
        ...

    async def list_events(self, *, after: int, limit: int) -> tuple[tuple[int, RecordedEvent], ...]:
        """List events with their position in the store, from the one after `after` on; -1 means the last `limit`."""
        ...

    async def heads(self) -> Mapping[str, ChainHead]:
        """Read how far each writer's chain has come, by its last link or its closing alone."""
        ...

    async def walk(self, visit: Callable[[AuditPart], None], *, limit: int) -> None:
        """Show `visit` every chain in order, in parts of about `limit` events, all of one view of the store.

        A part ends where a link ends; the last one of each chain has no link, and only such rows as no link covers.
        `visit` may be called in another thread.
        """
        ...

    async def find_old_segment(self, *, before: Instant, limit: int, without: Collection[str]) -> AuditPart | None:
        """Read the oldest links of some writer, about `limit` events; the first link's are all older than `before`.

        Writers `without` are passed over. The newest event of the store counts as young: positions go on from it.
        """
        ...

    async def remove_segment(
        self, closing: AuditClosing, *, previous: AuditClosing | None, events: Sequence[AuditEvent]
    ) -> bool:
        """Put a closing in the place of what it closes; False where `previous` is not the closing that stands."""
        ...


class Store(Protocol):
    """Everything that lasts, by noun."""

    @property
    def sessions(self) -> SessionStore:
        """Sessions and refresh families."""
        ...

    @property
    def users(self) -> UserStore:
        """People."""
        ...

    @property
    def clients(self) -> ClientStore:
        """Clients."""
        ...

    @property
    def apis(self) -> ApiStore:
        """APIs."""
        ...

    @property
    def keys(self) -> KeyStore:
        """Keys."""
        ...

    @property
    def leases(self) -> LeaseStore:
        """Leases."""
        ...

    @property
    def revocations(self) -> RevocationStore:
        """The revocation feed."""
        ...

    @property
    def audit(self) -> AuditStore:
        """Audit."""
        ...

    @property
    def state(self) -> StateStore:
        """The store itself."""
        ...
