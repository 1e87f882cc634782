import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_keys_are_listed_with_what_waits_and_how_long(installed: Run) -> None:
    keys = installed("keys", "list", "--json").json()["keys"]
    assert sorted((key["purpose"], key["state"]) for key in keys) == [
        (purpose, state) for purpose in ("access_token", "cookie", "feed", "mac") for state in ("active", "pending")
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
    assert list(after.values()).count("pending") == 4
    for purpose in ("feed", "cookie"):
        assert "signs no more" in installed("keys", "rotate", "--purpose", purpose, "--force").out


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


def test_another_master_key_takes_the_place_of_the_present_one(installed: Run) -> None:
    before, keys = Path("secrets/master.key").read_text(), installed("keys", "list", "--json").json()["keys"]
    done = installed("keys", "rewrap", "--json")
    assert done.exit_status == 0, done.err
    value = done.json()
    assert value["former_file"] == str(Path(f"secrets/master.key.former-{value['former_id']}").absolute())
    assert Path(value["former_file"]).read_text() == before
    assert Path("secrets/master.key").read_text() not in {before, done.out}
    assert installed("keys", "list", "--json").json()["keys"] == keys
    assert installed("audit", "verify").exit_status == 0
    said = installed("keys", "rewrap").out
    assert said.startswith("10 keys sealed anew: the master key is ")
    assert f"Backups made before need the former key, {value['id']}." in said
    assert "slm_" not in said + done.out
    assert len(list(Path("secrets").glob("master.key.former-*"))) == 2
    modes = {file.stat().st_mode & 0o777 for file in Path("secrets").iterdir()}
    assert modes == {0o600}


def test_a_running_server_changes_its_master_key(server: Any, run_beside: Run) -> None:  # noqa: ANN401 -- conftest's Server
    before = (server.folder / "secrets/master.key").read_text()
    for _ in range(2):
        done = run_beside("keys", "rewrap")
        assert done.exit_status == 0, done.err
    assert (server.folder / "secrets/master.key").read_text() != before
    assert run_beside("audit", "verify").exit_status == 0
    assert run_beside("keys", "rotate", "--force").exit_status == 0


def test_the_new_key_goes_to_another_file_where_it_is_wanted_there(installed: Run) -> None:
    before = Path("secrets/master.key").read_text()
    refused = installed("keys", "rewrap", "--to", "data/master.key", "--json")
    assert (refused.exit_status, json.loads(refused.err)["code"]) == (1, "rewrap_refused")
    done = installed("keys", "rewrap", "--to", "mount/other.key")
    assert done.exit_status == 0, done.err
    assert "let master_key_file name that file BEFORE THE NEXT START" in done.out
    assert Path("secrets/master.key").read_text() == before
    stopped = installed("status")
    assert stopped.exit_status == 2
    sealed_under = re.findall(r"the master key is ([0-9a-f]{8}) now", done.out)
    assert sealed_under[0] in stopped.err
    Path("sealring.toml").write_text(Path("sealring.toml").read_text().replace("secrets/master.key", "mount/other.key"))
    assert installed("status").exit_status == 0
    refused = installed("keys", "rewrap", "--to", "mount/other.key", "--json")
    assert (refused.exit_status, json.loads(refused.err)["code"]) == (1, "master_key_exists")


@pytest.mark.parametrize("crash", ["before the store", "after the store", "after the former key"])
def test_a_crash_between_two_steps_of_a_change_is_made_good_by_the_next_command(installed: Run, crash: str) -> None:
    master_key, following = Path("secrets/master.key"), Path("secrets/master.key.next")
    shutil.copytree("data", "before")
    done = installed("keys", "rewrap", "--json").json()
    new, former = master_key.read_text(), Path(done["former_file"])
    master_key.rename(following)
    shutil.copy(former, master_key)
    if crash != "after the former key":
        former.unlink()
    if crash == "before the store":
        shutil.rmtree("data")
        shutil.move("before", "data")
    assert installed("status").exit_status == 0
    sealed_under = done["former_id"] if crash == "before the store" else done["id"]
    names = {file.name for file in Path("secrets").iterdir()}
    if crash == "before the store":
        assert names == {"master.key", "master.key.incarnation", f"master.key.unused-{done['id']}"}
    else:
        assert names == {"master.key", "master.key.incarnation", former.name}
        assert master_key.read_text() == new
    events = [row["recorded"]["event"] for row in installed("audit", "tail", "--json").json()["events"]]
    (settled,) = [event for event in events if event["event"] == "master_key_settled"]
    assert settled["details"]["master_key"] == sealed_under
    assert installed("audit", "verify").exit_status == 0
    assert installed("keys", "rewrap", "--json").json()["former_id"] == sealed_under
