import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from sealring_verify.inspect.command import main

if TYPE_CHECKING:
    from conftest import LocalIssuer

TABLE = json.loads(Path(__file__).with_name("cases.json").read_text())
GOOD = TABLE["remarks"][0]["token"]


class Ran(NamedTuple):
    exit_status: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process; `stdin` is what it reads."""
    for name in [name for name in os.environ if name.startswith("SEALRING_")]:
        monkeypatch.delenv(name)

    def run_one(*arguments: str, stdin: str = "") -> Ran:
        monkeypatch.setattr("sys.argv", ["inspect", *arguments])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        try:
            exit_status = main()
        except SystemExit as stop:
            exit_status = int(stop.code or 0)
        printed = capsys.readouterr()
        return Ran(exit_status, printed.out, printed.err)

    return run_one


@pytest.fixture
def at_the_tables_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: float(TABLE["now"]))


@pytest.mark.usefixtures("at_the_tables_time")
@pytest.mark.parametrize("case", TABLE["remarks"], ids=lambda case: case["why"])
def test_the_command_says_of_each_token_what_the_table_says(run: Run, case: dict[str, Any]) -> None:
    ran = run("-", "--json", stdin=case["token"])
    told = json.loads(ran.out)
    assert [[each["code"], each["about"]] for each in told["remarks"]] == case["remarks"]
    assert told["kind"] == case["kind"]
    assert ran.exit_status == (1 if case["kind"] == "unreadable" else 0)


@pytest.mark.usefixtures("at_the_tables_time")
@pytest.mark.parametrize("case", TABLE["verification"], ids=lambda case: case["why"])
def test_the_command_verifies_each_token_as_the_table_says(run: Run, case: dict[str, Any], tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    keys.write_text(case["keys"])
    ran = run("-", f"--{case['as']}", str(keys), "--json", stdin=case["token"])
    verdict = json.loads(ran.out)["verdict"]
    assert (verdict.get("code"), verdict.get("claim")) == (case["code"], case["claim"])
    assert (verdict["outcome"], ran.exit_status) == (("refused", 1) if case["code"] else ("verified", 0))


def test_a_token_may_be_an_argument_and_comes_from_standard_input_else(run: Run) -> None:
    assert run(GOOD, "--json").out == run("-", "--json", stdin=GOOD).out == run("--json", stdin=GOOD).out


def test_a_short_secret_is_remarked(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("too short\n")
    ran = run(GOOD, "--key", str(secret))
    assert "short_secret" in ran.out
    assert ran.exit_status == 1


def test_a_secret_that_was_given_as_an_argument_is_not_repeated(run: Run) -> None:
    ran = run(GOOD, "--key", "hunter2")
    assert ran.exit_status == 2
    assert "hunter2" not in ran.out + ran.err


def test_an_issuer_is_asked_for_its_keys(run: Run, issuer: "LocalIssuer") -> None:
    assert run(issuer.token(), "--issuer", issuer.url).exit_status == 0
    foreign = run(issuer.token(iss="https://evil.example"), "--issuer", issuer.url, "--json")
    assert (foreign.exit_status, json.loads(foreign.out)["verdict"]["code"]) == (1, "wrong_issuer")
    issuer.stop()
    unreachable = run(issuer.token(), "--issuer", issuer.url)
    assert (unreachable.exit_status, unreachable.out) == (3, "")
    assert "could not be fetched" in unreachable.err


def test_a_verifiers_answer_is_explained(run: Run, issuer: "LocalIssuer") -> None:
    asked = ("--explain", "--issuer", issuer.url, "--audience", "orders")
    passing = run(issuer.token(), *asked, "--scope", "orders:read")
    assert (passing.exit_status, "VERIFIED" in passing.out) == (0, True)
    refused = run(issuer.token(aud="bills"), *asked)
    assert (refused.exit_status, "REFUSED  wrong_audience (aud)" in refused.out) == (1, True)
    lacking = run(issuer.token(), *asked, "--scope", "orders:delete", "--json")
    assert json.loads(lacking.out)["verdict"]["code"] == "insufficient_scope"
    early = json.loads(run(issuer.token(iat=4_000_000_000, exp=4_000_000_600), *asked, "--json").out)["verdict"]
    assert (early["code"], early["passes_at"]) == ("token_not_yet_valid", 4_000_000_000 - 30)


def test_the_policy_may_be_that_of_the_environment(
    run: Run, issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEALRING_ISSUER", issuer.url)
    monkeypatch.setenv("SEALRING_AUDIENCE", "bills")
    assert "wrong_audience" in run(issuer.token(), "--explain").out
    monkeypatch.setenv("SEALRING_SYMMETRIC_SECRETS", "slh_" + "A" * 43)
    assert "algorithm_not_allowed" in run(issuer.token(), "--explain").out
    assert "wrong_audience" in run(issuer.token(), "--explain", "--jwks", f"{issuer.url}/jwks").out
    monkeypatch.setenv("SEALRING_ACCESS_TOKEN_FORMAT", "opaque")
    assert run(issuer.token(), "--explain").exit_status == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("--explain",),
        ("--explain", "--issuer", "https://id.example.com"),
        ("--explain", "--audience", "orders"),
        ("--audience", "orders"),
        ("--scope", "orders:read"),
        ("--jwks", "a", "--key", "b"),
        ("--jwks", "no-such-file"),
        ("--issuer", "http://id.example.com"),
        ("--leeway", "soon"),
        ("--explode",),
    ],
)
def test_misuse_is_a_sentence_and_exit_status_2(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(GOOD, *arguments)
    assert (ran.exit_status, ran.out) == (2, "")
    assert ran.err


def test_the_module_runs_by_itself_and_without_colours_where_nobody_watches() -> None:
    command = [sys.executable, "-m", "sealring_verify.inspect", "-"]
    done = subprocess.run(command, input=GOOD, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("An access token")
    assert "\x1b" not in done.stdout


def test_octets_that_are_no_text_are_no_token() -> None:
    command = [sys.executable, "-X", "utf8", "-m", "sealring_verify.inspect", "-", "--json"]
    done = subprocess.run(command, input=b"\xff\xfe", check=False, capture_output=True)
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (1, "unreadable")


@pytest.mark.parametrize(("variables", "colours"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_colours_are_for_a_terminal_that_wants_them(variables: dict[str, str], *, colours: bool) -> None:
    environment = (
        {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | variables
    )
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "sealring_verify.inspect", GOOD]
    subprocess.run(command, check=True, stdout=theirs, env=environment)
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "HEADER" in shown
    assert ("\x1b[35m" in shown) == colours
