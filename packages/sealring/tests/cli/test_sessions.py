from collections.abc import Callable
from typing import Any

Run = Callable[..., Any]  # the fixtures of conftest.py


def test_nobody_is_signed_in_at_first(installed: Run) -> None:
    assert installed("sessions", "list").out == "none\n"
    assert installed("sessions", "list", "--json").json() == {"sessions": [], "live": 0}


def test_ending_what_is_not_there_is_said(installed: Run) -> None:
    installed("users", "add", "ada", "--no-password")
    assert installed("sessions", "end", "--user", "ada").out == "0 sessions ended\n"
    assert installed("sessions", "end", "--all").out.startswith("0 sessions ended; api orders reads no feed")
    assert installed("sessions", "end", "nowhere").exit_status == 1
    assert installed("sessions", "list", "--user", "bob").exit_status == 1


def test_exactly_one_thing_is_ended_at_a_time(installed: Run) -> None:
    assert installed("sessions", "end").exit_status == 2
    assert installed("sessions", "end", "sid", "--all").exit_status == 2
    assert installed("sessions", "end", "--user", "ada", "--all").exit_status == 2
