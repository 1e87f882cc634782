import os

import apsw

from sealring.storage.migrations.apply import apply_migrations


def migrated(connection: apsw.Connection | None = None) -> apsw.Connection:
    connection = connection or apsw.Connection(":memory:")
    assert apply_migrations(connection, randomness=os.urandom, demo=False) is None
    return connection


def schema(connection: apsw.Connection) -> list[object]:
    return connection.execute("SELECT type, name, sql FROM sqlite_schema ORDER BY name").fetchall()


def applied(connection: apsw.Connection) -> list[object]:
    return connection.execute("SELECT number, name, digest FROM migrations ORDER BY number").fetchall()


def again(connection: apsw.Connection) -> str | None:
    return apply_migrations(connection, randomness=os.urandom, demo=False)


def test_a_database_migrated_twice_is_the_one_migrated_once() -> None:
    once, twice = migrated(), migrated(migrated())
    assert schema(once) == schema(twice)
    assert applied(once) == applied(twice)
    assert [number for number, *_ in applied(once)] == list(range(1, len(applied(once)) + 1))


def test_an_incarnation_is_made_once_and_kept() -> None:
    connection = migrated()
    incarnation = connection.execute("SELECT incarnation FROM store_state").get
    assert len(incarnation) == 16
    assert again(connection) is None
    assert connection.execute("SELECT incarnation FROM store_state").get == incarnation


def test_a_database_of_a_newer_program_is_refused_and_left_alone() -> None:
    connection = migrated()
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_from_the_future', 'digest')")
    before = schema(connection), applied(connection)
    sentence = again(connection)
    assert sentence is not None
    assert "9999_from_the_future" in sentence
    assert "newer Sealring" in sentence
    assert (schema(connection), applied(connection)) == before


def test_a_migration_that_was_applied_in_another_form_is_refused() -> None:
    connection = migrated()
    connection.execute("UPDATE migrations SET digest = 'other' WHERE number = 1")
    sentence = again(connection)
    assert sentence is not None
    assert "0001_trunk" in sentence
    assert "do not match" in sentence


def test_a_migration_that_fails_leaves_the_database_as_it_was() -> None:
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE users (somebody, elses)")
    before = schema(connection)
    try:
        again(connection)
    except apsw.SQLError as failure:
        assert "users already exists" in str(failure)  # noqa: PT017 -- what matters follows the failure
    assert schema(connection) == before
