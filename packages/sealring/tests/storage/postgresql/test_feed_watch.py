import asyncio
from collections.abc import AsyncIterator

import pytest

from sealring.ports import StoreUnavailable
from sealring.storage.postgresql.feed_watch import FeedWatch


class Head:
    """A head that a test moves; it cannot be read while `gone`."""

    def __init__(self) -> None:
        self.number = 5
        self.looks = 0
        self.gone = False

    async def read(self) -> int:
        self.looks += 1
        if self.gone:
            raise StoreUnavailable("gone")
        return self.number


@pytest.fixture
def head() -> Head:
    return Head()


@pytest.fixture
async def watch(head: Head) -> AsyncIterator[FeedWatch]:
    made = FeedWatch(head.read)
    yield made
    await made.close()


async def test_whoever_is_behind_does_not_wait(watch: FeedWatch) -> None:
    await asyncio.wait_for(watch.wait_beyond(4, seconds=30), timeout=1)


async def test_what_another_node_ended_is_seen_within_a_quarter_of_a_second(watch: FeedWatch, head: Head) -> None:
    waiting = [asyncio.create_task(watch.wait_beyond(5, seconds=30)) for _ in range(50)]
    await asyncio.sleep(0.05)
    head.number = 6
    await asyncio.wait_for(asyncio.gather(*waiting), timeout=0.25)


async def test_all_who_wait_share_their_looks_and_nobody_looks_for_nobody(watch: FeedWatch, head: Head) -> None:
    await asyncio.gather(*(watch.wait_beyond(5, seconds=0.35) for _ in range(50)))
    assert head.looks <= 50 + 4
    await asyncio.sleep(0.15)
    looks = head.looks
    await asyncio.sleep(0.3)
    assert head.looks == looks


async def test_what_this_node_ended_is_told_at_once(watch: FeedWatch, head: Head) -> None:
    waiting = asyncio.create_task(watch.wait_beyond(5, seconds=30))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    looks = head.looks
    watch.tell()
    await asyncio.wait_for(waiting, timeout=1)
    assert head.looks == looks


async def test_a_store_that_was_away_for_a_while_is_looked_at_again(watch: FeedWatch, head: Head) -> None:
    waiting = asyncio.create_task(watch.wait_beyond(5, seconds=30))
    await asyncio.sleep(0.05)
    head.gone = True
    await asyncio.sleep(0.25)
    head.gone, head.number = False, 6
    await asyncio.wait_for(waiting, timeout=1)


async def test_whoever_gives_up_takes_nobody_along(watch: FeedWatch, head: Head) -> None:
    first, second = (asyncio.create_task(watch.wait_beyond(5, seconds=30)) for _ in range(2))
    await asyncio.sleep(0.05)
    first.cancel()
    head.number = 6
    await asyncio.wait_for(second, timeout=1)
