"""Copies of the database file: made while it is in use, checked, and put in the place of the present one (SECURITY A9).

Whatever stops a restore leaves either the old database in its place or the new one: all work is done on a staged file,
and one rename ends it.
"""

import os
from pathlib import Path
from typing import Final

import apsw

from sealring.storage.store_problem import StoreProblem

_OURS: Final = """
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN ('migrations', 'store_state', 'users', 'sessions')
"""
_COMPANIONS: Final = ("-wal", "-shm")


def write_copy(source: apsw.Connection, target: Path) -> StoreProblem | None:
    """Write a whole copy of a database in use to a new private file (0600), or say why not; overwrites nothing.

    The copy is one moment's, whatever is written meanwhile; whoever calls this on a loop does so in a thread.
    """
    unfinished = target.with_name(target.name + ".unfinished")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as failure:
        return StoreProblem(f"The file {unfinished} cannot be made ({failure.strerror}).")
    try:
        _copy(source, unfinished)
        # A link refuses where a file of that name stands; a rename would replace it.
        os.link(unfinished, target)
        _sync_folder(target.parent)
    except FileExistsError:
        return StoreProblem(f"The file {target} exists, and a backup overwrites nothing: name another.")
    except (OSError, apsw.Error) as failure:
        return StoreProblem(f"The copy {target} cannot be written: {failure}.")
    finally:
        unfinished.unlink()
    return None


def stage_copy(copy: Path, *, database: Path) -> Path | StoreProblem:
    """Check that `copy` is a whole database of ours and lay it beside the present one, over what a crash left."""
    staged = database.with_name(database.name + ".restoring")
    if not copy.is_file():
        return StoreProblem(f"There is no file {copy}: name what `sealring backup` wrote.")
    try:
        source = apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY)
        if source.execute("PRAGMA integrity_check").get != "ok":
            return StoreProblem(f"The file {copy} is damaged: its integrity check fails. Use another backup.")
        if source.execute(_OURS).get != 4:
            return StoreProblem(f"The file {copy} is no database of Sealring.")
        for leftover in (staged, *_companions(staged)):
            leftover.unlink(missing_ok=True)
        os.close(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(source, staged)
        source.close()
    except (OSError, apsw.Error) as failure:
        return StoreProblem(f"The file {copy} cannot be restored: {failure}.")
    return staged


def put_in_place(staged: Path, *, database: Path, aside: Path) -> StoreProblem | None:
    """Let the staged database take the present one's place, which stays under the name `aside`. Both are closed."""
    try:
        with staged.open("rb") as file:
            os.fsync(file.fileno())
        if database.exists() and database.stat().st_size:
            _settle(database)
            os.link(database, aside)
        # A log of the old file would be replayed over the new one; where the old one is damaged it is kept beside it.
        for companion, suffix in zip(_companions(database), _COMPANIONS, strict=True):
            if companion.exists():
                companion.rename(aside.with_name(aside.name + suffix))
        staged.replace(database)
        _sync_folder(database.parent)
    except OSError as failure:
        return StoreProblem(f"The database {database} cannot be replaced ({failure.strerror}).")
    finally:
        staged.with_name(staged.name + ".lock").unlink(missing_ok=True)
    return None


def _copy(source: apsw.Connection, target: Path) -> None:
    written = apsw.Connection(str(target))
    try:
        with written.backup("main", source, "main") as backup:
            # In one step: another connection's commit between two would begin the copy again, for ever under load.
            backup.step(-1)
        # One file, without a log beside it, that a person can carry away.
        written.execute("PRAGMA journal_mode = DELETE")
    finally:
        written.close()
    with target.open("rb") as file:
        os.fsync(file.fileno())


def _settle(database: Path) -> None:
    """Bring what was committed last into the file itself; a damaged one stays as it is."""
    try:
        connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
    except apsw.Error:
        return


def _companions(database: Path) -> list[Path]:
    return [database.with_name(database.name + suffix) for suffix in _COMPANIONS]


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
