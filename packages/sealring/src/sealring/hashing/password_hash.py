"""Hashing threads behind a bounded queue (SECURITY F3): twice as many threads were slower and held up the loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from sealring.credentials.password_hash import (
    Match,
    MatchNeedsRehash,
    NoMatch,
    PasswordHashParameters,
    dummy_password_hash,
    hash_password,
    verify_password,
)
from sealring.ports import HashingBusy, Randomness

_Result = TypeVar("_Result")


class HashingThreads:
    """`ports.PasswordHashing` on `threads` threads; at most `queue` callers wait for them."""

    def __init__(self, *, parameters: PasswordHashParameters, threads: int, queue: int, randomness: Randomness) -> None:
        self._parameters = parameters
        self._randomness = randomness
        self._dummy = dummy_password_hash(parameters)
        self._room = threads + queue
        self._turns = asyncio.Semaphore(threads)
        self._inside = 0
        self._pool = ThreadPoolExecutor(threads, "hashing")

    async def hash(self, prepared: bytes) -> str | HashingBusy:
        """Hash a prepared password under today's parameters."""
        return await self._take_turn(
            lambda: hash_password(prepared, parameters=self._parameters, randomness=self._randomness)
        )

    async def verify(
        self, password_hash: str | None, prepared: bytes
    ) -> Match | MatchNeedsRehash | NoMatch | HashingBusy:
        """Check a prepared password; None costs the same time as a hash and never matches."""
        checked = self._dummy if password_hash is None else password_hash
        return await self._take_turn(lambda: verify_password(checked, prepared, parameters=self._parameters))

    def close(self) -> None:
        """Let the threads finish and end them."""
        self._pool.shutdown()

    async def _take_turn(self, work: Callable[[], _Result]) -> _Result | HashingBusy:
        if self._inside >= self._room:
            return HashingBusy()
        self._inside += 1
        try:
            # A caller that goes away while it waits is cancelled here, and its hash is never computed.
            async with self._turns:
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1
