import pytest

from sealring.protocol.client import Client, ClientLogout
from sealring.protocol.errors import OAuthError
from sealring.protocol.logout_request import (
    LogoutRequest,
    find_logout_client_id,
    parse_logout_request,
    refuse_logout_redirect,
)

HOME = "https://app.example/bye"
CLIENT = Client(
    client_id="app",
    name="App",
    type="confidential",
    allowed={},
    logout=ClientLogout(post_logout_redirect_uris=(HOME,)),
    epoch=1,
    created_at=0,
)


def test_parameters_are_read_once_and_others_ignored() -> None:
    asked = {"id_token_hint": ("x",), "state": ("s",), "ui_locales": ("fr", "de"), "logout_hint": ("ada",)}
    assert parse_logout_request(asked) == LogoutRequest(id_token_hint="x", state="s")
    assert parse_logout_request({}) == LogoutRequest()


@pytest.mark.parametrize("name", ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"])
def test_a_doubled_parameter_is_refused(name: str) -> None:
    refused = parse_logout_request({name: ("a", "b")})
    assert isinstance(refused, OAuthError)
    assert refused.code == "duplicate_parameter"


@pytest.mark.parametrize("state", ["x" * 1025, "a\r\nb"])
def test_a_state_that_cannot_be_given_back_is_refused(state: str) -> None:
    assert isinstance(parse_logout_request({"state": (state,)}), OAuthError)


def test_the_client_is_the_one_of_the_id_token() -> None:
    assert find_logout_client_id(LogoutRequest(), hinted="app") == "app"
    assert find_logout_client_id(LogoutRequest(client_id="app"), hinted=None) == "app"
    assert find_logout_client_id(LogoutRequest(), hinted=None) is None
    assert isinstance(find_logout_client_id(LogoutRequest(client_id="bank"), hinted="app"), OAuthError)


@pytest.mark.parametrize(
    ("uri", "hinted", "refused"),
    [
        (None, False, False),
        (None, True, False),
        (HOME, True, False),
        (HOME, False, True),
        (HOME + "?x=1", True, True),
        (HOME + "/", True, True),
        ("https://evil.example", True, True),
        ("https://app.example@evil.example/bye", True, True),
        ("javascript:alert(1)", True, True),
    ],
)
def test_only_a_registered_address_is_followed_and_only_with_an_id_token(
    uri: str | None, *, hinted: bool, refused: bool
) -> None:
    request = LogoutRequest(post_logout_redirect_uri=uri)
    assert (refuse_logout_redirect(request, CLIENT, hinted=hinted) is not None) == refused
    assert uri is None or refuse_logout_redirect(request, None, hinted=True) is not None
