import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from sealring.cli.command import Noun
from sealring.cli.first_page import FIRST_HOUR, LATER, MODULES

Run = Callable[..., Any]  # the fixtures of conftest.py

SEALRING = Path(sys.executable).parent / "sealring"


def test_help_comes_within_150_milliseconds() -> None:
    def elapsed() -> float:
        started = time.perf_counter()
        subprocess.run([SEALRING, "--help"], check=True, capture_output=True)
        return time.perf_counter() - started

    assert min(elapsed() for _ in range(5)) < 0.150


def test_the_first_page_names_the_first_hours_commands_first(run: Run) -> None:
    ran = run("--help")
    assert ran.exit_status == 0
    places = [ran.out.index(f"\n  {name} ") for name in MODULES]
    assert places == sorted(places)
    assert run().out == ran.out
    assert run().exit_status == 2


def test_the_first_page_names_every_command_of_a_noun() -> None:
    for name, summary in (FIRST_HOUR | LATER).items():
        found = import_module(f"sealring.cli.{MODULES[name]}").COMMANDS[name]
        if isinstance(found, Noun) and found.default is None:
            assert set(re.split("[,;] ", summary)) == {command.name for command in found.commands}


@pytest.mark.parametrize("noun", ["users", "clients", "apis", "sessions", "audit", "init", "serve", "recover"])
def test_every_noun_explains_itself(run: Run, noun: str) -> None:
    ran = run(noun, "--help")
    assert ran.exit_status == 0
    assert ran.out.startswith(f"usage: sealring {noun}")


def test_misuse_is_exit_status_2(run: Run) -> None:
    for arguments in (
        ("explode",),
        ("users",),
        ("users", "explode"),
        ("users", "show"),
        ("users", "list", "--limit", "x"),
    ):
        ran = run(*arguments)
        assert ran.exit_status == 2
        assert ran.err


def test_an_abbreviated_option_is_not_guessed(run: Run) -> None:
    assert run("users", "list", "--lim", "3").exit_status == 2


def test_no_configuration_is_a_sentence_that_says_what_to_do(run: Run) -> None:
    ran = run("users", "list")
    assert ran.exit_status == 2
    assert "sealring init" in ran.err
    assert "Traceback" not in ran.err


def test_a_problem_is_json_where_json_was_asked_for(run: Run) -> None:
    ran = run("users", "list", "--json")
    assert ran.out == ""
    assert '"code": "misused"' in ran.err


def test_the_version_is_told(run: Run) -> None:
    assert run("--version").out.startswith("sealring ")


def test_the_console_script_runs_the_same_program(tmp_path: Path) -> None:
    done = subprocess.run([SEALRING, "users", "list"], check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2
    assert "sealring init" in done.stderr
