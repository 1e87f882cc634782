import json
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization_request import parse_parameters
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.gate import (
    GatePassage,
    GateQuestion,
    decide_gate,
    gate_assertion_payload,
    is_plain_target,
    parse_gate_question,
    parse_return_to,
    refuse_passage,
)

SCOPES = st.frozensets(st.sampled_from(["openid", "orders:read", "orders:write", "bills:read"]))
GATE = Client(client_id="gate~app.example", name="App", type="confidential", allowed={}, epoch=1, created_at=1)


def question(query: str, *, method: str | None = "GET", target: str | None = "/a?b=c") -> GateQuestion | str:
    parameters = parse_parameters(query.encode())
    assert not isinstance(parameters, OAuthError)
    outcome = parse_gate_question(parameters, method=method, target=target)
    return outcome.code if isinstance(outcome, OAuthError) else outcome


def test_a_question_is_read_and_its_path_has_no_query() -> None:
    asked = question("host=app.example&scope=orders:read+orders:write&login=redirect")
    assert isinstance(asked, GateQuestion)
    assert (asked.host, asked.scope, asked.redirects) == ("app.example", {"orders:read", "orders:write"}, True)
    assert (asked.method, asked.target, asked.path) == ("GET", "/a?b=c", "/a")
    plain = question("host=app.example&scope=")
    assert isinstance(plain, GateQuestion)
    assert (plain.scope, plain.redirects) == (frozenset(), False)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("scope=orders:read", "missing_parameter"),
        ("host=a&host=b", "duplicate_parameter"),
        ("host=a&scope=x&scope=y", "duplicate_parameter"),
        ("host=a&scpoe=orders:read", "invalid_parameter"),
        ("host=a&scope=a%00b", "invalid_scope"),
        ("host=a&login=yes", "invalid_parameter"),
    ],
)
def test_a_question_that_a_typing_error_could_have_opened_is_refused(query: str, code: str) -> None:
    assert question(query) == code


@pytest.mark.parametrize("method", ["", "get", "GET, POST", "GET\r\nX: y", "G" * 40])
def test_a_method_that_is_none_is_refused(method: str) -> None:
    assert question("host=a", method=method) == "invalid_parameter"
    assert question("host=a", method=None) == "missing_parameter"
    assert question("host=a", target=None) == "missing_parameter"


@pytest.mark.parametrize(
    "target",
    [
        *("", "a", "//evil.example", "/\\evil.example", "/a/../b", "/a/./b", "/..;/b", "/.;x=1/b", "/%2e%2e/b"),
        *("/a%2fb", "/a%5Cb", "/a//b", "/a b", "/a\tb", "/a%0d", "/a%00", "/%", "/%zz", "/ä", "/a#b", "*", "/a, /b"),
        *("https://evil.example/", "/" + "a" * 8192, "/a?b=c d"),
    ],
)
def test_a_target_that_two_programs_could_read_in_two_ways_is_refused(target: str) -> None:
    assert not is_plain_target(target)
    assert question("host=a", target=target) == "ambiguous_target"


@pytest.mark.parametrize(
    "target", ["/", "/a.b/..c/d..", "/%C3%A4/x;y=1", "/a?next=//evil.example/../%2e&b=%2f", "/~a/@b"]
)
def test_a_usual_target_is_plain(target: str) -> None:
    assert is_plain_target(target)


@given(st.text(max_size=40))
def test_a_return_never_leaves_its_host(text: str) -> None:
    for candidate in (text, "/" + text, "/" + quote(text)):
        back = parse_return_to(candidate)
        assert back in {candidate, "/"}
        assert back.startswith("/")
        assert not back.startswith(("//", "/\\", "/.sealring/"))
        assert back.isascii()
        assert back.isprintable()


def test_a_return_that_is_too_long_or_leads_round_in_circles_is_the_front_page() -> None:
    assert parse_return_to("/" + "a" * 511) != "/"
    assert parse_return_to("/" + "a" * 512) == "/"
    assert parse_return_to("/.sealring/logout") == "/"
    assert parse_return_to("/a?b=\\") == "/"
    assert parse_return_to(None) == "/"


@given(required=SCOPES, held=SCOPES, registered=SCOPES, by_cookie=st.booleans())
def test_nobody_passes_without_all_that_is_demanded(
    *, required: frozenset[str], held: frozenset[str], registered: frozenset[str], by_cookie: bool
) -> None:
    client = msgspec.structs.replace(GATE, allowed={"orders": registered})
    outcome = decide_gate(required, held=held, client=client, by_cookie=by_cookie)
    assert (outcome == "pass") == (required <= held and (not by_cookie or required <= registered))
    if outcome == "log_in":  # a new log-in brings what is registered, so it never goes round in circles
        assert by_cookie
        assert required <= registered


def test_a_refusal_names_the_scope_that_is_lacking() -> None:
    refused = refuse_passage("insufficient_scope", frozenset({"b", "a"}))
    assert (refused.status, refused.scope) == (403, "a b")
    assert refuse_passage("log_in", frozenset()).status == 401


def test_an_assertion_lives_a_minute_and_names_host_method_and_path() -> None:
    asked = question("host=app.example", method="PUT")
    assert isinstance(asked, GateQuestion)
    passage = GatePassage(sub="u1", client_id="gate~app.example", sid="s1", scope=frozenset({"b", "a"}))
    claims = json.loads(gate_assertion_payload(passage, asked, issuer="https://id.example", now=1_000_999))
    assert claims == {
        "iss": "https://id.example",
        "aud": "app.example",
        "sub": "u1",
        "client_id": "gate~app.example",
        "sid": "s1",
        "scope": "a b",
        "method": "PUT",
        "path": "/a",
        "iat": 1000,
        "exp": 1060,
    }
    program = msgspec.structs.replace(passage, sid=None)
    assert "sid" not in json.loads(gate_assertion_payload(program, asked, issuer="https://id.example", now=1))
