import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from sealring_verify import Verifier

Run = Callable[..., Any]  # the fixtures of conftest.py
ISSUE = ("tokens", "issue", "--api", "orders", "--scope", "orders:read", "--reason", "ticket 4711")


@pytest.fixture
def furnished(installed: Run) -> Run:
    """With the person `ada` and the program `robot`."""
    assert installed("users", "add", "ada", "--no-password").exit_status == 0
    adding = ("clients", "add", "robot", "--client-credentials", "--no-refresh", "--allow", "orders", "orders:read")
    assert installed(*adding).exit_status == 0
    return installed


def test_the_token_stands_alone_on_standard_output(furnished: Run) -> None:
    ran = furnished(*ISSUE, "--client", "robot")
    assert (ran.exit_status, ran.err) == (0, "")
    (token,) = ran.out.splitlines()
    assert [len(part) > 40 for part in token.split(".")] == [True] * 3
    assert furnished("tokens", "revoke", "-", stdin=token).out.startswith(
        "revoked a token of client robot in its own name"
    )


def test_json_gives_the_whole_answer(furnished: Run) -> None:
    answer = furnished(*ISSUE, "--client", "robot", "--lifetime", "60", "--json").json()
    assert answer.pop("access_token").count(".") == 2
    assert answer.pop("jti")
    assert answer == {
        "token_type": "Bearer",
        "expires_in": 60,
        "scope": "orders:read",
        "sub": "robot",
        "client_id": "robot",
        "api": "orders",
        "sid": None,
    }


def test_a_persons_token_is_listed_and_ended_as_a_session(furnished: Run) -> None:
    answer = furnished(*ISSUE, "--client", "site", "--user", "ada", "--json").json()
    (session,) = furnished("sessions", "list", "--user", "ada", "--json").json()["sessions"]
    assert session["sid"] == answer["sid"]
    assert "sealring tokens issue" in furnished("sessions", "list").out
    assert furnished("sessions", "end", answer["sid"]).out.startswith("1 session ended")


def test_the_reason_is_in_the_audit_and_the_token_is_not(furnished: Run) -> None:
    token = furnished(*ISSUE, "--client", "robot").out.strip()
    told = furnished("audit", "tail", "--json")
    assert token not in told.out
    events = [row["recorded"]["event"] for row in told.json()["events"]]
    (event,) = [event for event in events if event["event"] == "token_issued"]
    assert event["actor"].startswith("cli:")
    assert event["details"]["reason"] == "ticket 4711"


def test_without_a_reason_a_client_or_a_scope_nothing_is_issued(furnished: Run) -> None:
    for missing in ("--reason", "--scope", "--api"):
        place = ISSUE.index(missing)
        assert furnished(*ISSUE[:place], *ISSUE[place + 2 :], "--client", "robot").exit_status == 2
    assert furnished(*ISSUE).exit_status == 2
    refused = furnished(*ISSUE, "--client", "site", "--json")
    assert refused.exit_status == 1
    assert "grant_not_registered" in refused.out + refused.err


def test_over_a_store_that_was_rolled_back_nothing_is_issued(furnished: Run) -> None:
    memory = Path("secrets/master.key.incarnation")
    memory.write_text(json.dumps(json.loads(memory.read_text()) | {"feed_number": 1000}))
    refused = furnished(*ISSUE, "--client", "robot")
    assert (refused.exit_status, refused.out) == (3, "")
    assert "sealring recover" in refused.err


def test_beside_a_running_server_an_api_takes_the_token_until_its_session_ends(server: Any, run_beside: Run) -> None:  # noqa: ANN401 -- of conftest.py
    options = (*ISSUE, "--client", "site", "--user", "ada", "--json")
    answer = run_beside(*options).json()
    verified = Verifier(server.issuer, "orders").verify(answer["access_token"])
    assert (verified.client_id, verified.sid, verified.scope) == ("site", answer["sid"], frozenset({"orders:read"}))
    key = run_beside("apis", "rotate-secret", "orders", "--json").json()["api_key"]

    def is_active() -> bool:
        asked = httpx.post(
            f"{server.issuer}/introspect", data={"token": answer["access_token"]}, auth=("orders", key)
        ).json()
        return bool(asked["active"])

    assert is_active()
    assert run_beside("sessions", "end", answer["sid"]).exit_status == 0
    assert not is_active()
