from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_a_token_is_shown_once_listed_by_an_id_and_deleted(installed: Run) -> None:
    made = installed("initial-access-tokens", "make", "--uses", "5", "--note", "the books team")
    assert made.exit_status == 0, made.err
    assert "registers 5 clients until" in made.out
    assert "\nsli_" in made.out
    listed = installed("initial-access-tokens", "list", "--json")
    assert "sli_" not in listed.out
    (token,) = listed.json()["initial_access_tokens"]
    assert (token["note"], token["uses_left"]) == ("the books team", 5)
    assert "the books team" in installed("initial-access-tokens", "list").out
    assert installed("initial-access-tokens", "delete", token["id"]).out.startswith(f"deleted {token['id']}")
    gone = installed("initial-access-tokens", "delete", token["id"])
    assert (gone.exit_status, "no such initial access token" in gone.err) == (1, True)
    events = [row["recorded"]["event"]["event"] for row in installed("audit", "tail", "--json").json()["events"]]
    assert events[-2:] == ["initial_access_token_made", "initial_access_token_deleted"]


def test_a_token_out_of_bounds_is_refused(installed: Run) -> None:
    for option, value in (
        ("--uses", "0"),
        ("--uses", "1001"),
        ("--days", "0"),
        ("--days", "367"),
        ("--note", "\x1b[2J"),
    ):
        refused = installed("initial-access-tokens", "make", option, value)
        assert refused.exit_status == 1, (option, value)
        assert "A token" in refused.err or "A note" in refused.err
