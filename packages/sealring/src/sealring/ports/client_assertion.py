"""Client assertions that were used."""

from typing import Protocol

from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import Instant


class ClientAssertionStore(Protocol):
    """What was used stays until nobody could use it again."""

    async def spend(self, assertion: AcceptedAssertion) -> bool:
        """Note that an assertion is used now; False where it was before, on any node."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those that expired before an instant."""
        ...
