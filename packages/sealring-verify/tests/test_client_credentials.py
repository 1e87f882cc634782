import base64
import json
from urllib.parse import parse_qs

import pytest

from sealring_verify.client_credentials import (
    GrantedToken,
    client_credentials_request,
    parse_client_credentials_response,
)
from sealring_verify.errors import UNAVAILABLE_CODES, TokenUnavailable

SCOPE = frozenset({"orders:read", "orders:write"})
GOOD = {"access_token": "eyJ.a-b_c.d", "token_type": "Bearer", "expires_in": 600, "scope": "orders:write orders:read"}


def parsed(status: int = 200, *, body: bytes | None = None, **changes: object) -> GrantedToken | TokenUnavailable:
    members = {name: value for name, value in {**GOOD, **changes}.items() if value is not ...}
    return parse_client_credentials_response(status, body or json.dumps(members).encode(), scope=SCOPE)


def code(status: int = 200, *, body: bytes | None = None, **changes: object) -> str:
    outcome = parsed(status, body=body, **changes)
    assert isinstance(outcome, TokenUnavailable)
    assert outcome.code in UNAVAILABLE_CODES
    return outcome.code


def test_the_request_names_the_api_and_form_encodes_both_halves_of_the_credential() -> None:
    request = client_credentials_request(
        client_id="a b:c", client_secret="s%cret+ü", audience="https://orders.example/x", scope="orders:read x"
    )
    credential = base64.b64decode(request.authorization.removeprefix("Basic ")).decode()
    assert credential == "a+b%3Ac:s%25cret%2B%C3%BC"
    assert parse_qs(request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "scope": ["orders:read x"],
        "resource": ["https://orders.example/x"],
    }
    assert request.scope == {"orders:read", "x"}
    assert repr(request) == "ClientCredentialsRequest(…)"


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": ""},
        {"client_secret": "slc_geheim\n"},
        {"client_secret": ""},
        {"audience": " orders"},
        {"audience": "slc_geheim"},
        {"client_id": "slc_geheim"},
        {"scope": ""},
        {"scope": "a  b"},
        {"scope": 'a"'},
        {"scope": " ".join("x" * 65)},
    ],
)
def test_what_nobody_can_send_is_refused_without_quoting_the_secret(change: dict[str, str]) -> None:
    good = {"client_id": "c", "client_secret": "slc_geheim", "audience": "orders", "scope": "x"}
    with pytest.raises(ValueError, match=r"client_id|client_secret|audience|scope") as refused:
        client_credentials_request(**{**good, **change})
    assert "geheim" not in str(refused.value)


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER"])
def test_a_bearer_token_is_taken_with_its_lifetime(token_type: str) -> None:
    granted = parsed(token_type=token_type)
    assert granted == GrantedToken(access_token="eyJ.a-b_c.d", expires_in=600)
    assert "eyJ" not in repr(granted)


def test_without_a_scope_in_the_answer_what_was_asked_for_was_granted() -> None:
    assert isinstance(parsed(scope=...), GrantedToken)


def test_less_than_was_asked_for_is_refused_and_said() -> None:
    outcome = parsed(scope="orders:read and-more")
    assert isinstance(outcome, TokenUnavailable)
    assert str(outcome) == "scope_not_granted: The issuer granted less than was asked for; missing: orders:write."


@pytest.mark.parametrize(
    "change",
    [
        {"access_token": ...},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nX: y"},
        {"access_token": "ü"},
        {"access_token": "a" * 16_385},
        {"access_token": 1},
        {"token_type": ...},
        {"token_type": "DPoP"},
        {"token_type": 1},
        {"expires_in": ...},
        {"expires_in": "600"},
        {"expires_in": 0},
        {"expires_in": -1},
        {"expires_in": True},
        {"expires_in": 1.5},
        {"expires_in": 10**10},
        {"scope": ["orders:read"]},
        {"body": b"<html>"},
        {"body": b"[]"},
        {"body": b'{"access_token":"a","access_token":"b","token_type":"Bearer","expires_in":60}'},
    ],
)
def test_an_answer_that_is_no_bearer_token_with_a_lifetime_is_refused(change: dict[str, object]) -> None:
    assert code(**change) == "token_response_invalid"  # type: ignore[arg-type] # one of its members


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (401, "invalid_client", "client_authentication_failed"),
        (400, "invalid_client", "client_authentication_failed"),
        (401, None, "client_authentication_failed"),
        (400, "invalid_scope", "scope_refused"),
        (400, "invalid_target", "audience_refused"),
        (400, "unauthorized_client", "token_request_refused"),
        (404, None, "token_request_refused"),
        (302, None, "token_request_refused"),
        (429, "temporarily_unavailable", "issuer_unreachable"),
        (503, "temporarily_unavailable", "issuer_unreachable"),
        (500, None, "issuer_unreachable"),
    ],
)
def test_a_refusal_says_whose_fault_it_is(status: int, error: str | None, expected: str) -> None:
    assert code(status, body=json.dumps({"error": error}).encode()) == expected


def test_a_refusal_repeats_the_two_words_of_the_answer_and_nothing_else() -> None:
    body = {"error": "invalid_client", "code": "client_authentication_failed", "error_description": "slc_geheim"}
    told = str(parsed(401, body=json.dumps(body).encode()))
    assert "401: invalid_client, client_authentication_failed" in told
    assert "geheim" not in told
    assert "geheim" not in str(parsed(400, body=json.dumps({"error": "slc_geheim 1", "code": "GEHEIM"}).encode()))
