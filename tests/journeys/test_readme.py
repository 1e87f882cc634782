"""What the README prints is what happens: its blocks, run in a copy of the clone, on the ports that it names."""

import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text()
BIN: Final = ROOT / ".venv/bin"
PORTS: Final = (8700, 8701)
READY_SECONDS: Final = 30
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".cache", ".*_cache", ".hypothesis", "__pycache__", "node_modules", "demo-data"
)
_CURL_STAND_IN: Final = """\
import sys, httpx
*_, header, url = sys.argv[1:]
name, _, value = header.partition(": ")
answer = httpx.get("http://" + url, headers={name: value}, trust_env=False)
print(answer.text, answer.status_code, sep="\\n")
"""


def console_lines(block: int) -> list[tuple[str, str]]:
    """Read the commands of a console block, each with what the README says about it."""
    text = re.findall(r"```console\n(.*?)```", README, re.DOTALL)[block]
    return [(line[1].strip(), line[2]) for line in re.finditer(r"^\$ (.*?)\s+# (.*)$", text, re.MULTILINE)]


def pattern(printed: str) -> str:
    """Make a regular expression of what the README prints: numbers may differ."""
    return re.sub(r"[0-9]+", r"[0-9]+", re.escape(printed))


class Terminal:
    """A shell that stays open, so that what one line exports the next one has."""

    def __init__(self, shell: "subprocess.Popen[str]") -> None:
        self._shell = shell

    def run(self, line: str) -> str:
        """Type a line and return what it printed."""
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{line}\necho; echo '--- end ---'\n")
        self._shell.stdin.flush()
        return "".join(iter(self._shell.stdout.readline, "--- end ---\n")).strip()


@contextmanager
def shell(command: str, *, folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """Run a command as somebody would who types it in `folder`, and end it with all that it started."""
    with subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as started:
        try:
            yield started
        finally:
            with suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(started.pid, signal.SIGTERM)


def environment(folder: Path) -> dict[str, str]:
    """Give the environment of a newcomer; curl prints the status below the body, and no proxy stands in its way."""
    (folder / ".curlrc").write_text('silent\nshow-error\nwrite-out = "\\n%{http_code}"\n')
    if shutil.which("curl") is None:
        (folder / "curl.py").write_text(_CURL_STAND_IN)
        (folder / "curl").write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {folder}/curl.py "$@"\n')
        (folder / "curl").chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALRING_")}
    return kept | {
        "PATH": os.pathsep.join((str(folder), str(BIN), os.environ["PATH"])),
        "CURL_HOME": str(folder),
        "NO_PROXY": "localhost",
        "no_proxy": "localhost",
    }


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the clone, installed: its environment is this one's, and newer than what it was made from."""
    folder = tmp_path_factory.mktemp("readme") / "sealring"
    shutil.copytree(ROOT, folder, ignore=_LEFT_OUT)
    (folder / ".venv/uv/bin").mkdir(parents=True)
    (folder / ".venv/bin").symlink_to(BIN)
    (folder / ".venv/uv/bin/uv").touch()
    (folder / ".venv/.serve").touch()
    return folder


@pytest.fixture(scope="module")
def terminal(clone: Path) -> Iterator[Terminal]:
    """The second terminal, with what the README's first line started in the first one."""
    for port in PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                pytest.fail(f"The README's demo needs port {port}, and something listens there: end it first.")
    newcomer = environment(clone.parent)
    first_line, _ = console_lines(0)[0]
    with shell(first_line, folder=clone, environment=newcomer) as demo:
        wait_until_ready(demo)
        with shell("exec /bin/sh", folder=clone, environment=newcomer) as second:
            yield Terminal(second)


def wait_until_ready(demo: "subprocess.Popen[str]") -> None:
    for _ in range(READY_SECONDS * 10):
        assert demo.poll() is None, demo.stdout and demo.stdout.read()
        try:
            if all(httpx.get(f"http://localhost:{port}/", trust_env=False).status_code for port in PORTS):
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail(f"The demo did not answer in {READY_SECONDS} s.")


def test_the_first_block_works_as_printed(terminal: Terminal) -> None:
    (_, (export, _), (call, good), (end, ended), (again, bad)) = console_lines(0)
    terminal.run(export)
    status, body = good.split(maxsplit=1)
    assert terminal.run(call).split() == [body, status]
    assert re.fullmatch(pattern(ended), terminal.run(end))
    # The API said that it knew, so its very next answer is the refusal.
    status, refusal = bad.split(maxsplit=1)
    said = terminal.run(again)
    assert said.split()[-1] == status
    assert re.search(f'"error_description":"{pattern(refusal)}"', said), said
    assert f'"code":"{refusal.partition(":")[0]}"' in said


async def test_an_api_is_protected_by_the_lines_that_the_readme_shows(terminal: Terminal) -> None:
    token = terminal.run("./sealring demo token")
    block = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    names: dict[str, Any] = {}
    exec(block.replace("https://id.example.com", "http://localhost:8700"), names)  # noqa: S102 -- our own page
    async with httpx.AsyncClient(transport=httpx.ASGITransport(names["app"]), base_url="http://api.example") as caller:
        answer = await caller.get("/orders", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (200, ["lamp"])
        assert (await caller.get("/orders")).status_code == 401


def test_an_installation_is_made_and_served_by_two_commands(tmp_path: Path) -> None:
    newcomer = environment(tmp_path)
    (init, _), (serve, _) = console_lines(1)
    with shell(init, folder=tmp_path, environment=newcomer) as made:
        said, _ = made.communicate("\norders\n\n\n", timeout=READY_SECONDS)
    assert "SEALRING_API_KEY=sla_" in said
    assert "slc_" in said
    assert (tmp_path / "sealring.toml").exists()
    # Another port than the demo's, which may be up; the issuer stays as it was written.
    with shell(f"exec {serve}", folder=tmp_path, environment=newcomer | {"SEALRING_SERVER__PORT": "0"}) as served:
        assert served.stdout is not None
        assert served.stdout.readline().startswith("Sealring serves http://localhost:8700")
