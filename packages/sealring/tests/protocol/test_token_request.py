from base64 import b64encode
from urllib.parse import urlencode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import ClientSecretBasic, ClientSecretPost, NoSecret
from sealring.protocol.errors import OAuthError
from sealring.protocol.form import parse_form
from sealring.protocol.secret import Secret
from sealring.protocol.token_request import (
    ClientCredentialsRequest,
    RefreshTokenRequest,
    TokenRequest,
    parse_token_request,
    refuse_grant,
)

SHOP = Client(client_id="shop", name="Shop", type="confidential", allowed={}, epoch=1, created_at=1)
BASIC = {"authorization": "Basic " + b64encode(b"shop:slc_1").decode()}
REFRESH = {"grant_type": "refresh_token", "refresh_token": "slr_1"}
OWN = {"grant_type": "client_credentials", "scope": "orders:read"}
# The errors that RFC 6749 §5.2 and RFC 8707 §2 know at this endpoint, before anything was looked up.
WORDS = {"invalid_request", "invalid_client", "unsupported_grant_type", "invalid_scope", "invalid_target"}


def parsed(form: dict[str, str], headers: dict[str, str] = BASIC) -> TokenRequest:
    outcome = parse_token_request(form, headers)
    assert not isinstance(outcome, OAuthError), outcome
    return outcome


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


def test_each_grant_is_a_type_of_its_own() -> None:
    credentials = ClientSecretBasic(client_id="shop", client_secret=Secret("slc_1"))
    assert parsed(REFRESH | {"scope": "b a", "resource": "orders"}) == RefreshTokenRequest(
        credentials=credentials, refresh_token=Secret("slr_1"), scope=frozenset({"a", "b"}), resource="orders"
    )
    assert parsed(OWN) == ClientCredentialsRequest(
        credentials=credentials, scope=frozenset({"orders:read"}), resource=None
    )
    assert parsed({"grant_type": "client_credentials"}).scope is None


def test_credentials_come_from_header_or_form() -> None:
    assert isinstance(parsed(REFRESH).credentials, ClientSecretBasic)
    assert isinstance(parsed(REFRESH | {"client_id": "shop", "client_secret": "s"}, {}).credentials, ClientSecretPost)
    assert isinstance(parsed(REFRESH | {"client_id": "shop"}, {}).credentials, NoSecret)


@pytest.mark.parametrize(
    ("form", "headers", "code"),
    [
        ({}, BASIC, "missing_parameter"),
        ({"refresh_token": "slr_1"}, BASIC, "missing_parameter"),
        ({"grant_type": "refresh_token"}, BASIC, "missing_parameter"),
        ({"grant_type": "password", "username": "ada", "password": "x"}, BASIC, "unsupported_grant_type"),
        ({"grant_type": "Refresh_Token"}, BASIC, "unsupported_grant_type"),
        ({"grant_type": "refresh_token "}, BASIC, "unsupported_grant_type"),
        (REFRESH, {}, "client_authentication_failed"),
        (REFRESH | {"client_secret": "slc_1"}, BASIC, "several_authentication_methods"),
        (REFRESH | {"scope": " "}, BASIC, "invalid_scope"),
        (OWN | {"scope": "a  b"}, BASIC, "invalid_scope"),
        (OWN | {"scope": "\u00e9"}, BASIC, "invalid_scope"),
    ],
)
def test_what_is_missing_or_malformed_has_its_code(form: dict[str, str], headers: dict[str, str], code: str) -> None:
    assert code_of(parse_token_request(form, headers)) == code


def test_unknown_parameters_mean_nothing() -> None:
    assert parsed(OWN | {"audience": "x", "assertion": "y", "code": "z"}) == parsed(OWN)


NAMES = st.sampled_from(
    [
        "grant_type", "refresh_token", "scope", "resource", "client_id", "client_secret", "client_assertion",
        "client_assertion_type", "token", "x",
    ]
)  # fmt: skip
VALUES = st.one_of(
    st.sampled_from(
        ["refresh_token", "client_credentials", "password", "shop", "slr_1", "orders:read", "", "\x00", "\u00e9"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=30),
    st.integers(1, 20_000).map(lambda length: "a" * length),
)
HEADERS = st.one_of(
    st.just({}),
    st.just(BASIC),
    st.text(st.characters(max_codepoint=255), max_size=40).map(lambda text: {"authorization": text}),
)


@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=8), headers=HEADERS)
def test_every_form_is_a_request_or_an_error_of_the_rfc(pairs: list[tuple[str, str]], headers: dict[str, str]) -> None:
    form = parse_form(urlencode(pairs).encode(), maximum_bytes=16_384)
    outcome = form if isinstance(form, OAuthError) else parse_token_request(form, headers)
    names = [name for name, _ in pairs]
    if isinstance(outcome, OAuthError):
        assert outcome.error in WORDS
        return
    assert len(names) == len(set(names))
    sent = {name: value for name, value in pairs if value}
    assert sent["grant_type"] in {"refresh_token", "client_credentials"}
    assert not any("\x00" in value for value in sent.values())
    assert ("authorization" in headers) + ("client_secret" in sent) <= 1
    if isinstance(outcome, RefreshTokenRequest):
        assert outcome.refresh_token.reveal() == sent["refresh_token"]


@given(st.binary(max_size=300))
def test_no_octets_raise(body: bytes) -> None:
    form = parse_form(body, maximum_bytes=16_384)
    outcome = form if isinstance(form, OAuthError) else parse_token_request(form, BASIC)
    assert not isinstance(outcome, OAuthError) or outcome.error in WORDS


@pytest.mark.parametrize(
    ("form", "members", "allowed"),
    [
        (REFRESH, {}, True),
        (REFRESH, {"refresh": False}, False),
        (REFRESH, {"token_delivery": "cookie"}, False),
        (REFRESH, {"client_credentials": True, "refresh": False}, False),
        (OWN, {}, False),
        (OWN, {"first_party": True}, False),
        (OWN, {"client_credentials": True, "refresh": False}, True),
    ],
)
def test_a_client_uses_the_grants_that_it_is_registered_for(
    *, form: dict[str, str], members: dict[str, object], allowed: bool
) -> None:
    refused = refuse_grant(parsed(form), msgspec.structs.replace(SHOP, **members))
    assert (refused is None) == allowed
    if refused is not None:
        assert (refused.error, refused.code) == ("unauthorized_client", "grant_not_registered")


def test_no_secret_is_in_a_repr() -> None:
    shown = repr(parsed(REFRESH)) + repr(parsed(OWN | {"client_id": "shop", "client_secret": "slc_1"}, {}))
    assert "slr_1" not in shown
    assert "slc_1" not in shown
