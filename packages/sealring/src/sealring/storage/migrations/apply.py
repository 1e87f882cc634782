"""Brings a database up to date: each numbered file once, in order, in one transaction with its record."""

from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any, Final, Literal

import apsw

from sealring.protocol.secret import Randomness
from sealring.storage.sql import store_state

LIST_RECORDS: Final = "SELECT name, digest FROM migrations WHERE number > 0"
ADD_RECORD: Final = "INSERT INTO migrations (number, name, digest) VALUES (:number, :name, :digest)"
_RECORDS = """
CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL) STRICT
"""


def apply_migrations(connection: apsw.Connection, *, randomness: Randomness, demo: bool) -> str | None:
    """Apply what is due; return a sentence where the database is newer than this program or was altered.

    A new database gets its incarnation here (SECURITY A9). `demo`: marks a new one as the demo's.
    """
    with connection:
        connection.execute(_RECORDS)
        applied = {str(name): str(digest) for name, digest in connection.execute(LIST_RECORDS)}
        known = migrations("sqlite")
        problem = migration_problem(applied, known)
        if problem is not None:
            return problem
        for name, text in known.items():
            if name not in applied:
                connection.execute(text)
                connection.execute(ADD_RECORD, migration_record(name, text))
        if connection.execute(store_state.FIND_STATE).get is None:
            connection.execute(store_state.CREATE_STATE, {"incarnation": randomness(16), "demo": demo})
    return None


def migrations(engine: Literal["sqlite", "postgresql"]) -> dict[str, str]:
    """Read the migrations of an engine: name and text, in order."""
    folder, ending = files("sealring.storage.migrations"), f".{engine}.sql"
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(ending))
    return {name.removesuffix(ending): folder.joinpath(name).read_text() for name in found}


def migration_record(name: str, text: str) -> dict[str, Any]:
    """Write down that a migration was applied, as the values of its row."""
    return {"number": int(name[:4]), "name": name, "digest": _digest(text)}


def migration_problem(applied: Mapping[str, str], known: Mapping[str, str]) -> str | None:
    """Say why this program cannot serve a database; None where it can, perhaps after the migrations it lacks.

    `applied`: names and digests that the database has on record. `known`: names and texts of this program.
    """
    strangers = sorted(applied.keys() - known.keys())
    if strangers:
        return (
            f"The database was written by a newer Sealring (it has {strangers[-1]}): "
            "start that version, or restore a backup made before the upgrade."
        )
    altered = sorted(name for name, digest in applied.items() if digest != _digest(known[name]))
    if altered:
        return f"The migration {altered[0]} was applied in another form: this program and this database do not match."
    return None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
