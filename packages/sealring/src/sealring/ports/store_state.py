"""What the store knows about itself: which one it is, how far it has come, and its kept service clock."""

from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, ServiceInstant
from sealring.protocol.standing_key import StandingKey


class StoreIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """Which store this is (SECURITY A9): `incarnation` (16 octets) and how far its ends have been counted."""

    incarnation: bytes
    feed_number: int
    service_now: ServiceInstant
    demo: bool


class StateStore(Protocol):
    """What the store knows about itself."""

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        ...

    async def beat(self, service_now: ServiceInstant) -> None:
        """Move the kept service clock forward to `service_now`; never back."""
        ...

    async def clock(self) -> Instant | None:
        """Read the wall clock of the database's machine, None where the store is a file on this one."""
        ...

    async def recover(self, incarnation: bytes, *, now: Instant, events: Sequence[AuditEvent]) -> int:
        """Begin a new incarnation: raise all epochs, end all sessions; return how many lived."""
        ...

    async def copy_to(self, path: str) -> str | None:
        """Write a whole copy of the store to a new private file; a sentence where that cannot be done."""
        ...

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last, or None where it never was."""
        ...

    async def destroy_keys(self, standing: Iterable[StandingKey], *, events: Sequence[AuditEvent]) -> None:
        """Destroy all keys and all administrator links; `standing` take the place of the standing keys."""
        ...
