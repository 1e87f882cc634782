from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization_request import (
    LONGEST_REQUEST,
    AuthorizationRequest,
    find_client_id,
    find_return_address,
    one_redirect_uri,
    parse_authorization_request,
    parse_parameters,
)
from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant

ISSUER = "https://auth.example"
APP = "https://app.example/cb"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
CLIENT = Client(
    client_id="app",
    name="App",
    type="confidential",
    allowed={"orders": frozenset({"orders:read"}), "bills": frozenset({"bills:read"})},
    code_flow=CodeFlow(redirect_uris=(APP,)),
    epoch=1,
    created_at=Instant(0),
)
GOOD = {
    "client_id": "app",
    "redirect_uri": APP,
    "response_type": "code",
    "scope": "openid",
    "state": "s",
    "nonce": "n",
    "code_challenge": CHALLENGE,
    "code_challenge_method": "S256",
}


def parse(client: Client = CLIENT, **changes: object) -> AuthorizationRequest | OAuthError:
    fields = {name: value for name, value in (GOOD | changes).items() if value is not None}
    parameters = parse_parameters(urlencode(fields, doseq=True).encode())
    assert not isinstance(parameters, OAuthError)
    address = find_return_address(parameters, redirect_uri=APP)
    return parse_authorization_request(parameters, client, address, issuer=ISSUER)


def refused(client: Client = CLIENT, **changes: object) -> str:
    refusal = parse(client, **changes)
    assert isinstance(refusal, OAuthError)
    return f"{refusal.error} {refusal.code}"


def parsed(**changes: object) -> AuthorizationRequest:
    request = parse(**changes)
    assert isinstance(request, AuthorizationRequest)
    return request


def test_a_request_is_understood() -> None:
    request = parsed(
        scope="openid orders:read", prompt="login consent", max_age="60", acr_values="2 1", login_hint="ada"
    )
    assert request.scope == {"openid", "orders:read"}
    assert (request.target.audience, request.resources) == ("orders", {"orders"})
    assert request.prompt == {"login", "consent"}
    assert (request.max_age, request.acr_values, request.login_hint) == (60, ("2", "1"), "ada")
    assert (request.nonce, request.address.state, request.code_challenge) == ("n", "s", CHALLENGE)


def test_what_openid_connect_adds_may_be_missing() -> None:
    request = parsed(scope="orders:read", nonce=None, state=None)
    assert (request.nonce, request.address.state) == (None, None)


@pytest.mark.parametrize("name", ["display", "ui_locales", "claims_locales", "dpop_jkt", "utm_source", "foo[]", ""])
def test_what_nobody_knows_or_needs_is_ignored(name: str) -> None:
    assert parsed(**{name: "anything \x01"}) == parsed()


@pytest.mark.parametrize("name", [*GOOD, "prompt", "max_age", "claims", "request", "display"])
def test_an_empty_parameter_counts_as_left_out(name: str) -> None:
    assert parse(**{name: ""}) == parse(**{name: None})


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"response_type": None}, "invalid_request missing_parameter"),
        ({"response_type": "token"}, "unsupported_response_type unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type unsupported_response_type"),
        ({"response_type": "CODE"}, "unsupported_response_type unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request invalid_parameter"),
        ({"request": "a.b.c"}, "request_not_supported request_not_supported"),
        ({"request_uri": "https://x/"}, "request_uri_not_supported request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported registration_not_supported"),
        ({"scope": None}, "invalid_scope invalid_scope"),
        ({"scope": "openid  email"}, "invalid_scope invalid_scope"),
        ({"scope": "openid admin"}, "invalid_scope invalid_scope"),
        ({"scope": "openid\x00"}, "invalid_scope invalid_scope"),
        ({"scope": "orders:read bills:read"}, "invalid_target invalid_target"),
        ({"resource": "nowhere"}, "invalid_target invalid_target"),
        ({"scope": "orders:read", "resource": ["orders", "bills"]}, "invalid_target invalid_target"),
        ({"prompt": "none login"}, "invalid_request invalid_parameter"),
        ({"prompt": "create"}, "invalid_request invalid_parameter"),
        ({"max_age": "-1"}, "invalid_request invalid_parameter"),
        ({"max_age": "1.5"}, "invalid_request invalid_parameter"),
        ({"max_age": "9" * 10}, "invalid_request invalid_parameter"),
        ({"max_age": "\u0663"}, "invalid_request invalid_parameter"),
        ({"claims": "[]"}, "invalid_request invalid_parameter"),
        ({"claims": "{"}, "invalid_request invalid_parameter"),
        ({"claims": "{" * 1200}, "invalid_request invalid_parameter"),
        ({"state": "s" * 1025}, "invalid_request invalid_parameter"),
        ({"state": "a\nb"}, "invalid_request invalid_parameter"),
        ({"nonce": "n" * 1025}, "invalid_request invalid_parameter"),
        ({"nonce": "a\x00b"}, "invalid_request invalid_parameter"),
        ({"login_hint": "x" * 4097}, "invalid_request invalid_parameter"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_own_word(changes: dict[str, object], outcome: str) -> None:
    assert refused(**changes) == outcome


@pytest.mark.parametrize("name", [*GOOD, "prompt", "max_age", "claims", "login_hint", "response_mode", "unknown"])
def test_a_doubled_parameter_is_refused(name: str) -> None:
    assert refused(**{name: [GOOD.get(name, "1"), GOOD.get(name, "1")]}) == "invalid_request duplicate_parameter"


def test_several_resources_may_be_asked_for_at_once() -> None:
    request = parsed(scope="orders:read bills:read", resource=["orders", "bills"])
    assert request.resources == {"orders", "bills"}
    assert request.target.audience in request.resources


def test_state_and_nonce_of_1024_characters_are_kept_whole() -> None:
    request = parsed(state="s" * 1024, nonce="n" * 1024)
    assert (request.address.state, request.nonce) == ("s" * 1024, "n" * 1024)
    assert parsed(state="ß" * 500).address.state == "ß" * 500


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request code_challenge_required"),
        ({"code_challenge": None}, "invalid_request missing_parameter"),
        ({"code_challenge_method": None}, "invalid_request invalid_parameter"),  # plain by default (RFC 7636 §4.3)
        ({"code_challenge_method": "plain"}, "invalid_request invalid_parameter"),
        ({"code_challenge_method": "s256"}, "invalid_request invalid_parameter"),
        ({"code_challenge": CHALLENGE[:42]}, "invalid_request invalid_parameter"),
        ({"code_challenge": CHALLENGE + "A"}, "invalid_request invalid_parameter"),
        ({"code_challenge": "+" * 43}, "invalid_request invalid_parameter"),
    ],
)
def test_pkce_is_not_downgraded(changes: dict[str, object], outcome: str) -> None:
    assert refused(**changes) == outcome


