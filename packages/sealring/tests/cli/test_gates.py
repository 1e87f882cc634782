from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_a_gate_is_added_with_the_key_of_its_proxy_shown_once(installed: Run) -> None:
    ran = installed("gates", "add", "app.example.com", "--api", "orders", "--scope", "orders:read")
    assert ran.exit_status == 0, ran.err
    assert "Sealring-Gate-Key: slg_" in ran.out
    listed = installed("gates", "list", "--json")
    assert "slg_" not in listed.out
    (gate,) = listed.json()["gates"]
    assert (gate["host"], gate["api"], gate["scopes"], gate["keys"]) == (
        "app.example.com",
        "orders",
        ["orders:read"],
        1,
    )
    assert "app.example.com" in installed("gates", "list").out


def test_a_gate_is_changed_given_a_new_key_and_removed(installed: Run) -> None:
    installed("gates", "add", "app.example.com", "--api", "orders", "--scope", "orders:read")
    assert installed("gates", "update", "app.example.com").exit_status == 2
    changed = installed("gates", "update", "app.example.com", "--no-scopes", "--name", "Orders", "--json")
    assert (changed.json()["name"], changed.json()["scopes"]) == ("Orders", [])
    rotated = installed("gates", "rotate-key", "app.example.com")
    assert "slg_" in rotated.out
    assert "until the next rotation" in rotated.out
    removed = installed("gates", "remove", "app.example.com")
    assert removed.out.startswith("removed app.example.com; 0 sessions ended")
    gone = installed("gates", "remove", "app.example.com", "--json")
    assert gone.exit_status == 1
    assert "unknown_gate" in gone.out + gone.err


def test_a_host_that_no_browser_names_so_is_refused(installed: Run) -> None:
    ran = installed("gates", "add", "https://app.example.com")
    assert ran.exit_status == 1
    assert "app.example.com:8443" in ran.err
