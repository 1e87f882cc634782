import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from sealring.storage.postgresql.database import DatabasePool, open_pool
from sealring.storage.postgresql.store_migration import place_position, take_empty_store, tally_table, write_rows
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.tally import Tally
from sealring.storage.sql.table import TABLES

if TYPE_CHECKING:
    from conftest import PostgresqlServer

NOT_MOVED = {"migrations", "leases", "audit_head", "name_lock"}
TYPES = {"bigint": "integer", "smallint": "integer", "text": "text", "bytea": "octets"}
BY_NAME = {table.name: table for table in TABLES}


@pytest.fixture
async def connection(postgresql_server: "PostgresqlServer") -> AsyncIterator[Any]:
    """Connect to a fresh database with all tables."""
    name = f"moved_{os.urandom(8).hex()}"
    maker = await asyncpg.connect(postgresql_server.url())
    await maker.execute(f"CREATE DATABASE {name}")
    await maker.close()
    pool = await open_pool(postgresql_server.url(name), randomness=os.urandom, demo=False)
    assert isinstance(pool, DatabasePool), pool
    await pool.close()
    connected = await asyncpg.connect(postgresql_server.url(name))
    yield connected
    await connected.close()


async def test_every_table_and_column_of_a_database_is_named_with_its_type(connection: Any) -> None:  # noqa: ANN401 -- asyncpg's
    described = await connection.fetch(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    )
    assert {row[0] for row in described} - NOT_MOVED == BY_NAME.keys()
    for table in TABLES:
        assert {name: TYPES[kind] for owner, name, kind in described if owner == table.name} == table.columns


async def test_text_is_ordered_by_its_octets_whatever_the_locale(connection: Any) -> None:  # noqa: ANN401 -- asyncpg's
    table = BY_NAME["apis"]
    names = ["a", "B", "_", "é", "Z", "z", "\U0001f511", "-a"]
    rows = {
        name: tuple({"created_at": 1, "identifier": name, "registration": "{}"}[c] for c in table.columns)
        for name in names
    }
    # Every locale of this PostgreSQL orders by octets, so that the text of the statements must do.
    for each in TABLES:
        order = each.read_from_sqlite.rpartition(" ORDER BY ")[2].split(", ")
        octets = [f'{column} COLLATE "C"' if each.columns[column] == "text" else column for column in order]
        assert each.read_from_postgresql.endswith(f" ORDER BY {', '.join(octets)}")
    given = Tally()
    given.take(rows[name] for name in sorted(names, key=str.encode))
    transaction = Transaction(connection)
    await write_rows(transaction, table, rows.values())
    async with connection.transaction():
        assert (await tally_table(transaction, table)).agrees_with(given)


async def test_only_an_unused_database_is_taken_and_nobody_writes_to_it_meanwhile(
    connection: Any,  # noqa: ANN401 -- asyncpg's
    postgresql_server: "PostgresqlServer",
) -> None:
    other = await asyncpg.connect(postgresql_server.url(await connection.fetchval("SELECT current_database()")))
    await other.execute("SET lock_timeout = '50ms'")
    undone = connection.transaction()
    await undone.start()
    assert await take_empty_store(Transaction(connection))
    for written in (
        "INSERT INTO apis VALUES ('orders', '{}', 1)",
        "UPDATE key_version SET version = 1",
        "SELECT position FROM audit_head FOR UPDATE",
        "UPDATE store_state SET service_clock = 1",
    ):
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute(written)
    await undone.rollback()
    for written, cleared in (
        ("INSERT INTO apis VALUES ('orders', '{}', 1)", "DELETE FROM apis"),
        ("INSERT INTO leases VALUES ('keys', 'node', 1)", "DELETE FROM leases"),
        ("UPDATE key_version SET version = 1", "UPDATE key_version SET version = 0"),
        ("UPDATE audit_head SET position = 1", "UPDATE audit_head SET position = 0"),
        ("UPDATE store_state SET service_clock = 1", "UPDATE store_state SET service_clock = 0"),
        ("UPDATE store_state SET feed_number = 1", "UPDATE store_state SET feed_number = 0"),
    ):
        await other.execute(written)
        async with connection.transaction():
            assert not await take_empty_store(Transaction(connection)), written
        await other.execute(cleared)
    async with connection.transaction():
        assert await take_empty_store(Transaction(connection))
    await other.close()


async def test_positions_go_on_after_the_last_one_that_came(connection: Any) -> None:  # noqa: ANN401 -- asyncpg's
    await place_position(Transaction(connection))
    assert await connection.fetchval("SELECT position FROM audit_head") == 0
    await connection.execute(
        "INSERT INTO audit_events (position, writer, sequence, at, event, outcome, actor, details, personal_digest) "
        "VALUES (41, 'node', 1, 1, 'sign_in', 'done', 'user:ada', '{}', '')"
    )
    await place_position(Transaction(connection))
    assert await connection.fetchval("SELECT position FROM audit_head") == 41
