"""Work that one node at a time may do."""

from typing import Protocol

from sealring.protocol.instant import Instant


class LeaseStore(Protocol):
    """Leases: who may do a piece of work, and until when."""

    async def take(self, name: str, *, holder: str, now: Instant, expires_at: Instant) -> bool:
        """Take or keep a lease; False while another holder has it."""
        ...
