import json
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import AssertionTerms
from sealring.protocol.client_assertion import (
    AcceptedAssertion,
    ClientAssertion,
    NoKeyFits,
    decide_client_assertion,
    parse_client_assertion,
    read_client_keys,
)
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.secret import Secret
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, generate_private_key, make_secret_key

ISSUER = "https://id.example/auth"
NOW = Instant(1_700_000_000_000)
SECONDS = NOW // 1000
KEYS = {alg: generate_private_key(alg, kid=alg) for alg in ("ES256", "Ed25519", "RS256", "PS256")}
KEY = KEYS["ES256"]
GOOD = {"iss": "shop", "sub": "shop", "aud": ISSUER, "exp": SECONDS + 60, "iat": SECONDS, "jti": "one"}
TERMS = AssertionTerms()
LENIENT = AssertionTerms(token_endpoint_audience=True)


def key_set(*keys: PrivateKey, **members: object) -> bytes:
    published = [{**key.public_jwk(), **members} for key in keys or (KEY,)]
    stripped = [{name: value for name, value in key.items() if value is not None} for key in published]
    return msgspec.json.encode({"keys": stripped})


def sign(claims: Mapping[str, object] | bytes = GOOD, *, key: PrivateKey = KEY, **header: object) -> str:
    """Sign claims; a member of `header` that is None is left out."""
    members = {"alg": key.alg, "kid": key.kid} | header
    first = base64url.encode(json.dumps({name: value for name, value in members.items() if value is not None}).encode())
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signed = first + b"." + base64url.encode(payload)
    return (signed + b"." + base64url.encode(key.sign(signed))).decode()


def decide(
    text: str, *, document: bytes | None = None, terms: AssertionTerms = TERMS
) -> AcceptedAssertion | NoKeyFits | OAuthError:
    assertion = parse_client_assertion(text)
    assert assertion is not None
    document = key_set() if document is None else document
    return decide_client_assertion(assertion, document=document, terms=terms, issuer=ISSUER, now=NOW)


def refusal(outcome: object) -> str:
    """Return what a good signature's claims are refused for."""
    assert isinstance(outcome, OAuthError)
    assert (outcome.error, outcome.status, outcome.code) == ("invalid_client", 401, "client_assertion_refused")
    return outcome.description


def is_turned_away(outcome: object) -> bool:
    """Say whether it is the one refusal for what anybody could send."""
    return isinstance(outcome, NoKeyFits) or (
        isinstance(outcome, OAuthError) and outcome.code == "client_authentication_failed"
    )


def test_a_good_assertion_is_accepted_until_it_expires() -> None:
    outcome = decide(sign())
    assert isinstance(outcome, AcceptedAssertion)
    assert outcome.expires_at == (SECONDS + 60) * 1000
    assert len(outcome.digest) == 32


def test_the_text_of_an_assertion_is_in_no_repr() -> None:
    text = sign()
    assert text not in repr(parse_client_assertion(text))


@pytest.mark.parametrize("alg", sorted(KEYS))
def test_each_algorithm_is_taken_registered_or_not(alg: str) -> None:
    text, document = sign(key=KEYS[alg]), key_set(KEYS[alg])
    registered = msgspec.convert({"token_endpoint_auth_signing_alg": alg}, AssertionTerms)
    assert isinstance(decide(text, document=document), AcceptedAssertion)
    assert isinstance(decide(text, document=document, terms=registered), AcceptedAssertion)


@pytest.mark.parametrize("registered", ["EdDSA", "Ed25519", None])
@pytest.mark.parametrize("named", ["EdDSA", "Ed25519"])
@pytest.mark.parametrize("published", ["EdDSA", "Ed25519", None])
def test_ed25519_goes_by_both_of_its_names(registered: Any, named: str, published: str | None) -> None:  # noqa: ANN401 -- a Literal
    terms = AssertionTerms(token_endpoint_auth_signing_alg=registered)
    document = key_set(KEYS["Ed25519"], alg=published)
    assert isinstance(decide(sign(key=KEYS["Ed25519"], alg=named), document=document, terms=terms), AcceptedAssertion)


def test_an_rsa_key_without_algorithm_is_one_for_the_registered_algorithm_alone() -> None:
    document = key_set(KEYS["PS256"], alg=None)
    text = sign(key=KEYS["PS256"])
    pss = AssertionTerms(token_endpoint_auth_signing_alg="PS256")
    assert isinstance(decide(text, document=document, terms=pss), AcceptedAssertion)
    assert is_turned_away(decide(text, document=document))
    assert is_turned_away(decide(sign(key=KEYS["PS256"], alg="RS256"), document=document, terms=pss))


def test_another_algorithm_than_the_registered_one_is_turned_away() -> None:
    terms = AssertionTerms(token_endpoint_auth_signing_alg="PS256")
    for key in (KEYS["ES256"], KEYS["RS256"], KEYS["Ed25519"]):
        assert is_turned_away(decide(sign(key=key), document=key_set(key, KEYS["PS256"]), terms=terms))


