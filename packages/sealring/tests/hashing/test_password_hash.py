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


async def test_strangers_cannot_take_the_reserved_places_of_known_devices() -> None:
    hashing = HashingThreads(parameters=CHEAP, threads=1, queue=3, reserved=1, randomness=os.urandom)
    gate = threading.Event()
    waiting = [asyncio.create_task(hashing._take_turn(gate.wait)) for _ in range(3)]
    await asyncio.sleep(0)
    assert await hashing.verify(None, b"x") == HashingBusy()
    known = asyncio.create_task(hashing.verify(None, b"x", known_device=True))
    await asyncio.sleep(0)
    assert await hashing.verify(None, b"x", known_device=True) == HashingBusy()
    gate.set()
    assert await known == NoMatch()
    await asyncio.gather(*waiting)
    assert (hashing._inside, hashing._strangers) == (0, 0)
    hashing.close()


async def test_one_account_in_one_network_cannot_fill_the_queue_whatever_its_password_and_devices() -> None:
    hashing = HashingThreads(parameters=CHEAP, threads=1, queue=63, reserved=16, randomness=os.urandom)
    eve, gate = ("eve", "192.0.2"), threading.Event()
    waiting = [asyncio.create_task(hashing._take_turn(gate.wait))]
    await asyncio.sleep(0)
    flood = [
        asyncio.create_task(hashing.verify(None, b"x", known_device=known, holder=eve)) for known in (False, True) * 40
    ]
    await asyncio.sleep(0)
    others = [
        asyncio.create_task(hashing.verify(None, b"x", known_device=known, holder=holder))
        for holder in (("ada", "192.0.2"), ("eve", "198.51.100"))
        for known in (False, True)
    ]
    await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*others) == [NoMatch()] * 4
    answers = await asyncio.gather(*flood)
    assert answers.count(NoMatch()) == 32
    assert answers.count(HashingBusy()) == 48
    assert not hashing._held
    await asyncio.gather(*waiting)
    hashing.close()


async def test_while_both_wait_every_second_turn_is_a_known_devices() -> None:
    hashing = HashingThreads(parameters=CHEAP, threads=1, queue=9, reserved=4, randomness=os.urandom)
    gate, order = threading.Event(), []
    tasks = [asyncio.create_task(hashing._take_turn(gate.wait))]
    await asyncio.sleep(0)
    for name in "sssskkk":
        work = asyncio.create_task(hashing._take_turn(lambda name=name: order.append(name), known_device=name == "k"))
        tasks.append(work)
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(*tasks)
    assert "".join(order) == "kskskss"
    hashing.close()


async def test_a_turn_that_comes_as_its_caller_goes_away_is_passed_on(hashing: HashingThreads) -> None:
    gate = threading.Event()
    first = asyncio.create_task(hashing._take_turn(gate.wait))
    await asyncio.sleep(0)
    gone = asyncio.create_task(hashing._take_turn(gate.wait, known_device=True))
    await asyncio.sleep(0)
    gate.set()
    first.add_done_callback(lambda _: gone.cancel())
    await asyncio.gather(first, gone, return_exceptions=True)
    assert await hashing.verify(None, b"x") == NoMatch()
    assert hashing._turns._free == 1
