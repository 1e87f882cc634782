"""An open transaction as acts see it: the statements of storage/sql, and values by name."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Any, Final

Values = Mapping[str, Any]
NO_VALUES: Final[Values] = MappingProxyType({})
_ROWS_OF_A_PART: Final = 1000
_PLACE = re.compile(r"(?<!:):([a-z]\w*)")


@cache
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Turn the places that a statement names (`:sub`) into numbers (`$1`), and tell the names by number."""
    names: list[str] = []

    def number(place: re.Match[str]) -> str:
        if place[1] not in names:
            names.append(place[1])
        return f"${names.index(place[1]) + 1}"

    return _PLACE.sub(number, statement), tuple(names)


def arguments(names: Sequence[str], values: Values) -> list[Any]:
    """Put values in the order of a statement's numbers."""
    return [values[name] for name in names]


class Transaction:
    """Statements on one connection, whoever began and will end their transaction.

    `connection`: asyncpg's; what it raises is whoever began it to judge.
    """

    def __init__(self, connection: Any) -> None:  # noqa: ANN401 -- asyncpg has no types
        self._connection = connection

    async def one(self, statement: str, values: Values = NO_VALUES) -> Any:  # noqa: ANN401 -- a row
        """Run a statement and return its first row, or None."""
        text, names = numbered(statement)
        return await self._connection.fetchrow(text, *arguments(names, values))

    async def value(self, statement: str, values: Values = NO_VALUES) -> Any:  # noqa: ANN401 -- a column
        """Run a statement and return the first column of its first row, or None."""
        text, names = numbered(statement)
        return await self._connection.fetchval(text, *arguments(names, values))

    async def all(self, statement: str, values: Values = NO_VALUES) -> list[Any]:
        """Run a statement and return its rows."""
        text, names = numbered(statement)
        rows: list[Any] = await self._connection.fetch(text, *arguments(names, values))
        return rows

    async def parts(self, statement: str, values: Values = NO_VALUES) -> AsyncIterator[list[Any]]:
        """Run a statement and give its rows a thousand at a time; others run in between."""
        text, names = numbered(statement)
        cursor = await self._connection.cursor(text, *arguments(names, values))
        while rows := await cursor.fetch(_ROWS_OF_A_PART):
            yield rows

    async def change(self, statement: str, values: Values = NO_VALUES) -> int:
        """Run a statement and return how many rows it touched."""
        text, names = numbered(statement)
        done: str = await self._connection.execute(text, *arguments(names, values))
        return int(done.rpartition(" ")[2])

    async def change_each(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement once for each of some values, without waiting in between."""
        text, names = numbered(statement)
        await self._connection.executemany(text, [arguments(names, values) for values in rows])

    async def script(self, text: str) -> None:
        """Run statements that take no values."""
        await self._connection.execute(text)
