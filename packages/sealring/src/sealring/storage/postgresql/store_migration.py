"""A PostgreSQL database as the target of another store's rows, all in one transaction."""

from collections.abc import Iterable, Sequence

from sealring.ports import KeyStock
from sealring.protocol.standing_key import StandingKey
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.key import key_of
from sealring.storage.rows.tally import Tally
from sealring.storage.sql import key as key_sql
from sealring.storage.sql import table as sql
from sealring.storage.sql.table import Table


async def take_empty_store(transaction: Transaction) -> bool:
    """Hold all tables against whoever else would write, to the end of the transaction; False where one has begun.

    What a new database is made with (an incarnation, two numbers) is gone then, for that of the source to come.
    """
    await transaction.script(sql.TAKE_TIME)
    await transaction.script(sql.HOLD_TABLES)
    if await transaction.value(sql.IS_BEGUN):
        return False
    await transaction.change(sql.FORGET_VERSION)
    await transaction.change(sql.FORGET_STATE)
    return True


async def write_rows(transaction: Transaction, table: Table, rows: Iterable[Sequence[object]]) -> None:
    """Write rows as they were read."""
    await transaction.change_each(table.write, [dict(zip(table.columns, row, strict=True)) for row in rows])


async def tally_table(transaction: Transaction, table: Table) -> Tally:
    """Read a table back in the order of its key."""
    tally = Tally()
    async for part in transaction.parts(table.read_from_postgresql):
        tally.take(part)
    return tally


async def place_position(transaction: Transaction) -> None:
    """Let positions of the audit go on after the last one that came."""
    await transaction.change(sql.PLACE_POSITION)


async def read_written_keys(transaction: Transaction) -> KeyStock:
    """Read all keys, as they are in the transaction."""
    return KeyStock(
        version=int(await transaction.value(key_sql.FIND_VERSION)),
        keys=tuple(key_of(row) for row in await transaction.all(key_sql.LIST_KEYS)),
        standing=tuple(
            StandingKey(purpose=purpose, sealed=sealed)
            for purpose, sealed in await transaction.all(key_sql.LIST_STANDING_KEYS)
        ),
    )
