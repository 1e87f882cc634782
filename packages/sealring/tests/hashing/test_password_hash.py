import asyncio
import os
import threading
from collections.abc import Iterator

import pytest

from sealring.credentials.password_hash import Match, MatchNeedsRehash, NoMatch, PasswordHashParameters
from sealring.hashing.password_hash import HashingThreads
from sealring.ports import HashingBusy

CHEAP = PasswordHashParameters(memory=8, passes=1, lanes=1)


@pytest.fixture
def hashing() -> Iterator[HashingThreads]:
    threads = HashingThreads(parameters=CHEAP, threads=1, queue=2, randomness=os.urandom)
    yield threads
    threads.close()


async def test_a_hash_matches_its_password_alone(hashing: HashingThreads) -> None:
    made = await hashing.hash(b"secret")
    assert isinstance(made, str)
    assert await hashing.verify(made, b"secret") == Match()
    assert await hashing.verify(made, b"other") == NoMatch()


async def test_no_hash_never_matches(hashing: HashingThreads) -> None:
    assert await hashing.verify(None, b"secret") == NoMatch()


async def test_a_hash_of_other_parameters_asks_for_a_new_one(hashing: HashingThreads) -> None:
    dearer = HashingThreads(
        parameters=PasswordHashParameters(memory=16, passes=1, lanes=1), threads=1, queue=1, randomness=os.urandom
    )
    made = await dearer.hash(b"secret")
    assert isinstance(made, str)
    assert await hashing.verify(made, b"secret") == MatchNeedsRehash()
    dearer.close()


async def test_who_finds_the_queue_full_is_told_at_once_and_room_comes_back(hashing: HashingThreads) -> None:
    gate = threading.Event()
    waiting = [asyncio.create_task(hashing._take_turn(gate.wait)) for _ in range(3)]  # one thread, two in the queue
    await asyncio.sleep(0)
    assert await hashing.hash(b"secret") == HashingBusy()
    assert await hashing.verify(None, b"secret") == HashingBusy()
    gate.set()
    assert await asyncio.gather(*waiting) == [True] * 3
    assert await hashing.verify(None, b"secret") == NoMatch()


async def test_who_goes_away_in_the_queue_is_never_computed_and_frees_a_place(hashing: HashingThreads) -> None:
    gate, computed = threading.Event(), threading.Event()
    first = asyncio.create_task(hashing._take_turn(gate.wait))
    await asyncio.sleep(0)
    gone = asyncio.create_task(hashing._take_turn(computed.set))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    gate.set()
    await first
    assert await hashing.verify(None, b"x") == NoMatch()
    assert not computed.is_set()
    assert hashing._inside == 0
