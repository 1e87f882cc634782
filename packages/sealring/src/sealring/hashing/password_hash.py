"""Hashing threads behind a bounded queue (SECURITY F3): twice as many threads were slower and held up the loop."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Final, TypeVar

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
_FEWEST_OF_ONE: Final = 4


class HashingThreads:
    """`ports.PasswordHashing` on `threads` threads; at most `queue` callers wait for them.

    `reserved`: how many of the queue's places only known devices may take. One account in one network has half of
    all places, or four: who signs in with the right password is never slowed down by failures.
    """

    def __init__(
        self,
        *,
        parameters: PasswordHashParameters,
        threads: int,
        queue: int,
        reserved: int = 0,
        randomness: Randomness,
    ) -> None:
        self._parameters = parameters
        self._randomness = randomness
        self._dummy = dummy_password_hash(parameters)
        self._room = threads + queue
        self._reserved = reserved
        self._most_of_one = max(_FEWEST_OF_ONE, self._room // 2)
        self._held: Counter[tuple[str, str]] = Counter()
        self._turns = _Turns(threads)
        self._inside = 0
        self._strangers = 0
        self._pool = ThreadPoolExecutor(threads, "hashing")

    async def hash(self, prepared: bytes, *, known_device: bool = False) -> str | HashingBusy:
        """Hash a prepared password under today's parameters."""
        return await self._take_turn(
            lambda: hash_password(prepared, parameters=self._parameters, randomness=self._randomness),
            known_device=known_device,
        )

    async def verify(
        self,
        password_hash: str | None,
        prepared: bytes,
        *,
        known_device: bool = False,
        holder: tuple[str, str] | None = None,
    ) -> Match | MatchNeedsRehash | NoMatch | HashingBusy:
        """Check a prepared password; None costs the same time as a hash and never matches."""
        checked = self._dummy if password_hash is None else password_hash
        return await self._take_turn(
            lambda: verify_password(checked, prepared, parameters=self._parameters),
            known_device=known_device,
            holder=holder,
        )

    def close(self) -> None:
        """Let the threads finish and end them."""
        self._pool.shutdown()

    async def _take_turn(
        self, work: Callable[[], _Result], *, known_device: bool = False, holder: tuple[str, str] | None = None
    ) -> _Result | HashingBusy:
        if self._inside >= self._room:
            return HashingBusy()
        if holder is not None and self._held[holder] >= self._most_of_one:
            return HashingBusy()
        if not known_device and self._strangers >= self._room - self._reserved:
            return HashingBusy()
        self._inside += 1
        self._strangers += not known_device
        if holder is not None:
            self._held[holder] += 1
        try:
            # A caller that goes away while it waits is cancelled here, and its hash is never computed.
            async with self._turns.taken(known_device=known_device):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._inside -= 1
            self._strangers -= not known_device
            if holder is not None:
                self._held[holder] -= 1
                if not self._held[holder]:
                    del self._held[holder]


class _Turns:
    """Turns at the threads, in two lines: while both wait, every second turn is a known device's."""

    def __init__(self, free: int) -> None:
        self._free = free
        self._strangers: deque[asyncio.Future[None]] = deque()
        self._known: deque[asyncio.Future[None]] = deque()
        self._known_next = True

    @asynccontextmanager
    async def taken(self, *, known_device: bool) -> AsyncIterator[None]:
        """Hold a turn, waiting for it in the caller's own line."""
        if self._free:
            self._free -= 1
        else:
            await self._wait(self._known if known_device else self._strangers)
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, line: deque[asyncio.Future[None]]) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.cancelled():
                if turn in line:
                    line.remove(turn)
            else:  # the turn came in the moment in which its caller went away
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        first, second = (self._known, self._strangers) if self._known_next else (self._strangers, self._known)
        for line in (first, second):
            while line:
                turn = line.popleft()
                if not turn.done():
                    self._known_next = line is not self._known
                    turn.set_result(None)
                    return
        self._free += 1