@pytest.mark.parametrize("alg", ["none", "None", "HS256", "HS512", "ES384", "RS512", "es256", "", "EdDSA"])
def test_no_other_algorithm_is_taken_whatever_the_signature(alg: str) -> None:
    assert is_turned_away(decide(sign(alg=alg)))
    unsigned = sign(alg=alg).rpartition(".")[0] + "."
    assert is_turned_away(decide(unsigned))


def test_a_public_key_is_no_secret_to_sign_with() -> None:
    document = key_set(KEYS["RS256"])
    for secret in (document, json.dumps(KEYS["RS256"].public_jwk()).encode()):
        forger = make_secret_key(secret, kid="RS256")
        first = base64url.encode(b'{"alg":"HS256","kid":"RS256"}')
        signed = first + b"." + base64url.encode(json.dumps(GOOD).encode())
        text = (signed + b"." + base64url.encode(forger.sign(signed))).decode()
        assert is_turned_away(decide(text, document=document))


def test_a_symmetric_key_in_the_set_counts_for_nothing() -> None:
    secret = base64url.encode(bytes(32)).decode()
    document = msgspec.json.encode({"keys": [{"kty": "oct", "k": secret, "kid": "s", "alg": "HS256"}]})
    forger = make_secret_key(bytes(32), kid="s")
    signed = base64url.encode(b'{"alg":"HS256","kid":"s"}') + b"." + base64url.encode(json.dumps(GOOD).encode())
    text = (signed + b"." + base64url.encode(forger.sign(signed))).decode()
    assert is_turned_away(decide(text, document=document))


def test_keys_in_the_header_are_not_looked_at() -> None:
    own = generate_private_key("ES256", kid="own")
    jwk = own.public_jwk()
    assert decide(sign(key=own, kid=None)) == NoKeyFits()
    # A header is flat: scalars and lists of texts. A key in it is no header of ours.
    assert parse_client_assertion(sign(key=own, jwk=jwk)) is None
    for header in ({"jku": "https://evil.example/keys"}, {"x5u": "https://evil.example"}, {"x5c": ["MIIB"]}):
        assert decide(sign(key=own, **header)) == NoKeyFits()


@pytest.mark.parametrize("kid", ["", "other", "ES256 ", "es256", "../ES256", "' OR 1=1 --", "ES256\x00", "x" * 3000])
def test_a_key_id_is_compared_and_nothing_else(kid: str) -> None:
    assert decide(sign(kid=kid)) == NoKeyFits()


def test_without_a_key_id_the_only_key_of_the_algorithm_is_meant() -> None:
    assert isinstance(decide(sign(kid=None), document=key_set(KEY, KEYS["RS256"])), AcceptedAssertion)
    second = generate_private_key("ES256", kid="second")
    assert decide(sign(kid=None), document=key_set(KEY, second)) == NoKeyFits()


def test_keys_that_share_an_id_are_none() -> None:
    twin = generate_private_key("ES256", kid="ES256")
    assert decide(sign(), document=key_set(KEY, twin)) == NoKeyFits()


def test_a_key_for_encryption_does_not_sign() -> None:
    assert decide(sign(), document=key_set(use="enc")) == NoKeyFits()


def test_another_signature_or_other_claims_under_it_do_not_fit() -> None:
    head, _, signature = sign().rpartition(".")
    stolen = sign(GOOD | {"jti": "two"}).rpartition(".")[0]
    assert decide(f"{stolen}.{signature}") == NoKeyFits()
    assert is_turned_away(decide(f"{head}.{signature[:-2]}"))
    assert is_turned_away(decide(f"{head}."))


def test_a_critical_header_is_turned_away() -> None:
    assert parse_client_assertion(sign(crit=["b64"], b64=False)) is None


@pytest.mark.parametrize(
    "typ", ["JWT", "jwt", "client-authentication+jwt", "application/client-authentication+JWT", None]
)
def test_the_type_of_an_assertion_may_be_said(typ: str | None) -> None:
    assert isinstance(decide(sign(typ=typ)), AcceptedAssertion)


@pytest.mark.parametrize("typ", ["at+jwt", "application/at+jwt", "dpop+jwt", "oauth-authz-req+jwt", "logout+jwt"])
def test_what_says_that_it_is_another_thing_is_refused(typ: str) -> None:
    assert "typ" in refusal(decide(sign(typ=typ)))


@pytest.mark.parametrize("name", ["iss", "sub"])
@pytest.mark.parametrize("value", [..., "other", "", "SHOP", "shop ", None, 1, ["shop"], ISSUER])
def test_issuer_and_subject_are_the_client(name: str, value: object) -> None:
    claims = {key: claim for key, claim in GOOD.items() if key != name} | ({} if value is ... else {name: value})
    text = sign(claims)
    # Whoever it is for is read from `sub`, which the signature holds together with the rest.
    assertion = ClientAssertion(client_id="shop", alg="ES256", text=Secret(text))
    outcome = decide_client_assertion(assertion, document=key_set(), terms=TERMS, issuer=ISSUER, now=NOW)
    assert "iss and sub" in refusal(outcome)


