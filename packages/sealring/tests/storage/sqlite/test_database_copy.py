from pathlib import Path

import apsw

from sealring.storage.sqlite.database_copy import put_in_place, stage_copy, write_copy
from sealring.storage.store_problem import StoreProblem


def make(path: Path, *values: int) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode = WAL")
    for table in ("migrations", "store_state", "users", "sessions"):
        connection.execute(f"CREATE TABLE IF NOT EXISTS {table} (x INTEGER)")
    connection.executemany("INSERT INTO users VALUES (?)", [(value,) for value in values])
    return connection


def users(path: Path) -> list[int]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = [row[0] for row in connection.execute("SELECT x FROM users ORDER BY x")]
    connection.close()
    return found


def test_a_copy_has_what_was_committed_last_and_stands_alone(tmp_path: Path) -> None:
    used = make(tmp_path / "a.db", 1, 2)
    assert write_copy(used, tmp_path / "copy.db") is None
    assert users(tmp_path / "copy.db") == [1, 2]
    assert sorted(file.name for file in tmp_path.iterdir() if "copy" in file.name) == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    used.close()


def test_a_copy_overwrites_no_file_and_follows_no_dangling_link(tmp_path: Path) -> None:
    used = make(tmp_path / "a.db", 1)
    (tmp_path / "letter").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for name in ("letter", "link"):
        assert isinstance(write_copy(used, tmp_path / name), StoreProblem)
    assert (tmp_path / "letter").read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()
    used.close()


def test_one_rename_ends_a_restore_and_the_old_database_is_kept_whole(tmp_path: Path) -> None:
    present = tmp_path / "sealring.db"
    make(present, 7, 8).close()
    make(tmp_path / "copy.db", 1).close()
    staged = stage_copy(tmp_path / "copy.db", database=present)
    assert isinstance(staged, Path)
    assert users(present) == [7, 8]
    aside = tmp_path / "before.db"
    assert put_in_place(staged, database=present, aside=aside) is None
    assert (users(present), users(aside)) == ([1], [7, 8])
    assert not staged.exists()


def test_what_the_old_database_had_in_its_log_is_kept_and_never_replayed_over_the_new_one(tmp_path: Path) -> None:
    present, crashed = tmp_path / "sealring.db", tmp_path / "live.db"
    living = make(crashed, 7)
    for suffix in ("", "-wal"):  # as a killed process leaves them
        Path(f"{present}{suffix}").write_bytes(Path(f"{crashed}{suffix}").read_bytes())
    living.close()
    make(tmp_path / "copy.db", 1).close()
    staged = stage_copy(tmp_path / "copy.db", database=present)
    assert isinstance(staged, Path)
    assert put_in_place(staged, database=present, aside=tmp_path / "before.db") is None
    assert (users(present), users(tmp_path / "before.db")) == ([1], [7])


def test_a_damaged_present_database_is_replaced_and_kept_as_it_is(tmp_path: Path) -> None:
    present = tmp_path / "sealring.db"
    present.write_bytes(b"damaged" * 1000)
    Path(f"{present}-wal").write_bytes(b"its log")
    make(tmp_path / "copy.db", 1).close()
    staged = stage_copy(tmp_path / "copy.db", database=present)
    assert isinstance(staged, Path)
    assert put_in_place(staged, database=present, aside=tmp_path / "before.db") is None
    assert users(present) == [1]
    assert (tmp_path / "before.db").read_bytes() == b"damaged" * 1000


def test_a_crash_before_the_rename_leaves_the_old_database_and_hinders_no_second_try(tmp_path: Path) -> None:
    present = tmp_path / "sealring.db"
    make(present, 7).close()
    make(tmp_path / "copy.db", 1).close()
    for _ in range(2):
        assert isinstance(stage_copy(tmp_path / "copy.db", database=present), Path)
        assert users(present) == [7]


def test_a_copy_that_is_not_there_is_named(tmp_path: Path) -> None:
    problem = stage_copy(tmp_path / "none.db", database=tmp_path / "present.db")
    assert isinstance(problem, StoreProblem)
    assert "none.db" in problem.sentence
    assert not list(tmp_path.iterdir())
