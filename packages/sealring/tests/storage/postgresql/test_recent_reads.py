import asyncio

import pytest

from sealring.ports import StoreUnavailable
from sealring.storage.postgresql.recent_reads import RecentReads


class Rows:
    """A table that a test changes, read slowly; `now`: seconds."""

    def __init__(self) -> None:
        self.rows: dict[str, str] = {"a": "one"}
        self.reads = 0
        self.gone = False
        self.now = 0.0
        self.begun = asyncio.Event()
        self.recent = RecentReads(self.read, monotonic=lambda: self.now)

    async def read(self, name: str) -> str | None:
        self.reads += 1
        self.begun.set()
        if self.gone:
            raise StoreUnavailable("gone")
        found = self.rows.get(name)
        await asyncio.sleep(0)
        return found


@pytest.fixture
def table() -> Rows:
    return Rows()


async def test_what_was_read_counts_for_a_tenth_of_a_second(table: Rows) -> None:
    assert await table.recent.find("a") == "one"
    table.rows["a"] = "two"
    table.now = 0.099
    assert await table.recent.find("a") == "one"
    table.now = 0.1
    assert await table.recent.find("a") == "two"
    assert table.reads == 2


async def test_its_age_counts_from_when_it_was_asked_for(table: Rows) -> None:
    asking = asyncio.create_task(table.recent.find("a"))
    await asyncio.sleep(0)
    table.now = 0.2
    await asking
    table.rows["a"] = "two"
    assert await table.recent.find("a") == "two"


async def test_many_at_once_wait_for_one_reading(table: Rows) -> None:
    assert await asyncio.gather(*(table.recent.find("a") for _ in range(50))) == ["one"] * 50
    assert table.reads == 1


async def test_what_is_forgotten_is_read_anew_also_while_it_is_being_read(table: Rows) -> None:
    asking = asyncio.create_task(table.recent.find("a"))
    async with asyncio.timeout(5):
        await table.begun.wait()
    table.rows["a"] = "two"
    table.recent.forget()
    assert await table.recent.find("a") == "two"
    assert await asking == "one"
    assert await table.recent.find("a") == "two"


async def test_what_is_not_there_or_cannot_be_read_is_asked_for_again(table: Rows) -> None:
    assert await table.recent.find("b") is None
    table.rows["b"] = "new"
    assert await table.recent.find("b") == "new"
    table.gone = True
    table.now = 1.0
    with pytest.raises(StoreUnavailable):
        await table.recent.find("b")
    table.gone = False
    assert await table.recent.find("b") == "new"


async def test_whoever_gives_up_leaves_the_reading_to_the_others(table: Rows) -> None:
    first = asyncio.create_task(table.recent.find("a"))
    second = asyncio.create_task(table.recent.find("a"))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "one"
    assert table.reads == 1


async def test_names_without_end_are_not_kept_for_ever(table: Rows) -> None:
    for number in range(5000):
        table.rows[f"n{number}"] = "x"
        await table.recent.find(f"n{number}")
    assert len(table.recent._readings) <= 4096
