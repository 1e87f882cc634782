"""The store, by noun: each method is one atomic act, durable with its audit events when it returns, or undone.

An exception (`StoreUnavailable`) means that nothing happened or that repeating is harmless.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol

from sealring.ports.client_assertion import ClientAssertionStore
from sealring.ports.code_flow import AuthorizationCodeStore, ConsentStore, LogoutNoticeStore, SsoSessionStore
from sealring.ports.initial_access_token import InitialAccessTokenStore
from sealring.ports.key import KeyStore
from sealring.ports.lease import LeaseStore
from sealring.ports.revocation import RevocationStore
from sealring.ports.session import SessionStore
from sealring.ports.store_state import StateStore
from sealring.ports.user import UserStore
from sealring.protocol.api import Api
from sealring.protocol.audit_chain import ChainHead
from sealring.protocol.audit_event import AuditEvent, RecordedEvent
from sealring.protocol.audit_retention import AuditClosing, AuditPart
from sealring.protocol.client import Client, TokenDelivery
from sealring.protocol.instant import Instant, Seconds

Registering = Literal["registered", "taken", "full", "token_spent"]
"""What became of a client's own registration."""


class StoreUnavailable(Exception):  # noqa: N818 -- a state of the store, not a mistake of the caller
    """The store cannot take an act now (disk full, locked away, gone): 503, and the act may be repeated."""


class ClientStore(Protocol):
    """Registered clients."""

    async def add(self, client: Client, *, events: Sequence[AuditEvent]) -> bool:
        """Register a client; False where the id is taken, or is a person's `sub`, a deleted person's included."""
        ...

    async def register(
        self,
        client: Client,
        *,
        initial_access_token: bytes | None,
        most: int,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> Registering:
        """Register a client by its own word, where there are fewer than `most` of that kind, and spend a token's use.

        `initial_access_token`: its digest, or None where none is needed. Nothing is spent where nothing is registered.
        """
        ...

    async def find(self, client_id: str) -> Client | None:
        """Read a client."""
        ...

    async def list_all(self) -> tuple[Client, ...]:
        """List all clients."""
        ...

    async def list_initiating(self, *, limit: int) -> tuple[Client, ...]:
        """List enabled clients with an `initiate_login_uri`, those of the operator first."""
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

    async def find_deliveries(self, origin: str) -> frozenset[TokenDelivery]:
        """Say how tokens come to the enabled clients that registered this Origin (for CORS); empty where none did."""
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
    def sso_sessions(self) -> SsoSessionStore:
        """Browser sessions."""
        ...

    @property
    def authorization_codes(self) -> AuthorizationCodeStore:
        """Authorization codes."""
        ...

    @property
    def consents(self) -> ConsentStore:
        """Consents."""
        ...

    @property
    def logout_notices(self) -> LogoutNoticeStore:
        """Log-outs that clients have not been told of."""
        ...

    @property
    def users(self) -> UserStore:
        """People."""
        ...

    @property
    def client_assertions(self) -> ClientAssertionStore:
        """Assertions of clients that were used."""
        ...

    @property
    def initial_access_tokens(self) -> InitialAccessTokenStore:
        """What lets people register clients."""
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