OTHERS = [
    "https://id.example",
    f"{ISSUER}/",
    "https://ID.example/auth",
    "https://evil.example",
    "",
    None,
    1,
    True,
    {},
    [],
]
ENDPOINTS = [f"{ISSUER}/token", [ISSUER], [f"{ISSUER}/token"], [ISSUER, "https://other.example"]]


@pytest.mark.parametrize("audience", [*OTHERS, *ENDPOINTS, f"{ISSUER} {ISSUER}/token"])
def test_the_audience_is_the_issuer_as_a_plain_text(audience: object) -> None:
    assert "aud" in refusal(decide(sign(GOOD | {"aud": audience})))


@pytest.mark.parametrize("audience", [ISSUER, *ENDPOINTS])
def test_a_client_may_be_registered_for_the_token_endpoint_and_for_lists(audience: object) -> None:
    assert isinstance(decide(sign(GOOD | {"aud": audience}), terms=LENIENT), AcceptedAssertion)


@pytest.mark.parametrize("audience", [*OTHERS, [1], [[ISSUER]], f"{ISSUER}/revoke", f"{ISSUER}/token/", ["https://x"]])
def test_nothing_else_is_an_audience_even_then(audience: object) -> None:
    assert "aud" in refusal(decide(sign(GOOD | {"aud": audience}), terms=LENIENT))


@pytest.mark.parametrize("name", ["aud", "exp", "jti"])
def test_what_must_be_there_must_be_there(name: str) -> None:
    assert name in refusal(decide(sign({key: claim for key, claim in GOOD.items() if key != name})))


@pytest.mark.parametrize("exp", [SECONDS + 1, SECONDS + 600, SECONDS + 0.5])
def test_it_lives_ten_minutes_at_most(exp: float) -> None:
    outcome = decide(sign(GOOD | {"exp": exp}))
    assert isinstance(outcome, AcceptedAssertion)
    assert outcome.expires_at >= exp * 1000


@pytest.mark.parametrize("exp", [SECONDS, SECONDS - 1, 0, -1, -1e300, SECONDS + 601, NOW, 1e300, 2**80])
def test_what_has_expired_or_lives_longer_is_refused(exp: float) -> None:
    assert isinstance(refusal(decide(sign(GOOD | {"exp": exp}))), str)


@pytest.mark.parametrize("exp", ["1700000060", None, True, False, [SECONDS + 60], {}])
def test_an_expiry_is_a_number(exp: object) -> None:
    assert "exp must be a number" in refusal(decide(sign(GOOD | {"exp": exp})))


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize("ahead", [-86_400, 0, 60, 59.5])
def test_a_clock_may_be_a_minute_ahead(name: str, ahead: float) -> None:
    assert isinstance(decide(sign(GOOD | {name: SECONDS + ahead})), AcceptedAssertion)


@pytest.mark.parametrize("name", ["iat", "nbf"])
@pytest.mark.parametrize("value", [SECONDS + 61, NOW, "1700000000", None, True, [SECONDS]])
def test_it_is_not_from_the_future_and_says_so_in_numbers(name: str, value: object) -> None:
    assert name in refusal(decide(sign(GOOD | {name: value})))


@pytest.mark.parametrize("jti", ["", None, 1, True, ["one"], {}, "x" * 257])
def test_an_id_is_a_text_of_bounded_length(jti: object) -> None:
    assert "jti" in refusal(decide(sign(GOOD | {"jti": jti})))


def test_the_same_id_is_the_same_use_and_another_clients_is_not() -> None:
    def digest_of(claims: dict[str, object]) -> bytes:
        outcome = decide(sign(claims))
        assert isinstance(outcome, AcceptedAssertion)
        return outcome.digest

    assert digest_of(GOOD) == digest_of(GOOD | {"exp": SECONDS + 90})
    assert digest_of(GOOD) != digest_of(GOOD | {"jti": "two"})
    assert digest_of(GOOD) != digest_of(GOOD | {"iss": "sho", "sub": "sho", "jti": "p\x00one"})


@pytest.mark.parametrize(
    "claims",
    [
        json.dumps(GOOD)[:-1].encode() + b',"sub":"shop"}',
        json.dumps(GOOD)[:-1].encode() + b',"aud":"x"}',
        json.dumps(GOOD | {"sub": ""}).encode(),
        json.dumps(GOOD | {"sub": "sh\x00op"}).encode(),
        json.dumps(GOOD | {"sub": 1}).encode(),
        json.dumps(GOOD)[:-1].encode() + b',"exp":NaN}',
        b"[]",
        b"",
        b"\xff",
        b"[" * 5000,
    ],
)
def test_claims_that_two_parsers_could_read_differently_are_nobodys(claims: bytes) -> None:
    assert parse_client_assertion(sign(claims)) is None


@given(st.text() | st.text("abcAQgw-_.=", max_size=80))
def test_no_text_raises(text: str) -> None:
    assert parse_client_assertion(text) is None


@pytest.mark.parametrize("document", [b"", b"{}", b'{"keys":1}', b"[]", b'{"keys":[' + b",".join([b"{}"] * 33) + b"]}"])
def test_what_is_no_key_set_or_too_large_a_one_is_said(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_client_keys(document, None)
