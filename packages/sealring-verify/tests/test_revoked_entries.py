import threading
import time
import tracemalloc
from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.revoked_entries import RevokedEntries

FEW_IDS = st.sampled_from([bytes(16), b"\1" * 16, *(sha256(bytes([n])).digest()[:16] for n in range(6))])
ENTRY = st.tuples(FEW_IDS, st.integers(0, 2**31), st.none() | st.integers(0, 2**33), st.integers(0, 2**53))


def _id(number: int) -> bytes:
    return sha256(number.to_bytes(8, "big")).digest()[:16]


@given(st.lists(ENTRY))
def test_it_holds_what_a_dict_would(added: list[tuple[bytes, int, int | None, int]]) -> None:
    entries, model = RevokedEntries(), dict[bytes, int]()
    for identifier, at, until, epoch in added:
        assert entries.add(identifier, at=at, until=until, epoch=epoch, now=0)
        model[identifier] = max(model.get(identifier, 0), epoch)
    assert len(entries) == len(model)
    for identifier, epoch in model.items():
        found = entries.find(identifier)
        assert found is not None
        assert found[1] == epoch


def test_an_entry_takes_at_most_64_octets_at_any_size() -> None:
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        entries = RevokedEntries()
        for number in range(100_000):
            entries.add(_id(number), at=1, until=None, epoch=0, now=0)
            if number in {9_999, 31_000, 70_000, 99_999}:
                assert (tracemalloc.get_traced_memory()[0] - before) / (number + 1) <= 64
    finally:
        tracemalloc.stop()
    assert all(entries.find(_id(number)) for number in range(0, 100_000, 7))
    assert not any(entries.find(_id(number)) for number in range(100_000, 101_000))


def test_what_has_expired_leaves_when_the_table_is_rebuilt_and_nothing_else() -> None:
    entries = RevokedEntries()
    for number in range(1000):
        entries.add(_id(number), at=1, until=None if number % 2 else 50, epoch=0, now=0)
    for number in range(1000, 2000):
        entries.add(_id(number), at=1, until=200, epoch=0, now=100)
    assert len(entries) < 2000
    assert all(entries.find(_id(number)) for number in [*range(1, 1000, 2), *range(1000, 2000)])


def test_a_later_until_holds_and_an_earlier_does_not() -> None:
    entries = RevokedEntries()
    for until in (50, 200, 60):
        entries.add(_id(0), at=1, until=until, epoch=0, now=0)
    for number in range(1, 200):
        entries.add(_id(number), at=1, until=None, epoch=0, now=100)
    assert entries.find(_id(0)) is not None


def test_the_bound_refuses_and_drops_nothing() -> None:
    entries = RevokedEntries(bound=100)
    outcomes = [entries.add(_id(number), at=1, until=9, epoch=0, now=0) for number in range(101)]
    assert outcomes == [True] * 100 + [False]
    assert all(entries.find(_id(number)) for number in range(100))
    assert entries.add(_id(5), at=1, until=9, epoch=7, now=0)
    assert entries.add(_id(101), at=1, until=99, epoch=0, now=10)


def test_readers_find_what_was_added_while_the_table_grows() -> None:
    entries, lost, done = RevokedEntries(), list[int](), threading.Event()
    entries.add(_id(0), at=1, until=None, epoch=3, now=0)

    def read() -> None:
        while not done.is_set():
            if entries.find(_id(0)) != (1, 3):
                lost.append(1)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for number in range(1, 20_000):
        entries.add(_id(number), at=1, until=5, epoch=0, now=number // 1000)
    done.set()
    for reader in readers:
        reader.join()
    assert lost == []


def test_a_look_takes_microseconds() -> None:
    entries = RevokedEntries()
    for number in range(50_000):
        entries.add(_id(number), at=1, until=None, epoch=0, now=0)
    names = [_id(number) for number in range(40_000, 60_000)]
    began = time.perf_counter()
    for name in names:
        entries.find(name)
    assert (time.perf_counter() - began) / len(names) < 20e-6
