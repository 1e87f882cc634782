from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., Any]  # the fixtures of conftest.py

PASSPHRASE = "lamp-orbit-cedar-violin"


@pytest.fixture
def users(installed: Run) -> Run:
    assert installed("users", "add", "ada", "--role", "clerk", "--password-stdin", stdin=PASSPHRASE + "\n")[0] == 0
    return installed


def test_a_user_is_added_and_shown(users: Run) -> None:
    ran = users("users", "show", "ADA")
    assert ran.exit_status == 0
    assert [line.split() for line in ran.out.splitlines()][1:4] == [
        ["username", "ada"],
        ["e-mail", "-"],
        ["roles", "clerk"],
    ]


def test_a_name_with_an_at_sign_is_an_address(users: Run) -> None:
    added = users("users", "add", "bob@example.com", "--no-password", "--json").json()
    assert (added["username"], added["email"]) == (None, "bob@example.com")
    assert users("users", "add", "a@b.example", "--email", "c@d.example", "--no-password").exit_status == 2


def test_a_passphrase_is_made_and_shown_once(users: Run) -> None:
    ran = users("users", "add", "bob", "--passphrase")
    passphrase = ran.out.splitlines()[1].rpartition(" ")[2]
    assert len(passphrase.split("-")) == 6
    assert passphrase not in users("users", "show", "bob", "--json").out


def test_without_a_terminal_a_password_is_not_asked_for(users: Run) -> None:
    ran = users("users", "add", "bob")
    assert ran.exit_status == 2
    assert "--password-stdin" in ran.err


def test_a_prompted_password_is_typed_twice(users: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([PASSPHRASE, PASSPHRASE, PASSPHRASE, "another"])
    monkeypatch.setattr("getpass.getpass", lambda _prompt: next(answers))

    class Terminal:
        def isatty(self) -> bool:
            return True

    def typed(*arguments: str) -> int:
        monkeypatch.setattr("sealring.cli.prompt.sys.stdin", Terminal())
        from sealring.cli import main

        return main(arguments)

    assert typed("users", "add", "bob") == 0
    assert typed("users", "add", "eve") == 2
    assert users("users", "show", "eve").exit_status == 1


def test_a_weak_password_is_refused_with_advice_and_never_repeated(users: Run) -> None:
    ran = users("users", "add", "bob", "--password-stdin", stdin="hunter22\n")
    assert ran.exit_status == 1
    assert "passphrase" in ran.err
    assert "hunter22" not in ran.err + ran.out


def test_a_taken_name_is_exit_status_1_with_its_code_in_json(users: Run) -> None:
    ran = users("users", "add", "Ada", "--no-password", "--json")
    assert ran.exit_status == 1
    assert '"code": "login_name_taken"' in ran.err


def test_users_are_listed_in_a_table_and_as_json(users: Run) -> None:
    lines = users("users", "list").out.splitlines()
    assert lines[0].split() == ["SUB", "USERNAME", "E-MAIL", "ROLES", "STATE", "ADDED"]
    assert lines[1].split()[1:5] == ["ada", "-", "clerk", "enabled"]
    assert len(users("users", "list", "--json").json()["users"]) == 1
    users("users", "add", "bob", "--no-password")
    assert "--after" in users("users", "list", "--limit", "1").out


def test_a_user_is_disabled_enabled_and_deleted(users: Run) -> None:
    assert users("users", "disable", "ada").out == "disabled ada; 0 sessions ended\n"
    assert " disabled " in users("users", "list").out
    assert users("users", "enable", "ada").out == "enabled ada\n"
    assert users("users", "delete", "ada").exit_status == 0
    assert users("users", "show", "ada").exit_status == 1


def test_a_password_is_set(users: Run) -> None:
    ran = users("users", "set-password", "ada", "--password-stdin", stdin="spoon-delta-harbour-wax\n")
    assert ran.exit_status == 0
    assert users("users", "set-password", "nobody", "--passphrase").exit_status == 1


def test_roles_are_shown_replaced_and_taken_away(users: Run) -> None:
    assert users("users", "roles", "ada").out == "clerk\n"
    assert users("users", "roles", "ada", "manager", "auditor").out == "auditor manager\n"
    assert users("users", "roles", "ada", "--none").out == "-\n"
    assert users("users", "roles", "ada", "clerk", "--none").exit_status == 2


def test_claims_are_shown_and_replaced(users: Run) -> None:
    assert users("users", "claims", "ada", "--set", '{"plan": "gold"}').exit_status == 0
    assert users("users", "claims", "ada", "--json").json()["claims"] == {"plan": "gold"}
    assert users("users", "claims", "ada", "--set", "[]").exit_status == 2
    assert users("users", "claims", "ada", "--set", '{"sub": "x"}').exit_status == 1


def test_an_administrators_link_is_printed(users: Run) -> None:
    ran = users("users", "link")
    assert ran.out.startswith("http://localhost:8700/admin/enroll#slk_")


def test_what_a_stranger_wrote_reaches_the_terminal_encoded(users: Run) -> None:
    ran = users("users", "disable", "ada\x1b[2J")
    assert ran.exit_status == 1
    users("users", "claims", "ada", "--set", '{"note": "\\u001b[2Jgone\\u202e"}')
    for arguments in (("claims", "ada"), ("show", "ada"), ("claims", "ada", "--json")):
        assert "\x1b" not in users("users", *arguments).out
        assert "\u202e" not in users("users", *arguments).out
