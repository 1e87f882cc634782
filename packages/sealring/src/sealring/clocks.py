"""The two clocks of a node: the wall's, which may jump, and the service clock, which cannot (SECURITY A5)."""

import time
from pathlib import Path
from typing import Final

from sealring.protocol.instant import Instant, ServiceInstant

_OFFSET_AGE: Final = 0.1  # seconds for which a demo's offset is believed
_REST: Final = 120  # seconds without a reading after which the service clock need not be kept


def wall_clock() -> Instant:
    """Tell the wall clock's now."""
    return Instant(time.time_ns() // 1_000_000)


class OffsetClock:
    """The demo's wall clock: the machine's, moved by the seconds that a file of the demo names."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._offset = 0
        self._read_at = 0.0

    def __call__(self) -> Instant:
        """Tell the moved now."""
        elapsed = time.monotonic()
        if elapsed - self._read_at > _OFFSET_AGE:
            self._read_at = elapsed
            try:
                self._offset = int(self._file.read_text())
            except (OSError, ValueError):
                self._offset = 0
        return Instant(wall_clock() + self._offset * 1000)


class ServiceClockReading:
    """The service clock of this node: what the store kept at the start, and monotonic time since.

    It stands still while no node serves and ignores steps of the wall clock. `shared`: other nodes go by it too.
    """

    def __init__(self, kept: ServiceInstant, *, shared: bool = False) -> None:
        self._kept = kept
        self._shared = shared
        self._started = time.monotonic()
        self._last_read = self._started - _REST

    def __call__(self) -> ServiceInstant:
        """Tell the service clock's now."""
        self._last_read = time.monotonic()
        return self.peek()

    def peek(self) -> ServiceInstant:
        """Tell it without counting as a use."""
        return ServiceInstant(self._kept + int((time.monotonic() - self._started) * 1000))

    def catch_up(self, kept: ServiceInstant) -> None:
        """Go forward to what the store has kept since, by another node; never back."""
        self._kept = ServiceInstant(self._kept + max(0, kept - self.peek()))

    def is_in_use(self) -> bool:
        """Say whether it must be kept: read in the last two minutes, longer than any grace window, or shared.

        Nodes always tell each other how far it has come, or a repeat at another node of a token that this one rotated
        would look old, and end its session.
        """
        return self._shared or time.monotonic() - self._last_read < _REST
