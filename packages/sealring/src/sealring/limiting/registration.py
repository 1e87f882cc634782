"""Registrations of clients by themselves, counted in memory by the library `limits` (SECURITY E3)."""

from limits import RateLimitItemPerHour
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from sealring.ports import Limited
from sealring.protocol.instant import Seconds


class MemoryRegistrationLimit:
    """`ports.RegistrationLimit` for one process: registrations per network in an hour."""

    def __init__(self, *, per_network: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._network = RateLimitItemPerHour(per_network, namespace="registration")

    def take(self, network: str) -> Limited | None:
        """Count an attempt; Limited where the network has had its share."""
        return None if self._limiter.hit(self._network, network) else Limited(retry_after=Seconds(600))
