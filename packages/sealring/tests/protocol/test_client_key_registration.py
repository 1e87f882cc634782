import msgspec
import pytest

from sealring.protocol.client import AssertionTerms, Client
from sealring.protocol.client_key_registration import MethodChosen, MethodProblem, choose_method, key_problem
from sealring.protocol.client_registration import (
    ClientChange,
    ClientRegistration,
    parse_client_change,
    parse_client_registration,
)
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring_verify.jose.jwk import generate_private_key

KEY = generate_private_key("ES256", kid="one")
JWKS = msgspec.json.encode({"keys": [KEY.public_jwk()]}).decode()
PRIVATE = msgspec.json.encode({"keys": [{**KEY.public_jwk(), "d": "AA"}]}).decode()
URI = "https://shop.example/jwks"
SHOP = ClientRegistration(client_id="shop", type="confidential", allowed={})
PAGE = Client(client_id="page", name="Page", type="public", allowed={}, epoch=1, created_at=1)
NOTHING = MethodChosen(method=None, signing_alg=None, token_endpoint_audience=None)


def parsed(**members: object) -> Client | OAuthError:
    return parse_client_registration(msgspec.structs.replace(SHOP, **members), known={}, now=Instant(1000))


def changed(client: Client | OAuthError, **members: object) -> Client | OAuthError:
    assert isinstance(client, Client), client
    change = msgspec.structs.replace(ClientChange(client_id="shop"), **members)
    return parse_client_change(client, change, known={})


def sentence(outcome: Client | OAuthError) -> str:
    assert isinstance(outcome, OAuthError), outcome
    assert outcome.code == "invalid_registration"
    return outcome.description


@pytest.mark.parametrize("keys", [{"jwks": JWKS}, {"jwks_uri": URI}])
def test_a_client_of_private_key_jwt_has_keys_and_terms(keys: dict[str, str]) -> None:
    client = parsed(
        token_endpoint_auth_method="private_key_jwt",
        token_endpoint_auth_signing_alg="ES256",
        token_endpoint_audience=True,
        **keys,
    )
    assert isinstance(client, Client)
    assert client.token_endpoint_auth_method == "private_key_jwt"
    assert client.assertion == AssertionTerms(token_endpoint_auth_signing_alg="ES256", token_endpoint_audience=True)


def test_the_strict_terms_are_what_nothing_said_means() -> None:
    client = parsed(token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
    assert isinstance(client, Client)
    assert client.assertion == AssertionTerms()


def test_a_method_without_keys_or_with_two_places_for_them_is_refused() -> None:
    assert "needs its public keys" in sentence(parsed(token_endpoint_auth_method="private_key_jwt"))
    both = parsed(token_endpoint_auth_method="private_key_jwt", jwks=JWKS, jwks_uri=URI)
    assert "not both" in sentence(both)


def test_what_takes_json_takes_no_assertion() -> None:
    for members in ({"first_party": True}, {"permissions": ("sessions:revoke",)}):
        refused = parsed(token_endpoint_auth_method="private_key_jwt", jwks=JWKS, **members)
        assert "client_secret_basic only" in sentence(refused)


@pytest.mark.parametrize("members", [{"token_endpoint_auth_signing_alg": "ES256"}, {"token_endpoint_audience": True}])
def test_terms_of_assertions_are_for_clients_that_send_them(members: dict[str, object]) -> None:
    assert "private_key_jwt" in sentence(parsed(**members))
    assert "private_key_jwt" in sentence(parsed(token_endpoint_auth_method="client_secret_post", **members))


def test_a_public_client_proves_nothing() -> None:
    public = parsed(type="public", token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
    assert "a public one cannot" in sentence(public)
    assert "a public one cannot" in sentence(parsed(token_endpoint_auth_method="none"))
    assert choose_method(PAGE, NOTHING) == PAGE
    assert isinstance(choose_method(PAGE, msgspec.structs.replace(NOTHING, signing_alg="ES256")), MethodProblem)


@pytest.mark.parametrize(
    "uri", ["", "http://shop.example/jwks", "https://u@shop.example/", "https://shop.example/#x", "file:///etc/passwd"]
)
def test_keys_are_published_over_https(uri: str) -> None:
    assert "https" in sentence(parsed(token_endpoint_auth_method="private_key_jwt", jwks_uri=uri))


@pytest.mark.parametrize("jwks", ["", "[]", "{}", '{"keys":{}}', '{"keys":[' + ",".join(["{}"] * 33) + "]}"])
def test_what_is_no_key_set_is_refused(jwks: str) -> None:
    assert "cannot be read" in sentence(parsed(token_endpoint_auth_method="private_key_jwt", jwks=jwks))


def test_a_set_without_a_key_that_signs_is_refused_and_says_why() -> None:
    assert "it is empty" in sentence(parsed(token_endpoint_auth_method="private_key_jwt", jwks='{"keys":[]}'))
    symmetric = '{"keys":[{"kty":"oct","k":"AAAA"}]}'
    assert "kty" in sentence(parsed(token_endpoint_auth_method="private_key_jwt", jwks=symmetric))
    oversized = '{"keys":[' + " " * 17_000 + "]}"
    assert "octets" in sentence(parsed(token_endpoint_auth_method="private_key_jwt", jwks=oversized))


def test_a_private_key_is_refused_wherever_it_is_registered() -> None:
    for members in ({}, {"token_endpoint_auth_method": "private_key_jwt"}):
        assert "private key" in sentence(parsed(jwks=PRIVATE, **members))


def test_a_client_of_a_secret_may_have_keys_for_other_ends() -> None:
    client = parsed(jwks='{"keys":[]}')
    assert isinstance(client, Client)
    assert (client.assertion, key_problem(client)) == (None, None)


def test_one_place_of_keys_takes_the_others() -> None:
    client = parsed(token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
    moved = changed(client, jwks_uri=URI)
    assert isinstance(moved, Client)
    assert (moved.jwks, moved.jwks_uri) == (None, URI)
    back = changed(moved, jwks=JWKS)
    assert isinstance(back, Client)
    assert (back.jwks, back.jwks_uri) == (JWKS, None)
    assert "not both" in sentence(changed(client, jwks=JWKS, jwks_uri=URI))


def test_a_change_keeps_the_terms_that_it_does_not_name() -> None:
    client = parsed(token_endpoint_auth_method="private_key_jwt", jwks=JWKS, token_endpoint_audience=True)
    renamed = changed(client, name="New")
    assert isinstance(renamed, Client)
    assert renamed.assertion == AssertionTerms(token_endpoint_audience=True)
    strict = changed(client, token_endpoint_audience=False, token_endpoint_auth_signing_alg="ES256")
    assert isinstance(strict, Client)
    assert strict.assertion == AssertionTerms(token_endpoint_auth_signing_alg="ES256")


def test_a_client_changes_from_a_secret_to_keys_and_back() -> None:
    keyed = changed(parsed(), token_endpoint_auth_method="private_key_jwt", jwks=JWKS)
    assert isinstance(keyed, Client)
    assert keyed.token_endpoint_auth_method == "private_key_jwt"
    secret = changed(keyed, token_endpoint_auth_method="client_secret_post")
    assert isinstance(secret, Client)
    assert (secret.token_endpoint_auth_method, secret.assertion) == ("client_secret_post", None)
