"""Initial access tokens. They are spent where a client is registered: see `ClientStore.register`."""

from collections.abc import Sequence
from typing import Protocol

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.initial_access_token import InitialAccessToken
from sealring.protocol.instant import Instant


class InitialAccessTokenStore(Protocol):
    """What lets people register clients; what is used up stays listed until it expires."""

    async def add(self, token: InitialAccessToken, *, events: Sequence[AuditEvent]) -> None:
        """Keep a new token."""
        ...

    async def find_live(self, digest: bytes, *, now: Instant) -> InitialAccessToken | None:
        """Read the token of a digest; None where it is unknown, used up or expired."""
        ...

    async def list_all(self) -> tuple[InitialAccessToken, ...]:
        """List all tokens, the oldest first."""
        ...

    async def delete(self, id: str, *, events: Sequence[AuditEvent]) -> bool:  # noqa: A002 -- the record's own word
        """Delete a token; False for an unknown one."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those that expired before an instant."""
        ...
