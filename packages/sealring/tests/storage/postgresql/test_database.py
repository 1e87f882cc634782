import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import pytest

from sealring.ports import Store, StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.migrations.apply import migrations
from sealring.storage.postgresql.database import PostgresqlDatabase, database_name, open_database
from sealring.storage.postgresql.store import PostgresqlStore
from sealring.storage.store_problem import StoreProblem

if TYPE_CHECKING:
    from conftest import PostgresqlServer

EVENT = AuditEvent(event="sign_in", at=1000, actor="user:ada")
SECRET = "pw_of_the_operator"


async def open_at(url: str, *, writer: str = "node-1") -> PostgresqlDatabase | StoreProblem:
    return await open_database(url, audit_key=b"k" * 32, writer=writer, randomness=os.urandom, demo=False)


async def problem_at(url: str) -> str:
    problem = await open_at(url)
    assert isinstance(problem, StoreProblem)
    assert SECRET not in problem.sentence
    return problem.sentence


@pytest.fixture
async def bare(postgresql_server: "PostgresqlServer") -> AsyncIterator[str]:
    """A database without a table."""
    maker = await asyncpg.connect(postgresql_server.url())
    await maker.execute("CREATE DATABASE bare")
    yield postgresql_server.url("bare")
    await maker.execute("DROP DATABASE bare WITH (FORCE)")
    await maker.close()


@pytest.fixture
def fragile(postgresql_server: "PostgresqlServer") -> Iterator["PostgresqlServer"]:
    """A server of this test's own, which it may kill."""
    server = type(postgresql_server)()
    server.start()
    yield server
    server.remove()


@pytest.fixture
async def operator(url: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the operator's own to the one database."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


# --- Opening ---


async def test_of_several_nodes_that_migrate_at_once_one_does_and_all_serve(bare: str) -> None:
    opened = await asyncio.gather(*(open_at(bare, writer=f"node-{number}") for number in range(8)))
    stores = [PostgresqlStore(database) for database in opened if isinstance(database, PostgresqlDatabase)]
    assert len(stores) == 8, opened
    assert len({(await store.state.identity()).incarnation for store in stores}) == 1
    for store in stores:
        await store.close()
    reader = await asyncpg.connect(bare)
    applied = await reader.fetch("SELECT number, name FROM migrations ORDER BY number")
    await reader.close()
    assert [name for _, name in applied] == ["lock", *migrations("postgresql")]
    assert [number for number, _ in applied] == list(range(len(applied)))


def test_both_engines_have_the_same_migrations() -> None:
    assert list(migrations("postgresql")) == list(migrations("sqlite"))


async def test_a_migration_that_fails_leaves_nothing_behind(bare: str) -> None:
    reader = await asyncpg.connect(bare)
    await reader.execute("CREATE TABLE keys (somebody TEXT)")
    assert 'relation "keys" already exists' in await problem_at(bare)
    tables = await reader.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
    await reader.close()
    assert [name for (name,) in tables] == ["keys", "migrations"]


async def test_a_database_of_a_newer_program_is_refused(url: str, operator: asyncpg.Connection) -> None:
    await operator.execute("INSERT INTO migrations VALUES (9999, '9999_from_the_future', 'digest')")
    sentence = await problem_at(url)
    await operator.execute("DELETE FROM migrations WHERE number = 9999")
    assert "a newer Sealring (it has 9999_from_the_future)" in sentence


async def test_a_migration_that_was_applied_in_another_form_is_refused(url: str, operator: asyncpg.Connection) -> None:
    await operator.execute("UPDATE migrations SET digest = 'x' || digest WHERE number = 1")
    sentence = await problem_at(url)
    await operator.execute("UPDATE migrations SET digest = substr(digest, 2) WHERE number = 1")
    assert "0001_trunk was applied in another form" in sentence


async def test_a_role_that_may_not_change_tables_serves_what_is_migrated(
    store: Store, url: str, operator: asyncpg.Connection
) -> None:
    identity = await store.state.identity()
    await operator.execute("CREATE ROLE runtime LOGIN")
    await operator.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO runtime")
    served = await open_at(url.replace("postgres@", "runtime@"), writer="node-9")
    assert isinstance(served, PostgresqlDatabase), served
    assert await PostgresqlStore(served).state.identity() == identity
    await served.close()
    # Something is due, and the role may not do it.
    last = await operator.fetchrow("DELETE FROM migrations WHERE number = 4 RETURNING *")
    sentence = await problem_at(url.replace("postgres@", "runtime@"))
    await operator.execute("INSERT INTO migrations VALUES ($1, $2, $3)", *last)
    await operator.execute("DROP OWNED BY runtime; DROP ROLE runtime")
    assert "run `sealring migrate` once with the URL of a user who may" in sentence


# --- What stands in the way is told in a sentence ---


async def test_a_server_that_is_not_there_is_told(postgresql_server: "PostgresqlServer") -> None:
    sentence = await problem_at(f"postgresql://ada:{SECRET}@127.0.0.1:1/sealring")
    assert sentence.startswith("The database sealring on 127.0.0.1:1 cannot be reached (")
    assert sentence.endswith("is PostgreSQL running there?")
    missing = postgresql_server.url("nowhere").replace("postgres@", f"postgres:{SECRET}@")
    assert "There is no database nowhere on 127.0.0.1" in await problem_at(missing)
    stranger = postgresql_server.url().replace("postgres@", f"stranger:{SECRET}@")
    assert "refuses the user" in await problem_at(stranger)


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://ada:{SECRET}@localhost/x",
        f"postgresql://ada:{SECRET}@localhost:port/x",
        f"postgresql://ada:{SECRET}@localhost/x?sslmode=perhaps",
        f"postgresql://ada:{SECRET}@[::1/x",
        SECRET,
    ],
)
async def test_what_is_no_url_is_told_without_repeating_it(url: str) -> None:
    assert "postgresql://USER@HOST:PORT/DATABASE" in await problem_at(url)


