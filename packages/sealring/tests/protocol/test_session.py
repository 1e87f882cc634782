import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.access_token import REGISTERED_CLAIMS
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.secret import Secret
from sealring.protocol.session import (
    AssertedSessionRequest,
    EndSessionRequest,
    PasswordChangeRequest,
    PasswordSessionRequest,
    RefreshRequest,
    find_refresh_token,
    is_subject,
    parse_end_session_request,
    parse_password_change_request,
    parse_refresh_request,
    parse_session_request,
    refuse_page,
    refuse_sender,
)

NOW = Instant(1_700_000_000_500)
PASSWORD = {"username": "ada", "password": "correct horse", "scope": "orders:read"}
ASSERTION = {"subject": "u-1", "auth_time": 1_700_000_000, "amr": ["pwd", "otp"], "scope": "orders:read"}


def body(members: dict[str, Any]) -> bytes:
    return json.dumps({name: value for name, value in members.items() if value is not ...}).encode()


def parse(**members: object) -> object:
    return parse_session_request(body(members), now=NOW)


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError), outcome
    return outcome.code


# --- POST /session ---


def test_a_name_and_a_password_ask_for_a_session() -> None:
    assert parse(**PASSWORD, client_id="shop", resource="orders") == PasswordSessionRequest(
        client_id="shop",
        login_name="ada",
        password=Secret("correct horse"),
        device_token=None,
        scope=frozenset({"orders:read"}),
        resource="orders",
    )


def test_a_back_end_may_assert_whom_it_has_checked_itself() -> None:
    claims = {"tenant": "x", "nested": {"list": [1, 2.5, None, True]}}
    assert parse(**ASSERTION, claims=claims) == AssertedSessionRequest(
        client_id=None,
        subject="u-1",
        auth_time=Instant(1_700_000_000_000),
        amr=("pwd", "otp"),
        claims=claims,
        scope=frozenset({"orders:read"}),
        resource=None,
    )


@pytest.mark.parametrize(
    "change",
    [
        {"username": ...},
        {"password": ...},
        {"password": None},
        {"username": ..., "password": ...},
        {"subject": "u-1"},
        {"auth_time": 1_700_000_000},
        {"amr": ["pwd"]},
        {"claims": {}},
    ],
)
def test_a_password_and_half_an_assertion_are_neither(change: dict[str, Any]) -> None:
    assert code_of(parse(**(PASSWORD | change))) == "missing_parameter"


@pytest.mark.parametrize(
    "change",
    [{"subject": ...}, {"auth_time": ...}, {"amr": ...}, {"amr": []}, {"username": "ada"}, {"password": "x"}],
)
def test_half_an_assertion_is_none(change: dict[str, Any]) -> None:
    assert code_of(parse(**(ASSERTION | change))) == "missing_parameter"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"scope": ""}, "invalid_scope"),
        ({"scope": "a  b"}, "invalid_scope"),
        ({"scope": ...}, "invalid_member"),
        ({"scope": ["orders:read"]}, "invalid_member"),
        ({"password": 7}, "invalid_member"),
        ({"username": "a\x00b"}, "malformed_json"),
        ({"delivery": "cookie"}, "invalid_member"),
    ],
)
def test_a_malformed_password_request_is_refused(change: dict[str, Any], code: str) -> None:
    assert code_of(parse(**(PASSWORD | change))) == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"subject": ""}, "invalid_subject"),
        ({"subject": "ada@example.com"}, "invalid_subject"),
        ({"subject": "ädа"}, "invalid_subject"),
        ({"subject": "a b"}, "invalid_subject"),
        ({"subject": "u-1\n"}, "invalid_subject"),
        ({"subject": "x" * 256}, "invalid_subject"),
        ({"amr": ["PWD"]}, "invalid_parameter"),
        ({"amr": [""]}, "invalid_parameter"),
        ({"amr": ["pwd"] * 9}, "invalid_parameter"),
        ({"amr": ["x" * 33]}, "invalid_parameter"),
        ({"amr": "pwd"}, "invalid_member"),
        ({"auth_time": True}, "invalid_member"),
        ({"auth_time": "1700000000"}, "invalid_member"),
        ({"auth_time": 1.5}, "invalid_member"),
        ({"claims": []}, "invalid_member"),
        ({"claims": {"x": 10**30}}, "malformed_json"),
    ],
)
def test_a_malformed_assertion_is_refused(change: dict[str, Any], code: str) -> None:
    assert code_of(parse(**(ASSERTION | change))) == code


