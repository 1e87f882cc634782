import time

import pytest

from sealring_verify.bearer import (
    asks_for_another_token,
    bearer_token,
    challenge,
    checked_realm,
    checked_scopes,
    has_token_in_query,
    refusal_body,
    refusal_headers,
)
from sealring_verify.errors import (
    InsufficientAuthentication,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    KeysUnavailable,
    TokenRefused,
)


@pytest.mark.parametrize("value", ["Bearer a.b.c", "bearer a.b.c", "BEARER a.b.c"])
def test_the_scheme_is_compared_without_regard_to_case(value: str) -> None:
    assert bearer_token([value], other_transport=False) == "a.b.c"


@pytest.mark.parametrize(
    ("values", "other", "kind", "code"),
    [
        ([], False, InvalidToken, "token_missing"),
        (["Basic YTpi"], False, InvalidToken, "token_missing"),
        (["DPoP a.b.c"], False, InvalidToken, "token_missing"),
        ([""], False, InvalidToken, "token_missing"),
        (["a.b.c"], False, InvalidToken, "token_missing"),
        (["Bearer"], False, InvalidToken, "token_malformed"),
        (["Bearer "], False, InvalidToken, "token_malformed"),
        (["Bearer a", "Bearer a"], False, InvalidRequest, "token_transport"),
        (["Bearer a", "Basic YTpi"], False, InvalidRequest, "token_transport"),
        # Two headers, as WSGI joins them.
        (["Bearer a,Bearer a"], False, InvalidRequest, "token_transport"),
        (["Basic YTpi, bearer a"], False, InvalidRequest, "token_transport"),
        (['Digest username="a", realm="b"'], False, InvalidToken, "token_missing"),
        (["Bearer a"], True, InvalidRequest, "token_transport"),
        ([], True, InvalidRequest, "token_transport"),
    ],
)
def test_a_token_comes_once_and_in_the_header(
    values: list[str],
    other: bool,  # noqa: FBT001 - a case, not a switch
    kind: type[TokenRefused],
    code: str,
) -> None:
    with pytest.raises(kind) as refused:
        bearer_token(values, other_transport=other)
    assert refused.value.code == code


def test_each_refusal_has_the_challenge_of_rfc_6750() -> None:
    assert challenge(InvalidToken("token_missing")) == "Bearer"
    assert challenge(InvalidToken("token_expired")) == (
        'Bearer error="invalid_token", error_description="The token has expired."'
    )
    assert challenge(InsufficientScope({"b", "a"})) == (
        'Bearer error="insufficient_scope", error_description="This operation needs the scope: a b.", scope="a b"'
    )
    assert str(challenge(InvalidRequest("token_transport"))).startswith('Bearer error="invalid_request"')
    assert challenge(KeysUnavailable("keys_unavailable")) is None


def test_a_sentence_of_somebody_else_cannot_leave_its_quotes() -> None:
    refusal = InvalidToken("token_expired", message='Say "why" – or\\\r\nX: y')
    written = challenge(refusal)
    assert written == "Bearer error=\"invalid_token\", error_description=\"Say 'why' ' or" + 3 * "'" + 'X: y"'
    assert refusal_body(refusal)["error_description"] == refusal.message


def test_a_sign_in_that_is_not_enough_has_the_challenge_of_rfc_9470() -> None:
    sentence = "This operation needs a person who signed in more recently, or in a stronger way."
    begun = f'Bearer error="insufficient_user_authentication", error_description="{sentence}"'
    refusal = InsufficientAuthentication("acr", ("gold", "silver"))
    assert challenge(refusal) == f'{begun}, acr_values="gold silver"'
    assert challenge(InsufficientAuthentication("auth_time", (), 0)) == f'{begun}, max_age="0"'
    assert challenge(InsufficientAuthentication("acr", ("gold",), 5, {"b", "a"})) == (
        f'{begun}, scope="a b", acr_values="gold", max_age="5"'
    )
    body = refusal_body(refusal)
    assert (body["error"], body["code"]) == ("insufficient_user_authentication", "insufficient_user_authentication")


