import json
from collections.abc import Callable
from typing import Any

from sealring_verify.inspect.page import write_page

Run = Callable[..., Any]  # the fixtures of conftest.py
UNSIGNED = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ1MSJ9."


def test_a_token_is_looked_into_without_an_installation(run: Run) -> None:
    ran = run("inspect", "-", stdin=UNSIGNED)
    assert (ran.exit_status, ran.err) == (0, "")
    assert "danger   alg_none (alg): " in ran.out
    codes = [remark["code"] for remark in run("inspect", UNSIGNED, "--json").json()["remarks"]]
    assert codes[0] == "alg_none"


def test_a_token_of_this_installation_is_verified_by_its_issuer(serving: Callable[[], Any], run: Run) -> None:
    adding = ("clients", "add", "robot", "--client-credentials", "--no-refresh", "--allow", "orders", "orders:read")
    assert run(*adding).exit_status == 0
    issuing = (
        "tokens",
        "issue",
        "--client",
        "robot",
        "--api",
        "orders",
        "--scope",
        "orders:read",
        "--reason",
        "a test",
    )
    with serving() as server:
        token = run(*issuing).out
        asked = ("inspect", "-", "--explain", "--issuer", server.issuer, "--audience")
        assert run(*asked, "orders", stdin=token).exit_status == 0
        refused = run(*asked, "bills", "--json", stdin=token)
    assert (refused.exit_status, refused.json()["verdict"]["code"]) == (1, "wrong_audience")
    assert refused.json()["remarks"] == []


def test_keys_that_cannot_be_had_are_told_as_every_command_tells_it(run: Run) -> None:
    misused = run("inspect", UNSIGNED, "--jwks", "no-such-file", "--json")
    assert (misused.exit_status, misused.out, json.loads(misused.err)["code"]) == (2, "", "misused")
    unreachable = run("inspect", UNSIGNED, "--issuer", "http://127.0.0.1:9", "--json")
    assert (unreachable.exit_status, json.loads(unreachable.err)["code"]) == (3, "unreachable")


def test_the_page_is_printed_as_the_file_that_it_is(run: Run) -> None:
    assert run("inspect", "--page").out.encode() == write_page().document