def test_only_a_confidential_client_may_be_exempted_from_pkce() -> None:
    flow = CodeFlow(redirect_uris=(APP,), require_pkce=False)
    none = {"code_challenge": None, "code_challenge_method": None}
    exempted = msgspec.structs.replace(CLIENT, code_flow=flow)
    request = parse(exempted, **none)
    assert isinstance(request, AuthorizationRequest)
    assert request.code_challenge is None
    public = msgspec.structs.replace(exempted, type="public")
    assert refused(public, **none) == "invalid_request code_challenge_required"
    # What an exempted client sends is checked all the same.
    assert refused(exempted, code_challenge_method="plain") == "invalid_request invalid_parameter"


def test_where_faults_go_is_known_before_anything_else() -> None:
    parameters = {"state": ("s",), "response_mode": ("form_post",)}
    address = find_return_address(parameters, redirect_uri=APP)
    assert (address.redirect_uri, address.state, address.response_mode) == (APP, "s", "form_post")
    for state in ((), ("a", "b"), ("x" * 1025,), ("a\r\nb",)):
        assert find_return_address({"state": state}, redirect_uri=APP).state is None
    for mode in ((), ("fragment",), ("form_post", "form_post")):
        assert find_return_address({"response_mode": mode}, redirect_uri=APP).response_mode == "query"


def test_client_and_redirect_uri_stand_once_in_a_request() -> None:
    assert find_client_id({"client_id": ("app",)}) == "app"
    assert one_redirect_uri({"redirect_uri": (APP,)}) == APP
    for values, code in (((), "missing_parameter"), (("app", "app"), "duplicate_parameter")):
        for refusal in (find_client_id({"client_id": values}), one_redirect_uri({"redirect_uri": values})):
            assert isinstance(refusal, OAuthError)
            assert refusal.code == code
    unknown = find_client_id({"client_id": ("a\x00b",)})
    assert isinstance(unknown, OAuthError)
    assert unknown.code == "client_not_registered"


@pytest.mark.parametrize("encoded", [b"state=%ff", b"\xff", b"a=1&" * 65, b"a" * (LONGEST_REQUEST + 1)])
def test_what_is_no_query_is_refused_whole(encoded: bytes) -> None:
    assert isinstance(parse_parameters(encoded), OAuthError)


@given(encoded=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: urlencode({"scope": text}).encode()))
def test_any_octets_are_parsed_or_refused(encoded: bytes) -> None:
    parameters = parse_parameters(encoded)
    if not isinstance(parameters, OAuthError):
        address = find_return_address(parameters, redirect_uri=APP)
        request = parse_authorization_request(parameters, CLIENT, address, issuer=ISSUER)
        assert isinstance(request, AuthorizationRequest | OAuthError)
