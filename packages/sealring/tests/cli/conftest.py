"""An installation in an empty folder, and the commands on it as their user sees them."""

import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sealring.cli import main

PASSPHRASE = "lamp-orbit-cedar-violin"


class Ran(NamedTuple):
    """What a command did. `json()`: what it printed, read back."""

    exit_status: int
    out: str
    err: str

    def json(self) -> Any:  # noqa: ANN401 -- JSON
        return json.loads(self.out)


Run = Callable[..., Ran]


def free_issuer() -> str:
    """Name an issuer on this machine at a port that nobody has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://localhost:{free.getsockname()[1]}"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder, in this process; `stdin` is what it reads."""
    monkeypatch.chdir(tmp_path)

    def run_one(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        exit_status = main(arguments)
        printed = capsys.readouterr()
        return Ran(exit_status, printed.out, printed.err)

    return run_one


@pytest.fixture
def installed(run: Run) -> Run:
    """The same in a folder where `sealring init` was run for the API `orders` and the client `site`."""
    assert run("init", "--yes", "--recipe", "backend", "--api", "orders").exit_status == 0
    return run


class Server(NamedTuple):
    """A running `sealring serve`, its folder, and the secret of its client `site`."""

    process: subprocess.Popen[str]
    folder: Path
    issuer: str
    client_secret: str


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server over an installation with the API `orders`, the client `site` and the user `ada`."""
    folder = tmp_path_factory.mktemp("server")
    issuer = free_issuer()
    sealring = Path(sys.executable).parent / "sealring"
    command = [sealring, "init", "--yes", "--recipe", "backend", "--api", "orders", "--issuer", issuer, "--json"]
    made = json.loads(subprocess.run(command, check=True, capture_output=True, text=True, cwd=folder).stdout)
    process = subprocess.Popen([sealring, "serve"], cwd=folder, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline().startswith(f"Sealring serves {issuer}")
    adding = [sealring, "users", "add", "ada", "--password-stdin"]
    subprocess.run(adding, check=True, capture_output=True, text=True, cwd=folder, input=PASSPHRASE)
    yield Server(process, folder, issuer, made["client"]["client_secret"])
    process.terminate()
    assert process.wait(15) == 0
    process.stdout.close()


@pytest.fixture
def run_beside(server: Server, run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command beside the server, in its folder."""
    monkeypatch.chdir(server.folder)
    return run


@pytest.fixture
def serving(run: Run, tmp_path: Path) -> Callable[[], AbstractContextManager[Server]]:
    """Serve an installation in the folder of `run` for a while, on a free port, with the user `ada`."""
    made = run("init", "--yes", "--recipe", "backend", "--api", "orders", "--issuer", free_issuer(), "--json")
    secret = made.json()["client"]["client_secret"]
    assert run("users", "add", "ada", "--password-stdin", stdin=PASSPHRASE).exit_status == 0
    sealring = Path(sys.executable).parent / "sealring"

    @contextmanager
    def serve() -> Iterator[Server]:
        process = subprocess.Popen([sealring, "serve"], cwd=tmp_path, text=True, stdout=subprocess.PIPE)
        assert process.stdout is not None
        issuer = process.stdout.readline().split()[2].rstrip(",")
        try:
            yield Server(process, tmp_path, issuer, secret)
        finally:
            process.terminate()
            assert process.wait(15) == 0
            process.stdout.close()

    return serve
