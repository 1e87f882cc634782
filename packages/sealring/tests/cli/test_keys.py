import re
from collections.abc import Callable
from typing import Any

import pytest

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


@pytest.fixture
def parcels(installed: Run) -> Run:
    added = installed("apis", "add", "parcels", "--scope", "parcels:read", "See parcels", "--symmetric")
    assert added.exit_status == 0
    return installed


def test_an_apis_secret_is_made_then_turned_to_by_the_same_command(parcels: Run) -> None:
    made = parcels("keys", "rotate", "--api", "parcels")
    assert re.search(r"^SEALRING_SYMMETRIC_SECRETS=THE-ONE-BEFORE,slh_\S{43}$", made.out, re.MULTILINE)
    assert "WARNING: Whoever can verify" in made.out
    assert "still signed under the one before" in made.out
    assert "its verifiers do not say that they hold it" in parcels("keys", "list").out
    refused = parcels("keys", "rotate", "--api", "parcels")
    assert refused.exit_status == 1
    assert "--force" in refused.err
    turned = parcels("keys", "rotate", "--api", "parcels", "--force")
    assert "is at work; hs-" in turned.out
    assert "slh_" not in turned.out
    assert parcels("keys", "rotate", "--api", "parcels", "--force").exit_status == 1


def test_an_apis_next_secret_is_in_the_json_once(parcels: Run) -> None:
    made = parcels("keys", "rotate", "--api", "parcels", "--json").json()
    assert made["secret"]["symmetric_secret"].startswith("slh_")
    assert made["signs_from"] is not None
    assert "slh_" not in parcels("keys", "list", "--json").out
    assert parcels("keys", "rotate", "--api", "parcels", "--alg", "RS256").exit_status == 2
    assert parcels("keys", "rotate", "--api", "orders").exit_status == 1


def test_a_withdrawn_secret_is_replaced_by_one_that_is_shown(parcels: Run) -> None:
    keys = parcels("keys", "list", "--json").json()["keys"]
    (kid,) = (key["kid"] for key in keys if key["api"] == "parcels")
    said = parcels("keys", "revoke", kid).out
    assert re.search(r"^SEALRING_SYMMETRIC_SECRETS=slh_\S{43}$", said, re.MULTILINE)
