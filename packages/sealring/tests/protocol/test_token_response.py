import msgspec

from sealring.protocol.token_response import TokenResponse

RESPONSE = TokenResponse(
    access_token="eyJ.eyJ.sig", token_type="Bearer", expires_in=600, scope="orders:read", sid="sid-1"
)


def test_an_absent_refresh_token_is_left_out() -> None:
    assert msgspec.json.decode(msgspec.json.encode(RESPONSE)) == {
        "access_token": "eyJ.eyJ.sig",
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "orders:read",
        "sid": "sid-1",
    }


def test_no_token_stands_in_the_repr() -> None:
    response = msgspec.structs.replace(RESPONSE, refresh_token="slr_secret")
    assert repr(response) == "TokenResponse(sid='sid-1', …)"