async def test_a_replica_is_refused(url: str, operator: asyncpg.Connection) -> None:
    await operator.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
    try:
        assert "is a read-only replica" in await problem_at(url)
    finally:
        await operator.execute("SET default_transaction_read_only = off")
        await operator.execute("ALTER ROLE postgres RESET default_transaction_read_only")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("postgresql://ada:pw@db.example:5433/sealring?sslmode=require", "sealring on db.example:5433"),
        ("postgresql://db1,db2:5433/sealring", "sealring on db1,db2:5433"),
        ("postgresql:///sealring?host=/run/postgresql", "sealring on this machine"),
        ("postgresql://ada:p@w@db/", "(by default) on db"),
        ("postgresql://[::1/x", "(its URL cannot be read)"),
    ],
)
def test_a_database_is_named_without_user_password_and_options(url: str, name: str) -> None:
    assert database_name(url) == name


# --- Open ---


async def test_connections_wait_neither_for_locks_nor_for_frozen_nodes_for_ever(
    database: PostgresqlDatabase,
) -> None:
    await database._group._ready()
    for setting in ("lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout"):
        value = await database._group._connection.fetchval(f"SHOW {setting}")
        assert value in {"5s", "10s", "30s"}, (setting, value)
        assert (await database.read(f"SHOW {setting}"))[0] == value


async def test_a_server_that_is_killed_is_unavailable_and_all_is_well_when_it_is_back(
    fragile: "PostgresqlServer",
) -> None:
    opened = await open_at(fragile.url())
    assert isinstance(opened, PostgresqlDatabase), opened
    store = PostgresqlStore(opened)
    await store.audit.record([EVENT])
    fragile.stop(signal.SIGQUIT)
    with pytest.raises(StoreUnavailable):
        await store.state.identity()
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            await store.audit.record([EVENT])
    fragile.start()
    await store.audit.record([EVENT])
    listed = await store.audit.list_events(after=0, limit=9)
    assert [recorded.sequence for _, recorded in listed] == [1, 2]
    await store.close()
