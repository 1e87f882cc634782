"""The queue before a store's one writer (SECURITY A8): what arrives together is handed over as one batch.

While a batch runs, the next one gathers. Where a batch fails its halves are tried again, down to single acts, so that
only the guilty one fails: among 256 acts it costs the others eight commits.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Generic, TypeVar

from sealring.ports import StoreUnavailable

_LARGEST_BATCH: Final = 256
_Act = TypeVar("_Act")


class _Waiting(Generic[_Act]):
    __slots__ = ("act", "alone", "future", "key")

    def __init__(self, act: _Act, future: asyncio.Future[Any], *, key: str | bytes | None, alone: bool) -> None:
        self.act = act
        self.future = future
        self.key = key
        self.alone = alone


class ActQueue(Generic[_Act]):
    """Hands acts to `transact` in batches, which runs them in one transaction and returns their results by position.

    `transact`: what it raises means that nothing of the batch happened; StoreUnavailable that it may not be tried again
    now. `out_of_reach`: what it raises where an act failed by no fault of its own, since the store was in the way.
    """

    def __init__(
        self,
        transact: Callable[[Sequence[_Act]], Awaitable[list[Any]]],
        *,
        out_of_reach: tuple[type[Exception], ...],
    ) -> None:
        self._transact = transact
        self._out_of_reach = out_of_reach
        self._waiting: list[_Waiting[_Act]] = []
        self._batch: list[_Waiting[_Act]] = []
        self._running: asyncio.Task[None] | None = None
        self._closed = False

    async def act(self, act: _Act, *, key: str | bytes | None = None, alone: bool = False) -> Any:  # noqa: ANN401 -- an act's own result
        """Run `act` and return its result once it is durable.

        `key`: of the family, user or client that it touches: in one batch each occurs once, the second waits for the
        next. `alone`: in a batch without others. Raises StoreUnavailable where the store refuses.
        """
        if self._closed:
            raise StoreUnavailable("the store is closed")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(act, future, key=key, alone=alone))
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())
            self._running.add_done_callback(self._abandon)
        return await future

    async def close(self) -> None:
        """Finish what waits and take nothing more."""
        self._closed = True
        if self._running is not None:
            # Not awaited itself: whoever gives up closing shall not cancel the acts that still wait.
            await asyncio.wait([self._running])

    async def _run(self) -> None:
        while self._waiting:
            self._batch = self._take_batch()
            if self._batch:
                await self._run_batch(self._batch)
        # Here, not in a callback: an act that comes after the last look at `_waiting` must find nobody running.
        self._batch, self._running = [], None

    def _abandon(self, running: asyncio.Task[None]) -> None:
        """Answer those who wait for a runner that was killed before its end, so that nobody waits for ever."""
        if self._running is not running:
            return
        abandoned = [*self._batch, *self._waiting]
        self._batch, self._waiting, self._running = [], [], None
        for waiting in abandoned:
            self._fail(waiting.future, StoreUnavailable("the writer was interrupted"))

    def _take_batch(self) -> list[_Waiting[_Act]]:
        batch: list[_Waiting[_Act]] = []
        later: list[_Waiting[_Act]] = []
        keys: set[str | bytes] = set()
        for waiting in self._waiting:
            if waiting.future.done():  # the caller went away: its act is not begun
                continue
            # Whoever wants to be alone is the first of a later batch, so it waits for no more than those before it.
            crowded = batch and (waiting.alone or batch[0].alone or len(batch) == _LARGEST_BATCH)
            if crowded or waiting.key in keys:
                later.append(waiting)
                continue
            if waiting.key is not None:
                keys.add(waiting.key)
            batch.append(waiting)
        self._waiting = later
        return batch

    async def _run_batch(self, batch: list[_Waiting[_Act]]) -> None:
        try:
            results = await self._transact([waiting.act for waiting in batch])
        except StoreUnavailable as problem:
            for waiting in batch:
                self._fail(waiting.future, problem)
        except Exception as problem:  # noqa: BLE001 -- whatever it was, only the guilty act shall feel it
            if len(batch) == 1:
                self._fail(batch[0].future, problem)
                return
            half = len(batch) // 2
            for part in (batch[:half], batch[half:]):
                present = [waiting for waiting in part if not waiting.future.done()]
                if present:
                    await self._run_batch(present)
        else:
            for waiting, result in zip(batch, results, strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(result)

    def _fail(self, future: asyncio.Future[Any], problem: Exception) -> None:
        if future.done():
            return
        if isinstance(problem, self._out_of_reach):
            unavailable = StoreUnavailable(type(problem).__name__)
            unavailable.__cause__ = problem
            future.set_exception(unavailable)
        else:
            future.set_exception(problem)
