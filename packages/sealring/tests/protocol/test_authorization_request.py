from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization_request import (
    AuthorizationRequest,
    find_client_id,
    find_return_address,
    one_redirect_uri,
    parse_authorization_request,
    parse_parameters,
)
from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.errors import OAuthError

ISSUER = "https://auth.example"
CALLBACK = "https://app.example/callback"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENT = Client(
    client_id="app",
    name="App",
    type="confidential",
    allowed={"orders": frozenset({"orders:read"}), "bills": frozenset({"bills:read"})},
    code_flow=CodeFlow(redirect_uris=(CALLBACK,)),
    epoch=1,
    created_at=0,
)
EXEMPTED = msgspec.structs.replace(CLIENT, code_flow=CodeFlow(redirect_uris=(CALLBACK,), require_pkce=False))
PLAIN = {
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def parse(changes: dict[str, Any] | None = None, client: Client = CLIENT) -> AuthorizationRequest | OAuthError:
    given_parameters = {name: value for name, value in (PLAIN | (changes or {})).items() if value is not None}
    parameters = parse_parameters(urlencode(given_parameters, doseq=True).encode())
    assert not isinstance(parameters, OAuthError), parameters
    address = find_return_address(parameters, redirect_uri=CALLBACK)
    return parse_authorization_request(parameters, client, address, issuer=ISSUER)


def good(changes: dict[str, Any] | None = None, client: Client = CLIENT) -> AuthorizationRequest:
    request = parse(changes, client)
    assert isinstance(request, AuthorizationRequest), request
    return request


def test_a_request_is_read_whole() -> None:
    request = good(
        {
            "scope": "openid orders:read",
            "state": "s t ä",
            "nonce": "n",
            "prompt": "login consent",
            "max_age": "10",
            "login_hint": "ada",
            "acr_values": "2 1",
            "claims": '{"userinfo":{"name":null}}',
            "response_mode": "form_post",
            "display": "page",
            "ui_locales": "fr",
            "x": "y",
        }
    )
    assert request.scope == {"openid", "orders:read"}
    assert (request.target.audience, request.resources) == ("orders", {"orders"})
    assert (request.address.state, request.address.response_mode, request.nonce) == ("s t ä", "form_post", "n")
    assert (request.prompt, request.max_age, request.acr_values) == ({"login", "consent"}, 10, ("2", "1"))
    assert request.claims.userinfo == {"name"}


def test_several_resources_may_be_granted_at_once() -> None:
    request = good({"scope": "openid orders:read bills:read", "resource": ["bills", "orders"]})
    assert request.resources == {"bills", "orders"}


@pytest.mark.parametrize(
    ("changes", "error", "code"),
    [
        ({"response_type": None}, "invalid_request", "missing_parameter"),
        ({"response_type": "token"}, "unsupported_response_type", "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type", "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request", "invalid_parameter"),
        ({"scope": None}, "invalid_scope", "invalid_scope"),
        ({"scope": "openid  email"}, "invalid_scope", "invalid_scope"),
        ({"scope": "openid admin"}, "invalid_scope", "invalid_scope"),
        ({"scope": "orders:read bills:read"}, "invalid_target", "invalid_target"),
        ({"scope": "orders:read", "resource": "bills"}, "invalid_target", "invalid_target"),
        ({"scope": "orders:read", "resource": "https://evil.example"}, "invalid_target", "invalid_target"),
        ({"state": "x" * 1025}, "invalid_request", "invalid_parameter"),
        ({"state": "a\r\nb"}, "invalid_request", "invalid_parameter"),
        ({"nonce": "x" * 1025}, "invalid_request", "invalid_parameter"),
        ({"prompt": "none login"}, "invalid_request", "invalid_parameter"),
        ({"prompt": "create"}, "invalid_request", "invalid_parameter"),
        ({"max_age": "-1"}, "invalid_request", "invalid_parameter"),
        ({"max_age": "1e3"}, "invalid_request", "invalid_parameter"),
        ({"max_age": "٣"}, "invalid_request", "invalid_parameter"),
        ({"claims": "[]"}, "invalid_request", "invalid_parameter"),
        ({"request": "ey.J.x"}, "request_not_supported", "request_not_supported"),
        ({"request_uri": "https://x"}, "request_uri_not_supported", "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported", "registration_not_supported"),
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request", "code_challenge_required"),
        ({"code_challenge": None}, "invalid_request", "missing_parameter"),
        ({"code_challenge_method": None}, "invalid_request", "invalid_parameter"),
        ({"code_challenge_method": "plain"}, "invalid_request", "invalid_parameter"),
        ({"code_challenge": "x" * 42}, "invalid_request", "invalid_parameter"),
        ({"login_hint": "x" * 4097}, "invalid_request", "invalid_parameter"),
    ],
)
def test_what_does_not_fit_has_its_word(changes: dict[str, Any], error: str, code: str) -> None:
    refused = parse(changes)
    assert isinstance(refused, OAuthError)
    assert (refused.error, refused.code) == (error, code)
    assert refused.description.isascii()


@pytest.mark.parametrize("name", [*PLAIN, "state", "nonce", "prompt", "claims", "login_hint"])
def test_no_parameter_but_resource_may_be_sent_twice(name: str) -> None:
    refused = parse({name: ["a", "b"]})
    assert isinstance(refused, OAuthError)
    assert refused.code == "duplicate_parameter"


def test_only_an_exempted_confidential_client_may_leave_the_challenge_out() -> None:
    bare = {"code_challenge": None, "code_challenge_method": None}
    assert good(bare, EXEMPTED).code_challenge is None
    assert good(None, EXEMPTED).code_challenge == CHALLENGE
    public = msgspec.structs.replace(EXEMPTED, type="public")
    refused = parse(bare, public)
    assert isinstance(refused, OAuthError)
    assert refused.code == "code_challenge_required"


def test_an_empty_parameter_counts_as_left_out() -> None:
    assert good({"prompt": "", "state": "", "claims": ""}).address.state is None


def test_a_client_and_a_redirect_uri_are_named_once() -> None:
    for find, name in ((find_client_id, "client_id"), (one_redirect_uri, "redirect_uri")):
        assert find({name: ("x",)}) == "x"
        for values, code in (((), "missing_parameter"), (("x", "x"), "duplicate_parameter")):
            refused = find({name: values} if values else {})
            assert isinstance(refused, OAuthError)
            assert refused.code == code


def test_even_a_fault_goes_back_by_the_mode_and_with_the_state_that_were_asked_for() -> None:
    address = find_return_address({"response_mode": ("form_post",), "state": ("s",)}, redirect_uri=CALLBACK)
    assert (address.response_mode, address.state) == ("form_post", "s")
    strange = find_return_address({"response_mode": ("fragment",), "state": ("a", "b")}, redirect_uri=CALLBACK)
    assert (strange.response_mode, strange.state) == ("query", None)
    assert find_return_address({"state": ("x" * 1025,)}, redirect_uri=CALLBACK).state is None


@pytest.mark.parametrize("encoded", [b"a=%ff", b"\xff", b"a=b&" * 65, b"a=" + b"x" * 6000])
def test_what_is_no_form_is_refused(encoded: bytes) -> None:
    assert isinstance(parse_parameters(encoded), OAuthError)


@given(st.binary(max_size=300))
def test_no_octets_raise(encoded: bytes) -> None:
    parameters = parse_parameters(encoded)
    if not isinstance(parameters, OAuthError):
        address = find_return_address(parameters, redirect_uri=CALLBACK)
        parse_authorization_request(parameters, CLIENT, address, issuer=ISSUER)


@given(st.dictionaries(st.sampled_from([*PLAIN, "state", "prompt", "max_age", "claims"]), st.text(max_size=30)))
def test_no_value_raises(changes: dict[str, str]) -> None:
    assert isinstance(parse(changes), AuthorizationRequest | OAuthError)