def test_realm_and_metadata_stand_in_each_challenge() -> None:
    terms = {"realm": "orders", "resource_metadata": "https://api.example.com/.well-known/oauth-protected-resource"}
    ending = f'resource_metadata="{terms["resource_metadata"]}"'
    assert challenge(InvalidToken("token_missing"), **terms) == f'Bearer realm="orders", {ending}'
    for refusal in (InvalidToken("token_expired"), InsufficientScope({"a"}), InvalidRequest("token_transport")):
        written = str(challenge(refusal, **terms))
        assert written.startswith('Bearer realm="orders", error="')
        assert written.endswith(f", {ending}")
    assert challenge(KeysUnavailable("keys_unavailable"), **terms) is None
    assert refusal_headers(InvalidToken("token_missing"), **terms)["WWW-Authenticate"].endswith(ending)


@pytest.mark.parametrize("realm", ['or"ders', "or\\ders", "örders", "or\nders"])
def test_what_would_leave_the_quotes_is_no_realm(realm: str) -> None:
    assert checked_realm("the orders") == "the orders"
    assert checked_realm(None) is None
    with pytest.raises(ValueError, match="realm"):
        checked_realm(realm)


@pytest.mark.parametrize("query", ["access_token=a", "x=1&access_token=", "access_token", "access%5Ftoken=a"])
def test_a_token_in_the_query_is_seen_however_it_is_written(query: str) -> None:
    assert has_token_in_query(query)
    assert not has_token_in_query("")
    assert not has_token_in_query("x=access_token&token=a")


def test_what_is_no_scope_is_not_taken_for_one() -> None:
    assert checked_scopes(["a", "b:c"]) == {"a", "b:c"}
    with pytest.raises(ValueError, match="scopes"):
        checked_scopes(["a b"])


def test_an_unavailable_issuer_says_when_to_ask_again() -> None:
    headers = refusal_headers(KeysUnavailable("keys_unavailable", retry_after=7))
    assert headers == {"Cache-Control": "no-store", "Retry-After": "7"}
    assert refusal_body(KeysUnavailable("keys_unavailable"))["error"] == "temporarily_unavailable"


def test_the_body_is_flat_and_has_error_description_and_code() -> None:
    assert refusal_body(InvalidToken("token_expired", "exp")) == {
        "error": "invalid_token",
        "error_description": "The token has expired.",
        "code": "token_expired",
    }
    assert refusal_body(InsufficientScope({"a"}))["scope"] == "a"


@pytest.mark.parametrize(
    "value",
    [
        'Bearer error="invalid_token"',
        "bearer error=invalid_token",
        'Bearer realm="orders", error = "invalid_token", error_description="The token has expired."',
        'Basic realm="x", Bearer realm="orders", error="invalid_token"',
        'BEARER ERROR="invalid_token"',
    ],
)
def test_a_challenge_that_refuses_the_token_asks_for_another(value: str) -> None:
    assert asks_for_another_token(["Basic", value])


@pytest.mark.parametrize(
    "values",
    [
        [],
        ["Bearer"],
        ['Bearer error="insufficient_scope"'],
        ['Bearer error="invalid_token_or_so"'],
        ['Bearer my_error="invalid_token"'],
        ['DPoP error="invalid_token"'],
        ["Bearer", 'DPoP error="invalid_token"'],
        ["Bearererror=invalid_token"],
    ],
)
def test_another_challenge_does_not(values: list[str]) -> None:
    assert not asks_for_another_token(values)


@pytest.mark.parametrize("word", ["bearer ", "bearer error ", "bearer error  = ", "bearer error" + " " * 500])
def test_a_challenge_as_long_as_a_head_may_be_is_read_in_no_time(word: str) -> None:
    # httpx takes heads of 100 KiB: whoever answers 401 must not stop the event loop of who called it.
    began = time.process_time()
    assert not asks_for_another_token([word * (100_000 // len(word))])
    assert time.process_time() - began < 0.5
