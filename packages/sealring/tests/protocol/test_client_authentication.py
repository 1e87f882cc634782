from base64 import b64encode
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client_authentication import (
    ClientSecretBasic,
    ClientSecretPost,
    NoSecret,
    parse_basic,
    parse_client_credentials,
    parse_form_credentials,
)
from sealring.protocol.errors import OAuthError
from sealring.protocol.secret import Secret

# RFC 6749 §2.3.1 with an id and a secret that need encoding.
SHOP = ClientSecretBasic(client_id="shop", client_secret=Secret("slc_1"))
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)


def basic(user: str | bytes, password: str | bytes = b"", *, separator: bytes = b":") -> str:
    user, password = (part.encode() if isinstance(part, str) else part for part in (user, password))
    return "Basic " + b64encode(user + separator + password).decode()


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


@given(client_id=texts, secret=texts)
def test_form_encoded_parts_are_read_back(client_id: str, secret: str) -> None:
    header = basic(quote_plus(client_id), quote_plus(secret))
    assert parse_basic(header) == ClientSecretBasic(client_id=client_id, client_secret=Secret(secret))


@pytest.mark.parametrize("scheme", ["Basic", "basic", "BASIC"])
def test_the_scheme_is_read_in_any_case(scheme: str) -> None:
    assert parse_basic(basic("shop", "slc_1").replace("Basic", scheme)) == SHOP


def test_a_secret_may_hold_colons_and_an_id_may_not() -> None:
    assert parse_basic(basic("shop", "a:b:c")) == ClientSecretBasic(client_id="shop", client_secret=Secret("a:b:c"))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer eyJ",
        "Basic !!!!",
        "Basic c2hvcA",
        "Basic c2hvcDpzbGNfMQ==\x00",
        "Basic c2hv cDpz",
        basic("shop", separator=b""),
        basic(b"\xff", "x"),
        basic("a%00b", "x"),
        basic("shop", "a%00"),
        basic("shop", "a\x00"),
        basic("%ff", "x"),
        "Basic é",
        "Basic \ud800",
        basic("shop", "x" * 2048),
    ],
)
def test_what_is_not_http_basic_is_none(header: str) -> None:
    assert parse_basic(header) is None


@given(header=st.text(alphabet=st.characters(), max_size=60))
def test_no_header_raises(header: str) -> None:
    for text in (header, "Basic " + header):
        outcome = parse_basic(text)
        assert outcome is None or isinstance(outcome, ClientSecretBasic)


def test_a_public_client_only_says_who_it_is() -> None:
    assert parse_client_credentials(None, client_id="shop") == NoSecret(client_id="shop")


def test_header_and_body_may_name_the_same_client() -> None:
    for client_id in (None, "shop"):
        assert parse_client_credentials(basic("shop", "slc_1"), client_id=client_id) == SHOP


@pytest.mark.parametrize(
    ("authorization", "client_id", "code"),
    [
        (None, None, "client_authentication_failed"),
        ("Bearer eyJ", "shop", "client_authentication_failed"),
        ("Basic !!!!", None, "client_authentication_failed"),
        ("", "shop", "client_authentication_failed"),
        (basic("shop", "slc_1"), "till", "several_authentication_methods"),
        (basic("shop", "slc_1"), "", "several_authentication_methods"),
    ],
)
def test_credentials_that_do_not_hold_together_are_refused(
    authorization: str | None, client_id: str | None, code: str
) -> None:
    assert code_of(parse_client_credentials(authorization, client_id=client_id)) == code


def test_the_secret_is_in_no_repr() -> None:
    assert "slc_1" not in repr(SHOP)


POST = {"client_id": "shop", "client_secret": "slc_1"}
ASSERTION = {
    "client_assertion": "eyJ",
    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
}


@pytest.mark.parametrize(
    ("authorization", "form", "method"),
    [
        (basic("shop", "slc_1"), {}, "client_secret_basic"),
        (basic("shop", "slc_1"), {"client_id": "shop"}, "client_secret_basic"),
        (None, POST, "client_secret_post"),
        (None, {"client_id": "shop"}, "none"),
    ],
)
def test_each_method_is_read_from_its_place(authorization: str | None, form: dict[str, str], method: str) -> None:
    credentials = parse_form_credentials(authorization, form)
    assert not isinstance(credentials, OAuthError)
    assert (credentials.client_id, credentials.method) == ("shop", method)


@pytest.mark.parametrize(
    ("authorization", "form", "error"),
    [
        (basic("shop", "slc_1"), POST, "invalid_request"),
        (basic("shop", "slc_1"), {"client_secret": "slc_1"}, "invalid_request"),
        (basic("shop", "slc_1"), {"client_id": "till"}, "invalid_request"),
        (basic("shop", "slc_1"), ASSERTION, "invalid_request"),
        (None, POST | ASSERTION, "invalid_request"),
        ("Bearer eyJ", POST, "invalid_request"),
        (None, ASSERTION, "invalid_client"),
        (None, ASSERTION | {"client_id": "shop"}, "invalid_client"),
        (None, {"client_secret": "slc_1"}, "invalid_client"),
        (None, {}, "invalid_client"),
        ("Bearer eyJ", {"client_id": "shop"}, "invalid_client"),
        ("Basic c2hvcA==", {"client_id": "shop"}, "invalid_client"),
    ],
)
def test_two_methods_and_no_method_are_refused(authorization: str | None, form: dict[str, str], error: str) -> None:
    refused = parse_form_credentials(authorization, form)
    assert isinstance(refused, OAuthError)
    assert refused.error == error


def test_a_secret_in_the_form_is_in_no_repr() -> None:
    assert "slc_1" not in repr(ClientSecretPost(client_id="shop", client_secret=Secret("slc_1")))
