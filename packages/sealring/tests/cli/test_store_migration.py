import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py
TARGET = "postgresql://sealring@127.0.0.1:1/sealring"


@pytest.mark.parametrize(
    "target",
    [
        "postgresql://sealring:hunter22@127.0.0.1:1/sealring",
        "postgresql://sealring@127.0.0.1:1/sealring?password=hunter22",
    ],
)
def test_a_password_is_no_argument_and_no_message_repeats_it(installed: Run, target: str) -> None:
    for form in ((), ("--json",)):
        refused = installed("migrate-store", "sqlite:", target, *form)
        assert (refused.exit_status, refused.out) == (2, "")
        assert "PGPASSFILE" in refused.err
        assert "hunter22" not in refused.err


def test_only_sqlite_is_moved_and_only_to_postgresql(installed: Run) -> None:
    for source in (TARGET, "data/sealring.db", "mysql:x"):
        assert "sqlite:PATH" in installed("migrate-store", source, TARGET).err
    for target in ("sqlite:other.db", "mysql://host/name", "postgresql://[host/name"):
        refused = installed("migrate-store", "sqlite:", target)
        assert refused.exit_status == 2
        assert "postgresql://USER@HOST:PORT/DATABASE" in refused.err


def test_a_source_is_named_by_the_configuration_or_by_a_path(installed: Run) -> None:
    for source in ("sqlite", "sqlite:", "sqlite:data/sealring.db", f"sqlite://{Path('data/sealring.db').absolute()}"):
        assert "cannot be reached" in installed("migrate-store", source, TARGET).err
    for source in ("sqlite:nowhere.db", "sqlite://nowhere.db"):
        assert "There is no database nowhere.db" in installed("migrate-store", source, TARGET).err
    assert not Path("nowhere.db").exists()


def test_the_server_is_stopped_first(server: Any, run_beside: Run) -> None:  # noqa: ANN401 -- conftest's Server
    refused = run_beside("migrate-store", "sqlite:", TARGET, "--json")
    assert refused.exit_status == 1
    assert json.loads(refused.err)["code"] == "server_running"
    path = server.folder / "data" / "sealring.db"
    assert run_beside("migrate-store", f"sqlite:{path}", TARGET).exit_status == 1


def test_a_missing_master_key_moves_nothing(installed: Run) -> None:
    Path("secrets/master.key").unlink()
    refused = installed("migrate-store", "sqlite:", TARGET)
    assert refused.exit_status == 2
    assert "master key" in refused.err


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        ("UPDATE store_state SET demo = 1", "demo's database"),
        ("DELETE FROM standing_keys", "run `sealring migrate` on it first"),
        ("UPDATE keys SET sealed = (SELECT sealed FROM standing_keys)", "does not open"),
    ],
)
def test_a_store_that_nobody_could_serve_is_not_moved(installed: Run, statement: str, told: str) -> None:
    with apsw.Connection("data/sealring.db") as connection:
        connection.execute(statement)
    refused = installed("migrate-store", "sqlite:", TARGET)
    assert refused.exit_status == 2
    assert told in refused.err
