"""Clients and APIs as they were read a moment ago, so that not every request makes a journey to the database for them.

What another node changed is known here after a tenth of a second, what this node changed at once. Nothing hangs on the
moment in between: each act that issues or rotates compares the epoch, and what is disabled, in its own statement.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

_SECONDS: Final = 0.1
_MOST: Final = 4096
_Read = TypeVar("_Read")


class RecentReads(Generic[_Read]):
    """One kind of row by its name. `read`: from the database; `monotonic`: seconds.

    Who asks for the same at the same time waits for one reading. What was not there, or could not be read, is read
    again by whoever asks next.
    """

    def __init__(self, read: Callable[[str], Awaitable[_Read | None]], *, monotonic: Callable[[], float]) -> None:
        self._read = read
        self._monotonic = monotonic
        self._readings: dict[str, tuple[asyncio.Task[_Read | None], float]] = {}

    async def find(self, name: str) -> _Read | None:
        """Return what the name stands for, a tenth of a second old at most; None where there is nothing."""
        reading, began = self._readings.get(name, (None, 0.0))
        if reading is None or self._monotonic() - began >= _SECONDS:
            reading = self._begin(name)
        elif reading.done():
            return reading.result()
        # Shared by all who wait, so it survives whoever gives up.
        return await asyncio.shield(reading)

    def forget(self) -> None:
        """Read all anew from now on: something was changed by this node."""
        self._readings.clear()

    def _begin(self, name: str) -> asyncio.Task[_Read | None]:
        if len(self._readings) >= _MOST:
            self._readings.clear()
        reading = asyncio.ensure_future(self._read(name))
        self._readings[name] = reading, self._monotonic()
        reading.add_done_callback(lambda done: self._drop_unless_found(name, done))
        return reading

    def _drop_unless_found(self, name: str, reading: asyncio.Task[_Read | None]) -> None:
        found = not reading.cancelled() and reading.exception() is None and reading.result() is not None
        kept, _ = self._readings.get(name, (None, 0.0))
        if not found and kept is reading:
            del self._readings[name]
