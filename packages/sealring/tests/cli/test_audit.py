import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_the_tail_says_who_did_what(installed: Run) -> None:
    installed("users", "add", "ada", "--no-password")
    line = installed("audit", "tail", "--limit", "1").out
    assert "user_added" in line
    assert "cli:" in line
    assert "username=ada" in line
    assert len(installed("audit", "tail", "--json").json()["events"]) > 3


def test_a_whole_audit_is_exit_status_0_and_speaks_of_anchors(installed: Run) -> None:
    ran = installed("audit", "verify")
    assert ran.exit_status == 0
    assert ran.out.startswith("whole: ")
    assert "anchor" in ran.out


def test_an_anchor_proves_that_nothing_was_cut_off(installed: Run) -> None:
    Path("anchor.json").write_text(installed("audit", "anchor").out)
    ran = installed("audit", "verify", "--anchor", "anchor.json")
    assert ran.exit_status == 0
    assert "cannot be said" not in ran.out
    connection = apsw.Connection("data/sealring.db")
    connection.execute("DELETE FROM audit_events; DELETE FROM audit_links")
    connection.close()
    assert installed("audit", "verify").exit_status == 0
    ran = installed("audit", "verify", "--anchor", "anchor.json")
    assert ran.exit_status == 1
    assert "NOT whole" in ran.out


def test_an_altered_event_is_exit_status_1(installed: Run) -> None:
    connection = apsw.Connection("data/sealring.db")
    connection.execute("UPDATE audit_events SET actor = 'nobody' WHERE position = 2")
    connection.close()
    assert installed("audit", "verify").exit_status == 1
    assert installed("audit", "anchor").exit_status == 1


def test_a_file_that_is_no_anchor_is_refused(installed: Run) -> None:
    assert installed("audit", "verify", "--anchor", "nowhere.json").exit_status == 2
    Path("anchor.json").write_text("no JSON")
    assert installed("audit", "verify", "--anchor", "anchor.json").exit_status == 2
    Path("anchor.json").write_text(json.dumps({"issuer": "x"}))
    assert installed("audit", "verify", "--anchor", "anchor.json").exit_status == 2
