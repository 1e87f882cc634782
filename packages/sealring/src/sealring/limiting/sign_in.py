"""Failed sign-ins, counted in memory by the library `limits` (SECURITY F3)."""

from typing import Final

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from sealring.ports import Limited
from sealring.protocol.instant import Seconds

_WINDOW_MINUTES: Final = 15


class MemorySignInLimit:
    """`ports.SignInLimit` for one process: failures per account and network, and per network, in 15 minutes.

    A known device is counted by account and device instead, with the account's limit.
    """

    def __init__(self, *, failures_per_account: int, failures_per_network: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._account = RateLimitItemPerMinute(failures_per_account, _WINDOW_MINUTES, namespace="account")
        self._device = RateLimitItemPerMinute(failures_per_account, _WINDOW_MINUTES, namespace="device")
        self._network = RateLimitItemPerMinute(failures_per_network, _WINDOW_MINUTES, namespace="network")

    def admit(self, account: str, network: str, *, device: bytes | None = None) -> Limited | None:
        """Say whether an attempt may be made now."""
        for item, names in self._counters(account, network, device):
            if not self._limiter.test(item, *names):
                return Limited(retry_after=Seconds(60))
        return None

    def count_failure(self, account: str, network: str, *, device: bytes | None = None) -> None:
        """Count a failed attempt."""
        for item, names in self._counters(account, network, device):
            self._limiter.hit(item, *names)

    def _counters(
        self, account: str, network: str, device: bytes | None
    ) -> tuple[tuple[RateLimitItem, tuple[str, ...]], ...]:
        if device is not None:
            return ((self._device, (account, device.hex())),)
        # Never by account alone: whoever knows a name must not be able to lock its owner out.
        return (self._account, (account, network)), (self._network, (network,))
