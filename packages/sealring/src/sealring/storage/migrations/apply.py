"""Brings a database up to date: each numbered file once, in order, in one transaction with its record."""

from hashlib import sha256
from importlib.resources import files

import apsw

from sealring.protocol.secret import Randomness
from sealring.storage.sql import store_state

_RECORDS = """
CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL) STRICT
"""


def apply_migrations(connection: apsw.Connection, *, randomness: Randomness, demo: bool) -> str | None:
    """Apply what is due; return a sentence where the database is newer than this program or was altered.

    A new database gets its incarnation here (SECURITY A9). `demo`: marks a new one as the demo's.
    """
    with connection:
        connection.execute(_RECORDS)
        recorded = connection.execute("SELECT name, digest FROM migrations").fetchall()
        applied = {str(name): str(digest) for name, digest in recorded}
        known = dict(_migrations())
        strangers = sorted(applied.keys() - known.keys())
        if strangers:
            return (
                f"The database was written by a newer Sealring (it has {strangers[-1]}): "
                "start that version, or restore a backup made before the upgrade."
            )
        altered = sorted(name for name, digest in applied.items() if digest != _digest(known[name]))
        if altered:
            return (
                f"The migration {altered[0]} was applied in another form: this program and this database do not match."
            )
        for name, text in known.items():
            if name not in applied:
                connection.execute(text)
                values = {"number": int(name[:4]), "name": name, "digest": _digest(text)}
                connection.execute("INSERT INTO migrations VALUES (:number, :name, :digest)", values)
        if connection.execute(store_state.FIND_STATE).get is None:
            connection.execute(store_state.CREATE_STATE, {"incarnation": randomness(16), "demo": demo})
    return None


def _migrations() -> list[tuple[str, str]]:
    folder = files("sealring.storage.migrations")
    found = sorted(item.name for item in folder.iterdir() if item.name.endswith(".sqlite.sql"))
    return [(name.removesuffix(".sqlite.sql"), folder.joinpath(name).read_text()) for name in found]


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
