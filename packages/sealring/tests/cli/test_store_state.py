import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import httpx

from sealring.signing.master_key import generate_master_key, write_master_key

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_the_status_says_that_no_server_runs(installed: Run) -> None:
    status = installed("status", "--json").json()
    assert not status["running"]
    assert (status["clients"], status["apis"]) == (1, 2)
    assert "not running" in installed("status").out


def test_migrating_an_up_to_date_store_is_done(installed: Run) -> None:
    assert installed("migrate").out == "The store is up to date.\n"


def test_recovering_asks_first_and_begins_a_new_incarnation(installed: Run) -> None:
    before = installed("status", "--json").json()["incarnation"]
    assert installed("recover", stdin="no\n").exit_status == 2
    assert installed("status", "--json").json()["incarnation"] == before
    assert installed("recover", stdin="yes\n").exit_status == 0
    assert installed("status", "--json").json()["incarnation"] != before
    memory = json.loads(Path("secrets/master.key.incarnation").read_text())
    assert memory["incarnation"] == installed("status", "--json").json()["incarnation"]


def test_a_store_that_was_rolled_back_is_recovered(installed: Run) -> None:
    memory = Path("secrets/master.key.incarnation")
    newer = json.loads(memory.read_text()) | {"feed_number": 1000}
    memory.write_text(json.dumps(newer))
    installed("status")
    assert json.loads(memory.read_text())["feed_number"] == 1000
    assert installed("recover", "--yes").exit_status == 0
    assert json.loads(memory.read_text())["feed_number"] < 1000


def test_a_missing_master_key_is_exit_status_2_with_advice(installed: Run) -> None:
    Path("secrets/master.key").unlink()
    ran = installed("status")
    assert ran.exit_status == 2
    assert "master key" in ran.err


def test_an_unknown_setting_is_exit_status_2(installed: Run) -> None:
    with Path("sealring.toml").open("a") as file:
        file.write("colour = 1\n")
    ran = installed("users", "list")
    assert ran.exit_status == 2
    assert "colour" in ran.err


def test_another_configuration_file_is_named(installed: Run, tmp_path: Path) -> None:
    Path("sealring.toml").rename("other.toml")
    assert installed("status").exit_status == 2
    assert installed("status", "--config", "other.toml").exit_status == 0
    assert installed("status", "--config", str(tmp_path / "nowhere.toml")).exit_status == 2


def sign_in(server: Any, **members: str) -> dict[str, Any]:  # noqa: ANN401 -- conftest's Server
    message = {"username": "ada", "password": "lamp-orbit-cedar-violin", "scope": "orders:read"} | members
    answer = httpx.post(f"{server.issuer}/session", json=message, auth=("site", server.client_secret))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def refresh(server: Any, token: str) -> httpx.Response:  # noqa: ANN401 -- as above
    message = {"refresh_token": token}
    return httpx.post(f"{server.issuer}/session/refresh", json=message, auth=("site", server.client_secret))


def test_a_backup_beside_a_running_server_is_private_whole_and_overwrites_nothing(
    server: Any,  # noqa: ANN401 -- as above
    run_beside: Run,
    tmp_path: Path,
) -> None:
    sign_in(server)
    copy = tmp_path / "copy.db"
    done = run_beside("backup", str(copy))
    assert done.exit_status == 0, done.err
    assert "master key is not in it" in done.out
    assert copy.stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["copy.db"]
    with apsw.Connection(str(copy), flags=apsw.SQLITE_OPEN_READONLY) as connection:
        assert connection.execute("PRAGMA integrity_check").get == "ok"
        assert connection.execute("SELECT count(*) FROM sessions").get >= 1
    before = copy.read_bytes()
    assert run_beside("backup", str(copy)).exit_status == 1
    assert copy.read_bytes() == before
    assert run_beside("audit", "tail", "--json").json()["events"][-1]["recorded"]["event"]["event"] == "store_backed_up"
    refused = run_beside("restore", "--yes", str(copy), "--json")
    assert refused.exit_status == 1
    assert json.loads(refused.err)["code"] == "server_running"


def test_no_backup_is_written_where_the_master_key_lies(installed: Run) -> None:
    refused = installed("backup", "secrets/copy.db", "--json")
    assert refused.exit_status == 1
    assert json.loads(refused.err)["code"] == "backup_refused"
    assert not Path("secrets/copy.db").exists()
    Path("link").symlink_to("secrets")
    assert installed("backup", "link/copy.db").exit_status == 1
    assert installed("backup", "nowhere/copy.db").exit_status == 1


def test_an_older_copy_brings_nothing_back_that_had_ended(run: Run, serving: Any) -> None:  # noqa: ANN401 -- below
    with serving() as server:
        ended, living = sign_in(server), sign_in(server)
        assert run("backup", "copy.db").exit_status == 0
        auth = ("site", server.client_secret)
        gone = {"refresh_token": ended["refresh_token"]}
        assert httpx.request("DELETE", f"{server.issuer}/session", json=gone, auth=auth).status_code == 204
    before = run("status", "--json").json()["incarnation"]
    assert run("restore", "copy.db", stdin="no\n").exit_status == 2
    assert run("status", "--json").json()["incarnation"] == before
    restored = run("restore", "copy.db", "--yes", "--json")
    assert restored.exit_status == 0, restored.err
    assert restored.json()["sessions"] == 2
    assert Path(restored.json()["kept"]).exists()
    status = run("status", "--json").json()
    assert (status["sessions"], status["incarnation"]) == (0, restored.json()["incarnation"])
    with serving() as server:
        for session in (ended, living):
            assert refresh(server, session["refresh_token"]).json()["code"] == "refresh_refused"
        sign_in(server)
    events = [row["recorded"]["event"]["event"] for row in run("audit", "tail", "--json").json()["events"]]
    assert "store_restored" in events
    assert run("audit", "verify").exit_status == 0
    assert [file.name for file in Path("data").iterdir() if "restoring" in file.name] == []


