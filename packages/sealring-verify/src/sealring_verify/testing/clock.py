"""A clock that runs as the machine's does, and that a test moves ahead."""

import time
from collections.abc import Callable


class Clock:
    """Call it for seconds since 1970. `when_moved` is called after each move."""

    def __init__(self, when_moved: Callable[[], None] = lambda: None) -> None:
        self._when_moved = when_moved
        self._moved = 0.0
        self._began = time.time() - time.monotonic()

    def __call__(self) -> float:
        """Give the time."""
        return self._began + self.monotonic()

    def monotonic(self) -> float:
        """Give seconds that only grow, for what is kept for a while: keys, answers, what the feed said."""
        return time.monotonic() + self._moved

    def move(self, seconds: float) -> None:
        """Let time pass. ValueError for a step back: for clocks that disagree there is `Issuer.skew`."""
        if seconds < 0:
            raise ValueError("time only passes: for clocks that disagree, see Issuer.skew")
        self._moved += seconds
        self._when_moved()
