from urllib.parse import parse_qs, parse_qsl, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization_request import ReturnAddress
from sealring.protocol.authorization_response import code_response, error_response, response_location
from sealring.protocol.errors import CODES, refuse
from sealring.protocol.secret import Secret

ISSUER = "https://auth.example"


def address(uri: str = "https://app.example/cb", state: str | None = "s") -> ReturnAddress:
    return ReturnAddress(redirect_uri=uri, response_mode="query", state=state)


def test_a_code_comes_with_state_and_issuer() -> None:
    assert code_response(Secret("c"), address(), issuer=ISSUER) == {"code": "c", "iss": ISSUER, "state": "s"}
    assert code_response(Secret("c"), address(state=None), issuer=ISSUER) == {"code": "c", "iss": ISSUER}


def test_an_error_names_the_issuer_too_and_never_our_own_code() -> None:
    told = error_response(refuse("code_challenge_required"), address(), issuer=ISSUER)
    assert told.keys() == {"error", "error_description", "iss", "state"}
    assert told["error"] == "invalid_request"


def test_every_description_is_what_rfc_6749_allows_in_it() -> None:
    for code in (*CODES, None):
        refusal = refuse("invalid_scope", description='naïve "quotes" \\ …') if code is None else refuse(code)
        text = error_response(refusal, address(), issuer=ISSUER)["error_description"]
        assert all(character in " !" or "#" <= character <= "[" or "]" <= character <= "~" for character in text)


@given(state=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_a_state_of_any_characters_comes_back_whole_and_alone(state: str) -> None:
    location = response_location(
        address("https://app.example/cb?tenant=a%20b"), code_response(Secret("c"), address(state=state), issuer=ISSUER)
    )
    assert location.isascii()
    assert location.startswith("https://app.example/cb?tenant=a%20b&")
    answered = parse_qs(urlsplit(location).query, keep_blank_values=True, strict_parsing=True)
    assert answered == {"tenant": ["a b"], "code": ["c"], "iss": [ISSUER], "state": [state]}


def test_parameters_open_the_query_where_there_is_none() -> None:
    location = response_location(address("com.example.app:/cb"), {"code": "c"})
    assert location == "com.example.app:/cb?code=c"
    assert parse_qsl(urlsplit(location).query) == [("code", "c")]
