import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py
SEALRING = Path(sys.executable).parent / "sealring"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_a_token_without_a_demo_is_exit_status_3(run: Run) -> None:
    ran = run("demo", "token")
    assert ran.exit_status == 3
    assert "sealring demo" in ran.err


def test_commands_in_the_demos_folder_speak_to_the_demo(tmp_path: Path, run: Run) -> None:
    command = [SEALRING, "demo", "--port", str(free_port()), "--api-port", str(free_port())]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            assert any("passphrase" in line for line in demo.stdout)
            token = run("demo", "token")
            assert token.exit_status == 0
            assert token.out.count(".") == 2
            assert run("status", "--json").json()["demo"]
            assert run("sessions", "end", "--user", "ada").out.startswith("1 session ended")
            assert run("users", "show", "ada", "--json").json()["demo"]
        finally:
            demo.send_signal(signal.SIGTERM)
        demo.stdout.read()
        assert demo.wait(20) == 0
    ran = run("users", "list")
    assert ran.exit_status == 3
    assert "sealring demo" in ran.err


def test_the_demos_database_is_served_by_the_demo_alone(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    import apsw

    monkeypatch.chdir(tmp_path)
    assert run("init", "--yes").exit_status == 0
    connection = apsw.Connection("data/sealring.db")
    connection.execute("UPDATE store_state SET demo = 1")
    connection.close()
    ran = run("serve", "--json")
    assert ran.exit_status == 2
    assert "demo" in json.loads(ran.err)["error_description"]


def test_a_suites_people_and_clients_are_seeded_before_the_demo_and_while_it_runs(tmp_path: Path, run: Run) -> None:
    client = {
        "client_id": "suite",
        "client_secret": "any text",
        "redirect_uris": ["https://suite.example/callback"],
        "require_pkce": False,
    }
    seed = {"users": [{"username": "grace", "password": "1", "claims": {"name": "Grace"}}], "clients": [client]}
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    port = str(free_port())
    idle = run("dev", "conformance-seed", "seed.json", "--port", port)
    assert (idle.exit_status, idle.out) == (0, "seeded 1 user, 1 client\n")
    command = [SEALRING, "demo", "--port", port, "--api-port", str(free_port())]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        try:
            assert any("passphrase" in line for line in demo.stdout)
            before = run("clients", "show", "suite", "--json").json()
            assert before["code_flow"]["require_pkce"] is False
            again = run("dev", "conformance-seed", "seed.json", "--json")
            assert again.json() == {"users": ["grace"], "clients": ["suite"]}
            assert run("clients", "show", "suite", "--json").json() == before
            (tmp_path / "seed.json").write_text(json.dumps({"clients": [client | {"redirect_uris": ["http://a/"]}]}))
            refused = run("dev", "conformance-seed", "seed.json")
            assert refused.exit_status == 1
            assert "client 'suite'" in refused.err
        finally:
            demo.send_signal(signal.SIGTERM)
        demo.stdout.read()
        assert demo.wait(20) == 0


def test_a_real_server_knows_no_seed(tmp_path: Path, run: Run) -> None:
    assert run("init", "--yes").exit_status == 0
    (tmp_path / "seed.json").write_text("{}")
    ran = run("dev", "conformance-seed", "seed.json", "--folder", ".")
    assert ran.exit_status in {1, 2}
    assert "real installation" in ran.err


def test_the_first_page_says_nothing_of_test_benches(run: Run) -> None:
    assert "conformance" not in run("--help").out
    assert "conformance-seed" in run("dev", "--help").out
