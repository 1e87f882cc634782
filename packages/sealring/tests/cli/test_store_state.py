import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_the_status_says_that_no_server_runs(installed: Run) -> None:
    status = installed("status", "--json").json()
    assert not status["running"]
    assert (status["clients"], status["apis"]) == (1, 2)
    assert "not running" in installed("status").out


def test_migrating_an_up_to_date_store_is_done(installed: Run) -> None:
    assert installed("migrate").out == "The store is up to date.\n"


def test_recovering_asks_first_and_begins_a_new_incarnation(installed: Run) -> None:
    before = installed("status", "--json").json()["incarnation"]
    assert installed("recover", stdin="no\n").exit_status == 2
    assert installed("status", "--json").json()["incarnation"] == before
    assert installed("recover", stdin="yes\n").exit_status == 0
    assert installed("status", "--json").json()["incarnation"] != before
    memory = json.loads(Path("secrets/master.key.incarnation").read_text())
    assert memory["incarnation"] == installed("status", "--json").json()["incarnation"]


def test_a_store_that_was_rolled_back_is_recovered(installed: Run) -> None:
    memory = Path("secrets/master.key.incarnation")
    newer = json.loads(memory.read_text()) | {"feed_number": 1000}
    memory.write_text(json.dumps(newer))
    installed("status")
    assert json.loads(memory.read_text())["feed_number"] == 1000
    assert installed("recover", "--yes").exit_status == 0
    assert json.loads(memory.read_text())["feed_number"] < 1000


def test_a_missing_master_key_is_exit_status_2_with_advice(installed: Run) -> None:
    Path("secrets/master.key").unlink()
    ran = installed("status")
    assert ran.exit_status == 2
    assert "master key" in ran.err


def test_an_unknown_setting_is_exit_status_2(installed: Run) -> None:
    with Path("sealring.toml").open("a") as file:
        file.write("colour = 1\n")
    ran = installed("users", "list")
    assert ran.exit_status == 2
    assert "colour" in ran.err


def test_another_configuration_file_is_named(installed: Run, tmp_path: Path) -> None:
    Path("sealring.toml").rename("other.toml")
    assert installed("status").exit_status == 2
    assert installed("status", "--config", "other.toml").exit_status == 0
    assert installed("status", "--config", str(tmp_path / "nowhere.toml")).exit_status == 2
