"""Waiting for the revocation feed to grow, by whichever node: one look at its head serves all who wait."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from sealring.ports import StoreUnavailable

_LOOK_SECONDS: Final = 0.1


class FeedWatch:
    """Looks at the head while somebody waits, ten times a second; what this node ends itself is told at once."""

    def __init__(self, read_number: Callable[[], Awaitable[int]]) -> None:
        self._read_number = read_number
        self._seen = 0
        self._growth: asyncio.Future[None] | None = None
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None

    async def wait_beyond(self, number: int, *, seconds: float) -> None:
        """Return once the feed is beyond `number`, or after so many seconds; spurious returns are allowed."""
        if self._growth is None:
            self._growth = asyncio.get_running_loop().create_future()
        growth = self._growth
        if await self._look() > number:
            return
        self._waiting += 1
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._keep_looking())
        try:
            # The future is shared by all who wait, so it must survive whoever gives up.
            await asyncio.wait([growth], timeout=seconds)
        finally:
            self._waiting -= 1

    def tell(self) -> None:
        """Wake all who wait."""
        if self._growth is not None:
            self._growth.set_result(None)
            self._growth = None

    async def close(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> int:
        number = await self._read_number()
        if number > self._seen:
            self._seen = number
            self.tell()
        return number

    async def _keep_looking(self) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(_LOOK_SECONDS)
                # Whoever waits gives up in time, and a later look may succeed.
                with suppress(StoreUnavailable):
                    await self._look()
        finally:
            self._looking = None
