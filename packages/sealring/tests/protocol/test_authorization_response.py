import pytest

from sealring.protocol.authorization_request import ReturnAddress
from sealring.protocol.authorization_response import code_response, error_response, response_location
from sealring.protocol.errors import refuse
from sealring.protocol.secret import Secret

ISSUER = "https://auth.example"
ADDRESS = ReturnAddress(redirect_uri="https://app.example/callback", response_mode="query", state="s&t=1")


def test_every_response_names_its_issuer_and_gives_the_state_back() -> None:
    assert code_response(Secret("c"), ADDRESS, issuer=ISSUER) == {"code": "c", "iss": ISSUER, "state": "s&t=1"}
    told = error_response(refuse("login_required"), ADDRESS, issuer=ISSUER)
    assert told.keys() == {"error", "error_description", "iss", "state"}
    assert told["error"] == "login_required"


def test_a_description_has_only_the_characters_that_may_stand_there() -> None:
    refusal = refuse("invalid_parameter", description='é "\\')
    assert error_response(refusal, ADDRESS, issuer=ISSUER)["error_description"] == "? '/"


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("https://app.example/cb", "https://app.example/cb?code=c&state=s%26t%3D1"),
        ("https://app.example/cb?a=b", "https://app.example/cb?a=b&code=c&state=s%26t%3D1"),
        ("com.example.app:/cb", "com.example.app:/cb?code=c&state=s%26t%3D1"),
    ],
)
def test_what_the_redirect_uri_has_stays(uri: str, location: str) -> None:
    address = ReturnAddress(redirect_uri=uri, response_mode="query", state=None)
    assert response_location(address, {"code": "c", "state": "s&t=1"}) == location
