from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_keys_are_listed_with_what_waits_and_how_long(installed: Run) -> None:
    keys = installed("keys", "list", "--json").json()["keys"]
    assert sorted((key["purpose"], key["state"]) for key in keys) == [
        (purpose, state) for purpose in ("access_token", "feed", "mac") for state in ("active", "pending")
    ]
    said = installed("keys", "list").out
    assert "not fetched yet by: orders" in said
    assert "safe in 5 min" in said or "safe in 4 min" in said
    assert "sealed" not in said


def test_turning_too_early_is_refused_and_force_turns(installed: Run) -> None:
    refused = installed("keys", "rotate")
    assert refused.exit_status == 1
    assert "--force" in refused.err
    before = {key["kid"]: key for key in installed("keys", "list", "--json").json()["keys"]}
    turned = installed("keys", "rotate", "--force", "--json").json()
    assert before[turned["kid"]]["state"] == "pending"
    assert before[turned["retiring"]]["state"] == "active"
    after = {key["kid"]: key["state"] for key in installed("keys", "list", "--json").json()["keys"]}
    assert (after[turned["kid"]], after[turned["retiring"]]) == ("active", "retiring")
    assert list(after.values()).count("pending") == 3
    assert "signs no more" in installed("keys", "rotate", "--purpose", "feed", "--force").out


def test_a_key_is_withdrawn_and_its_successor_named(installed: Run) -> None:
    keys = installed("keys", "list", "--json").json()["keys"]
    active = next(key["kid"] for key in keys if (key["purpose"], key["state"]) == ("access_token", "active"))
    waiting = next(key["kid"] for key in keys if (key["purpose"], key["state"]) == ("access_token", "pending"))
    said = installed("keys", "revoke", active).out
    assert said.startswith(f"1 key withdrawn; 0 sessions ended; at work now: {waiting}; api orders reads no feed")
    assert active not in installed("keys", "list").out
    assert installed("keys", "revoke", active).exit_status == 1


def test_after_a_theft_every_key_is_another(installed: Run) -> None:
    before = {key["kid"] for key in installed("keys", "list", "--json").json()["keys"]}
    outcome = installed("keys", "revoke", min(before), "--compromised", "--json").json()
    assert set(outcome["kids"]) == before
    after = {key["kid"] for key in installed("keys", "list", "--json").json()["keys"]}
    assert after.isdisjoint(before)
    assert len(after) == len(before)