def test_what_is_no_whole_database_of_ours_leaves_the_present_one_in_place(installed: Run) -> None:
    before = installed("status", "--json").json()["incarnation"]
    assert installed("backup", "copy.db").exit_status == 0
    Path("garbage.db").write_bytes(b"this is no database" * 1000)
    apsw.Connection("stranger.db").execute("CREATE TABLE t (x)")
    torn = bytearray(Path("copy.db").read_bytes())
    torn[8192:40960] = b"\xff" * 32768
    Path("torn.db").write_bytes(torn)
    for name in ("garbage.db", "stranger.db", "torn.db", "missing.db"):
        refused = installed("restore", name, "--yes")
        assert (refused.exit_status, refused.out) == (2, ""), name
    newer = apsw.Connection("copy.db")
    newer.execute("INSERT INTO migrations VALUES (9999, '9999_future', 'x')")
    newer.close()
    assert "newer Sealring" in installed("restore", "copy.db", "--yes").err
    assert installed("status", "--json").json()["incarnation"] == before
    assert [file.name for file in Path("data").iterdir() if "restoring.db" in file.name or "before" in file.name] == []


def test_another_master_key_does_not_restore(installed: Run) -> None:
    assert installed("backup", "copy.db").exit_status == 0
    Path("secrets/master.key").unlink()
    write_master_key(Path("secrets/master.key").absolute(), generate_master_key(randomness=os.urandom))
    assert "does not open" in installed("restore", "copy.db", "--yes").err


def test_a_backup_from_before_the_master_key_was_changed_is_brought_under_the_present_one(installed: Run) -> None:
    assert installed("backup", "copy.db").exit_status == 0
    first = installed("keys", "rewrap", "--json").json()
    second = installed("keys", "rewrap", "--json").json()
    restored = installed("restore", "copy.db", "--yes")
    assert restored.exit_status == 0, restored.err
    events = [row["recorded"]["event"] for row in installed("audit", "tail", "--json").json()["events"]]
    (changed,) = [event for event in events if event["event"] == "master_key_changed"]
    assert changed["details"] == {"former": first["former_id"], "master_key": second["id"]}
    assert installed("audit", "verify").exit_status == 0
    for change in (first, second):
        Path(change["former_file"]).unlink()
    assert installed("keys", "rewrap", "--json").json()["former_id"] == second["id"]
    lost = installed("restore", "copy.db", "--yes")
    assert lost.exit_status == 2
    assert f"sealed under the master key {first['former_id']}" in lost.err


def test_a_copy_under_the_same_master_key_goes_on_with_the_audit_and_with_no_other_key(installed: Run) -> None:
    installed("keys", "rewrap")
    keys = {key["kid"] for key in installed("keys", "list", "--json").json()["keys"]}
    assert installed("backup", "copy.db").exit_status == 0
    Path("sealring.toml").write_text(Path("sealring.toml").read_text().replace("localhost", "127.0.0.1"))
    restored = installed("restore", "copy.db", "--yes", "--as-copy")
    assert restored.exit_status == 0, restored.err
    assert installed("audit", "verify").exit_status == 0
    others = installed("keys", "list", "--json").json()["keys"]
    assert {key["purpose"] for key in others} == {"access_token", "cookie", "feed", "mac"}
    assert keys.isdisjoint(key["kid"] for key in others)
    assert installed("keys", "rewrap").exit_status == 0


def test_a_copy_begins_anew_under_another_issuer_and_key(run: Run, serving: Any) -> None:  # noqa: ANN401 -- below
    old = run("status", "--json").json()["issuer"]
    run("clients", "update", "site", "--allow", "orders", "orders:read orders:write", "--allow", old, "sessions")
    with serving() as server:
        session = sign_in(server)
        link = run("users", "link", "--json").json()["url"]
    assert run("backup", "copy.db").exit_status == 0
    issuer = old.replace("localhost", "127.0.0.1")
    Path("sealring.toml").write_text(Path("sealring.toml").read_text().replace(old, issuer))
    Path("secrets/master.key").unlink()
    write_master_key(Path("secrets/master.key").absolute(), generate_master_key(randomness=os.urandom))
    refused = run("restore", "copy.db", "--yes")
    assert refused.exit_status == 2
    assert "--as-copy" in refused.err
    assert run("restore", "copy.db", "--yes", "--as-copy", "--issuer", old).exit_status == 2
    restored = run("restore", "copy.db", "--yes", "--as-copy", "--issuer", issuer, "--json")
    assert restored.exit_status == 0, restored.err
    assert restored.json()["former_issuer"] == old
    assert old not in run("apis", "list", "--json").out
    assert issuer in run("clients", "show", "site", "--json").json()["allowed"]
    with apsw.Connection("data/sealring.db", flags=apsw.SQLITE_OPEN_READONLY) as connection:
        assert connection.execute("SELECT count(*) FROM administrator_links").get == 0
    assert link
    with serving() as server:
        assert refresh(server, session["refresh_token"]).json()["code"] == "refresh_refused"
        own = sign_in(server, scope="sessions", resource=issuer)
        seen = httpx.get(f"{issuer}/sessions", headers={"authorization": f"Bearer {own['access_token']}"})
        assert seen.status_code == 200
    verdict = run("audit", "verify", "--json").json()
    assert not verdict["holds"]
    tail = run("audit", "tail", "--limit", "1000", "--json").json()["events"]
    began = next(row["recorded"]["writer"] for row in tail if row["recorded"]["event"]["event"] == "store_restored")
    assert began not in {problem["writer"] for problem in verdict["problems"]}
