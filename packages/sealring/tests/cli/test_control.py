"""The same commands beside a running server that is under load (DESIGN §5)."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py
SEALRING = Path(sys.executable).parent / "sealring"


class Installed(Protocol):
    """What the fixture `server` gives."""

    folder: Path
    issuer: str
    client_secret: str


PASSPHRASE = "lamp-orbit-cedar-violin"


def sign_in(server: Installed, client: httpx.Client) -> httpx.Response:
    body = {"username": "ada", "password": PASSPHRASE, "scope": "orders:read"}
    return client.post(f"{server.issuer}/session", json=body, auth=("site", server.client_secret))


def refresh(server: Installed, client: httpx.Client, tokens: dict[str, Any]) -> httpx.Response:
    body = {"refresh_token": tokens["refresh_token"]}
    return client.post(f"{server.issuer}/session/refresh", json=body, auth=("site", server.client_secret))


@pytest.fixture(scope="module")
def load(server: Installed) -> Iterator[list[int]]:
    """Three sessions that refresh without a pause while the commands run; the statuses that they were answered."""
    statuses: list[int] = []
    over = threading.Event()

    def keep_refreshing() -> None:
        with httpx.Client() as client:
            answer = sign_in(server, client)
            while not over.is_set():
                statuses.append(answer.status_code)
                # A command ended the session, or every session while this one was being opened: sign in again.
                signed_in = answer.status_code == 200
                answer = refresh(server, client, answer.json()) if signed_in else sign_in(server, client)

    threads = [threading.Thread(target=keep_refreshing) for _ in range(3)]
    for thread in threads:
        thread.start()
    yield statuses
    over.set()
    for thread in threads:
        thread.join(10)
    assert statuses.count(200) > 20
    assert set(statuses) <= {200, 400}


READS = [
    ("users", "list"),
    ("users", "show", "ada"),
    ("users", "roles", "ada"),
    ("users", "claims", "ada"),
    ("clients", "list"),
    ("clients", "show", "site"),
    ("apis", "list"),
    ("apis", "show", "orders"),
    ("sessions", "list"),
    ("sessions", "list", "--user", "ada"),
    ("audit", "tail"),
    ("audit", "verify"),
    ("audit", "anchor"),
    ("status",),
    ("migrate",),
]
CHANGES = [
    ("users", "add", "bob", "--no-password"),
    ("users", "roles", "bob", "clerk"),
    ("users", "claims", "bob", "--set", '{"plan": "gold"}'),
    ("users", "set-password", "bob", "--passphrase"),
    ("users", "disable", "bob"),
    ("users", "enable", "bob"),
    ("users", "link"),
    ("users", "delete", "bob"),
    ("apis", "add", "parcels", "--scope", "parcels:read", "See parcels"),
    ("apis", "update", "parcels", "--lifetime", "60"),
    ("apis", "rotate-secret", "parcels"),
    ("clients", "add", "shop", "--allow", "parcels", "parcels:read"),
    ("clients", "update", "shop", "--grace", "20"),
    ("clients", "rotate-secret", "shop"),
    ("clients", "disable", "shop"),
    ("clients", "enable", "shop"),
    ("clients", "delete", "shop"),
    ("apis", "delete", "parcels"),
    ("sessions", "end", "--user", "ada"),
    ("sessions", "end", "--all"),
]


@pytest.mark.usefixtures("load")
@pytest.mark.parametrize("command", READS, ids=" ".join)
def test_what_reads_answers_beside_a_busy_server(run_beside: Run, command: tuple[str, ...]) -> None:
    assert run_beside(*command).exit_status == 0
    assert run_beside(*command, "--json").json() is not None


@pytest.mark.usefixtures("load")
def test_what_changes_is_done_beside_a_busy_server_in_one_go(run_beside: Run) -> None:
    for command in CHANGES:
        ran = run_beside(*command, "--json")
        assert ran.exit_status == 0, (command, ran.err)
    status = run_beside("status", "--json").json()
    assert status["running"]
    assert run_beside("audit", "verify").exit_status == 0


def test_a_session_that_is_ended_refreshes_no_more(server: Installed, run_beside: Run) -> None:
    with httpx.Client() as client:
        tokens = sign_in(server, client).json()
        said = run_beside("sessions", "end", tokens["sid"]).out
        assert said.startswith("1 session ended; api orders reads no feed: tokens may pass there until ")
        refused = refresh(server, client, tokens)
    assert (refused.status_code, refused.json()["code"]) == (400, "refresh_refused")
    ran = run_beside("sessions", "end", tokens["sid"])
    assert ran.exit_status == 1
    assert "no such live session" in ran.err


def test_a_running_server_is_not_recovered(run_beside: Run) -> None:
    ran = run_beside("recover", "--yes")
    assert ran.exit_status == 1
    assert "Stop the server" in ran.err


def test_events_are_followed_as_they_happen(server: Installed, run_beside: Run) -> None:
    command = [SEALRING, "audit", "tail", "--follow", "--limit", "1", "--json"]
    with subprocess.Popen(command, cwd=server.folder, stdout=subprocess.PIPE, text=True) as following:
        assert following.stdout is not None
        following.stdout.readline()
        run_beside("users", "add", "eve", "--no-password")
        events = (json.loads(line)["recorded"]["event"] for line in following.stdout)
        assert any(event["event"] == "user_added" and event["personal"] == {"username": "eve"} for event in events)
        following.terminate()


def test_a_socket_on_which_nobody_answers_is_passed_by(run: Run) -> None:
    run("init", "--yes")
    Path("run").mkdir()
    Path("run/control.sock").touch()
    assert run("users", "list").exit_status == 0


def test_an_operators_name_is_the_systems_not_the_environments(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("init", "--yes")
    monkeypatch.setenv("USER", "mallory")
    monkeypatch.setenv("LOGNAME", "mallory")
    run("users", "add", "ada", "--no-password")
    assert "cli:mallory" not in run("audit", "tail").out
    assert "cli:" in run("audit", "tail").out


def test_without_an_installation_the_demo_of_the_folder_is_spoken_to(run: Run) -> None:
    Path("demo-data").mkdir()
    Path("demo-data/sealring.toml").write_text('issuer = "http://localhost:8700"\n')
    ran = run("users", "list")
    assert ran.exit_status == 3
    assert "sealring demo" in ran.err
