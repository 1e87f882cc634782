import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest


class Installed(Protocol):
    """What the fixture `server` gives."""

    issuer: str


Run = Callable[..., Any]  # the fixtures of conftest.py


def test_the_server_answers_once_it_says_so(server: Installed) -> None:
    answer = httpx.get(f"{server.issuer}/.well-known/oauth-authorization-server")
    assert answer.json()["issuer"] == server.issuer


def test_a_second_server_on_the_same_folder_is_refused_with_a_sentence(run_beside: Run) -> None:
    ran = run_beside("serve")
    assert ran.exit_status == 2
    assert "Another Sealring process" in ran.err


def test_a_port_in_use_is_a_sentence(
    server: Installed, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("init", "--yes", "--issuer", server.issuer).exit_status == 0
    ran = run("serve")
    assert ran.exit_status == 2
    assert "Another process is listening" in ran.err


def test_a_server_without_an_installation_is_a_sentence(run: Run) -> None:
    ran = run("serve")
    assert ran.exit_status == 2
    assert "sealring init" in ran.err


def test_serving_loads_no_demo_code() -> None:
    program = "import sys, sealring.compose; print([name for name in sys.modules if name.startswith('sealring.demo')])"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"
