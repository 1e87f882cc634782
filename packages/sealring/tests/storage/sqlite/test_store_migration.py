import os
import re
from hashlib import sha256
from pathlib import Path

import apsw
import pytest

from sealring.storage.migrations.apply import migrations
from sealring.storage.rows.tally import Tally
from sealring.storage.sql.table import TABLES
from sealring.storage.sqlite.database import DatabaseFile, open_file
from sealring.storage.sqlite.store_migration import open_source, read_table
from sealring.storage.store_problem import StoreProblem

NOT_MOVED = {"migrations", "leases"}
TYPES = {"INTEGER": "integer", "TEXT": "text", "BLOB": "octets"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Make a file with a lease and 2500 APIs."""
    path = tmp_path / "sealring.db"
    opened = open_file(path, randomness=os.urandom, demo=False)
    assert isinstance(opened, DatabaseFile)
    opened.writing.execute("INSERT INTO leases VALUES ('keys', 'node-1', 1)")
    rows = [(f"api-{number}", "{}", number) for number in range(2500)]
    opened.writing.executemany("INSERT INTO apis VALUES (?, ?, ?)", rows)
    opened.close()
    return path


def problem_of(path: Path) -> str:
    problem = open_source(path)
    assert isinstance(problem, StoreProblem)
    return problem.sentence


def test_every_table_and_column_of_a_file_is_named_with_its_type(path: Path) -> None:
    connection = apsw.Connection(str(path))
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert names - NOT_MOVED == {table.name for table in TABLES}
    for table in TABLES:
        described = connection.execute(f"PRAGMA table_info({table.name})").fetchall()
        assert {name: TYPES[kind] for _, name, kind, *_ in described} == table.columns
        key = [name for place, name in sorted((row[5], row[1]) for row in described) if place]
        assert table.read_from_sqlite.endswith(f" ORDER BY {', '.join(key)}")


def test_statements_name_every_column_in_the_order_of_the_row() -> None:
    for table in TABLES:
        into, named, _, placed, _ = re.split(r"[()]", table.write)
        assert into.split()[-1] == table.name
        assert words(named) == list(table.columns)
        assert words(placed) == [f":{name}" for name in table.columns]
        for read in (table.read_from_sqlite, table.read_from_postgresql):
            named, _, rest = read.partition("FROM")
            assert words(named) == ["SELECT", *table.columns]
            assert words(rest)[:3] == [table.name, "ORDER", "BY"]


def words(text: str) -> list[str]:
    return text.replace(",", " ").split()


def test_what_others_refer_to_is_written_before_them(path: Path) -> None:
    connection = apsw.Connection(str(path))
    names = [table.name for table in TABLES]
    for table in TABLES:
        for row in connection.execute(f"PRAGMA foreign_key_list({table.name})"):
            assert names.index(str(row[2])) < names.index(table.name)


def test_a_source_is_held_and_stays_as_it_is(path: Path) -> None:
    before = sha256(path.read_bytes()).digest()
    source = open_source(path)
    assert isinstance(source, DatabaseFile)
    with pytest.raises(apsw.ReadOnlyError):
        source.reading.execute("DELETE FROM leases")
    assert "Another Sealring process" in problem_of(path)
    source.close()
    assert sha256(path.read_bytes()).digest() == before
    assert apsw.Connection(str(path)).execute("SELECT count(*) FROM leases").get == 1


def test_a_table_is_read_in_parts_in_the_order_of_its_key(path: Path) -> None:
    source = open_source(path)
    assert isinstance(source, DatabaseFile)
    (apis,) = [table for table in TABLES if table.name == "apis"]
    parts = list(read_table(source, apis))
    source.close()
    assert [len(part) for part in parts] == [1000, 1000, 500]
    place = list(apis.columns).index("identifier")
    identifiers = [row[place] for part in parts for row in part]
    assert identifiers == sorted(identifiers)


def test_a_commit_that_a_killed_server_left_in_the_log_is_read(path: Path, tmp_path: Path) -> None:
    writing = apsw.Connection(str(path))
    writing.execute("INSERT INTO apis VALUES ('late', '{}', 1)")
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in (path, path.with_name(path.name + "-wal")):
        (copy / file.name).write_bytes(file.read_bytes())
    source = open_source(copy / path.name)
    assert isinstance(source, DatabaseFile)
    assert source.read("SELECT count(*) FROM apis", {}) == (2501,)
    source.close()


def test_a_file_that_is_missing_older_newer_or_no_database_is_refused(path: Path, tmp_path: Path) -> None:
    assert "There is no database" in problem_of(tmp_path / "missing.db")
    assert not (tmp_path / "missing.db").exists()
    (tmp_path / "garbage.db").write_bytes(b"this is no database" * 1000)
    assert "cannot be read" in problem_of(tmp_path / "garbage.db")
    connection = apsw.Connection(str(path))
    connection.execute("INSERT INTO migrations VALUES (9999, '9999_future', 'x')")
    assert "newer Sealring" in problem_of(path)
    connection.execute("DELETE FROM migrations WHERE name IN ('9999_future', ?)", (max(migrations("sqlite")),))
    assert "sealring migrate" in problem_of(path)


def test_a_tally_tells_order_types_and_borders_of_rows_apart() -> None:
    def tally(*rows: tuple[object, ...]) -> Tally:
        made = Tally()
        made.take(rows)
        return made

    assert tally(("a", 1), ("b", None)).agrees_with(tally(("a", 1), ("b", None)))
    for other in (tally(("b", None), ("a", 1)), tally(("a", "1"), ("b", None)), tally(("a", 1, "b", None)), tally()):
        assert not tally(("a", 1), ("b", None)).agrees_with(other)
