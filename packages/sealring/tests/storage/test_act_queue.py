"""What the queue itself decides; how its batches fail and end is asked on each engine's own writer."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from sealring.ports import StoreUnavailable
from sealring.storage.act_queue import ActQueue


class Busy(Exception):  # noqa: N818 -- an engine's own word for being out of reach
    pass


class Writer:
    """Takes a turn of the loop for each batch, and fails where one of its acts is an exception."""

    def __init__(self) -> None:
        self.batches: list[list[object]] = []
        self.queue: ActQueue[object] = ActQueue(self.transact, out_of_reach=(Busy,))

    async def transact(self, acts: Sequence[object]) -> list[Any]:
        self.batches.append(list(acts))
        await asyncio.sleep(0)
        for act in acts:
            if isinstance(act, Exception):
                raise act
        return [f"did {act}" for act in acts]


@pytest.fixture
def writer() -> Writer:
    return Writer()


async def test_what_arrives_together_is_one_batch_and_each_gets_its_own_result(writer: Writer) -> None:
    assert await asyncio.gather(*(writer.queue.act(act) for act in "abc")) == ["did a", "did b", "did c"]
    assert writer.batches == [["a", "b", "c"]]


async def test_an_act_that_is_alone_shares_no_batch_and_keeps_its_place(writer: Writer) -> None:
    acts = [writer.queue.act(act, alone=act in "BC") for act in "aBdCe"]
    await asyncio.gather(*acts)
    assert writer.batches == [["a", "d", "e"], ["B"], ["C"]]


async def test_an_act_that_is_alone_is_not_passed_for_ever(writer: Writer) -> None:
    async def again_and_again() -> None:
        for _ in range(20):
            await writer.queue.act("x")

    busy = asyncio.gather(again_and_again(), again_and_again())
    await asyncio.sleep(0)
    assert await asyncio.wait_for(writer.queue.act("A", alone=True), timeout=5) == "did A"
    assert not busy.done()
    await busy


async def test_a_store_that_is_gone_is_not_asked_again_for_each_half(writer: Writer) -> None:
    gone = StoreUnavailable("gone")
    results = await asyncio.gather(*(writer.queue.act(act) for act in ("a", gone, "b")), return_exceptions=True)
    assert [type(result) for result in results] == [StoreUnavailable] * 3
    assert len(writer.batches) == 1


async def test_an_engine_that_is_in_the_way_is_unavailable_to_the_guilty_act_alone(writer: Writer) -> None:
    results = await asyncio.gather(*(writer.queue.act(act) for act in ("a", Busy(), "b")), return_exceptions=True)
    assert [type(result) for result in results] == [str, StoreUnavailable, str]
    assert isinstance(results[1].__cause__, Busy)


async def test_a_closed_queue_takes_nothing(writer: Writer) -> None:
    last = asyncio.ensure_future(writer.queue.act("last"))
    await asyncio.sleep(0)
    await writer.queue.close()
    assert last.result() == "did last"
    with pytest.raises(StoreUnavailable):
        await writer.queue.act("late")
