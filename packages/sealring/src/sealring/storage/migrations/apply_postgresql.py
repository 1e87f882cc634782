"""Brings a PostgreSQL database up to date, whichever of several nodes comes first."""

from typing import Final

from sealring.protocol.secret import Randomness
from sealring.storage.migrations.apply import (
    ADD_RECORD,
    LIST_RECORDS,
    migration_problem,
    migration_record,
    migrations,
)
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.sql import store_state

_HAS_RECORDS: Final = "SELECT to_regclass('migrations') IS NOT NULL"
_MAKE_RECORDS: Final = """
CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL);
INSERT INTO migrations (number, name, digest) VALUES (0, 'lock', '') ON CONFLICT DO NOTHING;
"""
# Row 0 is no migration: whoever changes the schema holds it, and others wait and then find the work done.
_LOCK_RECORDS: Final = "SELECT number FROM migrations WHERE number = 0 FOR UPDATE"


async def is_migrated(transaction: Transaction) -> bool | str:
    """Say whether nothing is left to do; a sentence where this program cannot serve the database.

    Reads only, so that a role that may not change the schema can start where there is nothing to change.
    """
    if not await transaction.value(_HAS_RECORDS):
        return False
    applied = dict(await transaction.all(LIST_RECORDS))
    known = migrations("postgresql")
    problem = migration_problem(applied, known)
    if problem is not None:
        return problem
    return applied.keys() == known.keys() and await transaction.one(store_state.FIND_STATE) is not None


async def make_records(transaction: Transaction) -> None:
    """Make the table that says what was applied. Raises what PostgreSQL does where two make it at once."""
    await transaction.script(_MAKE_RECORDS)


async def apply_due(transaction: Transaction, *, randomness: Randomness, demo: bool) -> str | None:
    """Apply what is due, in one transaction; return a sentence as `is_migrated` does.

    A new database gets its incarnation here (SECURITY A9). `demo`: marks a new one as the demo's.
    """
    await transaction.one(_LOCK_RECORDS)
    applied = dict(await transaction.all(LIST_RECORDS))
    known = migrations("postgresql")
    problem = migration_problem(applied, known)
    if problem is not None:
        return problem
    for name, text in known.items():
        if name not in applied:
            await transaction.script(text)
            await transaction.change(ADD_RECORD, migration_record(name, text))
    if await transaction.one(store_state.FIND_STATE) is None:
        await transaction.change(store_state.CREATE_STATE, {"incarnation": randomness(16), "demo": demo})
    return None