@pytest.mark.parametrize(
    ("seconds", "accepted"),
    [(0, True), (60, True), (61, False), (-86_399, True), (-86_400, False), (-(10**9), False), (10**12, False)],
)
def test_an_assertion_is_of_the_last_day_with_a_minute_for_disagreeing_clocks(
    seconds: int,
    accepted: bool,  # noqa: FBT001 -- pytest names it
) -> None:
    outcome = parse(**(ASSERTION | {"auth_time": 1_700_000_000 + seconds}))
    assert isinstance(outcome, AssertedSessionRequest) == accepted
    assert accepted or code_of(outcome) == "invalid_auth_time"


@pytest.mark.parametrize("name", sorted(REGISTERED_CLAIMS))
def test_an_assertion_may_set_no_registered_claim(name: str) -> None:
    assert code_of(parse(**ASSERTION, claims={"department": "sales", name: "forged"})) == "reserved_claim"


@given(text=st.text(alphabet=st.characters(), max_size=300))
def test_a_subject_is_printable_ascii_and_never_an_address(text: str) -> None:
    good = 1 <= len(text) <= 255 and all("!" <= character <= "~" and character != "@" for character in text)
    assert is_subject(text) == good


# --- The other messages ---


def test_a_refresh_may_narrow_scope_and_resource() -> None:
    assert parse_refresh_request(body({"refresh_token": "slr_x"})) == RefreshRequest(
        client_id=None, refresh_token=Secret("slr_x"), scope=None, resource=None
    )
    narrowed = {"client_id": "shop", "refresh_token": "slr_x", "scope": "b a", "resource": "orders"}
    assert parse_refresh_request(body(narrowed)) == RefreshRequest(
        client_id="shop", refresh_token=Secret("slr_x"), scope=frozenset({"a", "b"}), resource="orders"
    )


def test_a_log_out_names_its_refresh_token() -> None:
    assert parse_end_session_request(body({"client_id": "shop", "refresh_token": "slr_x"})) == EndSessionRequest(
        client_id="shop", refresh_token=Secret("slr_x")
    )


def test_a_password_change_names_both_passwords() -> None:
    change = {"current_password": "old", "new_password": "new"}
    assert parse_password_change_request(body(change)) == PasswordChangeRequest(
        current_password=Secret("old"), new_password=Secret("new")
    )


PARSERS = {
    "session": lambda octets: parse_session_request(octets, now=NOW),
    "refresh": parse_refresh_request,
    "end": parse_end_session_request,
    "password": parse_password_change_request,
}


@pytest.mark.parametrize("message", PARSERS)
@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"", "malformed_json"),
        (b"[]", "malformed_json"),
        (b'{"scope":1}', "invalid_member"),
        (b'{"unknown":1}', "invalid_member"),
        (b'{"a":1,"a":1}', "malformed_json"),
        (b" " * 16_385, "body_too_large"),
    ],
)
def test_every_message_is_strict_json(message: str, octets: bytes, code: str) -> None:
    assert code_of(PARSERS[message](octets)) == code


def test_a_refresh_with_a_malformed_scope_is_refused() -> None:
    assert code_of(parse_refresh_request(body({"refresh_token": "slr_x", "scope": ""}))) == "invalid_scope"


json_leaves = st.none() | st.booleans() | st.integers() | st.text(st.characters(), max_size=8) | st.just("orders:read")
members = st.dictionaries(
    st.sampled_from(["client_id", "username", "password", "subject", "auth_time", "amr", "claims", "scope", "resource"])
    | st.sampled_from(["refresh_token", "current_password", "new_password", "x"]),
    json_leaves | st.lists(json_leaves, max_size=2) | st.dictionaries(st.text(max_size=4), json_leaves, max_size=2),
)


@pytest.mark.parametrize("message", PARSERS)
@given(sent=members)
def test_no_message_raises_and_no_secret_is_shown(message: str, sent: dict[str, Any]) -> None:
    sent = sent | {name: "sesame-open" for name in sent if "password" in name or name == "refresh_token"}
    outcome = PARSERS[message](json.dumps(sent).encode())
    assert "sesame-open" not in repr(outcome)


# --- Who may send them (SECURITY D4) ---

SHOP = Client(
    client_id="shop",
    name="Shop",
    type="public",
    first_party=True,
    allowed={},
    origins=frozenset({"https://shop.example"}),
    epoch=1,
    created_at=1,
)
BACK_END = replace(SHOP, type="confidential", origins=frozenset())
OURS, STRANGE = "https://shop.example", "https://evil.example"


@pytest.mark.parametrize(
    ("client", "origin", "from_page", "code"),
    [
        (SHOP, OURS, True, None),
        (SHOP, STRANGE, True, "origin_not_registered"),
        (SHOP, "null", True, "origin_not_registered"),
        (SHOP, "https://shop.example.evil.example", True, "origin_not_registered"),
        (SHOP, "https://shop.example/", True, "origin_not_registered"),
        (SHOP, None, True, "origin_required"),
        (SHOP, None, False, "confidential_client_required"),
        (BACK_END, None, False, None),
        (BACK_END, None, True, "origin_required"),
        (BACK_END, OURS, True, "origin_not_registered"),
        (replace(BACK_END, origins=SHOP.origins), OURS, True, None),
        (replace(SHOP, first_party=False), OURS, True, "client_not_first_party"),
        (replace(BACK_END, first_party=False), None, False, "client_not_first_party"),
        (replace(SHOP, token_delivery="cookie"), OURS, True, None),
        (replace(SHOP, token_delivery="cookie"), STRANGE, True, "origin_not_registered"),
        (replace(SHOP, token_delivery="cookie"), None, False, "origin_required"),
        (replace(SHOP, first_party=False, token_delivery="cookie"), STRANGE, True, "client_not_first_party"),
    ],
)
def test_only_first_party_clients_at_home_may_use_sessions(
    client: Client,
    origin: str | None,
    from_page: bool,  # noqa: FBT001 -- pytest names it
    code: str | None,
) -> None:
    refusal = refuse_sender(client, origin=origin, from_page=from_page, marked=True, opens=True)
    assert (None if refusal is None else refusal.code) == code


JAR = replace(SHOP, token_delivery="cookie")


@pytest.mark.parametrize(
    ("origin", "marked", "code"),
    [
        (OURS, True, None),
        (OURS, False, "request_header_required"),
        (None, True, "origin_required"),
        ("null", True, "origin_not_registered"),
        ("", True, "origin_not_registered"),
        (STRANGE, True, "origin_not_registered"),
        (f"{OURS}, {OURS}", True, "origin_not_registered"),
        (f"{OURS}/", True, "origin_not_registered"),
    ],
)
def test_cookies_are_for_pages_of_the_registered_origin_that_mark_their_requests(
    origin: str | None,
    marked: bool,  # noqa: FBT001 -- pytest names it
    code: str | None,
) -> None:
    refusal = refuse_page(replace(JAR, origins=JAR.origins | {"null"}), origin=origin, marked=marked)
    assert (None if refusal is None else refusal.code) == code


def test_a_client_that_is_not_first_party_refreshes_and_logs_out_by_cookie_but_signs_nobody_in() -> None:
    client = replace(JAR, first_party=False)
    assert refuse_sender(client, origin=OURS, from_page=True, marked=True, opens=False) is None
    refused = refuse_sender(client, origin=OURS, from_page=True, marked=True, opens=True)
    assert refused is not None
    assert refused.code == "client_not_first_party"


def test_a_refresh_token_comes_by_the_registered_way_alone() -> None:
    one, other = Secret("slr_1"), Secret("slr_2")
    assert find_refresh_token(SHOP, in_body=one, in_cookie=other) == one
    assert find_refresh_token(JAR, in_body=None, in_cookie=other) == other
    assert find_refresh_token(JAR, in_body=None, in_cookie=None) is None
    assert code_of(find_refresh_token(SHOP, in_body=None, in_cookie=other)) == "missing_parameter"
    assert code_of(find_refresh_token(JAR, in_body=one, in_cookie=other)) == "invalid_parameter"
