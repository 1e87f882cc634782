from typing import Any

import pytest

from sealring_verify.errors import InvalidToken
from sealring_verify.inspect.decoding import SignedToken, read_token
from sealring_verify.inspect.trial import NamedKey, Trial, secret_key, verify_token
from sealring_verify.jose.jwk import generate_private_key, parse_jwk
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import encode_header, sign_compact

NOW = 1_800_000_000
KEY = generate_private_key("ES256", kid="k1")
PUBLIC = parse_jwk(KEY.public_jwk())


def signed(payload: bytes = b'{"iss":"https://id.example.com"}') -> SignedToken:
    header = encode_header(typ="JWT", alg=KEY.alg, kid=KEY.kid)
    token = read_token(sign_compact(payload, key=KEY, header=header))
    assert isinstance(token, SignedToken)
    return token


def refusal(token: SignedToken, **trial: Any) -> str:  # noqa: ANN401 - a Trial's members
    with pytest.raises(InvalidToken) as refused:
        verify_token(token, Trial(**{"keys": KeySet([PUBLIC]), **trial}), now=NOW)
    return refused.value.code


def test_a_token_that_says_nothing_of_dates_and_issuer_is_verified_by_its_signature() -> None:
    jws = verify_token(signed(b'{"hello":"world"}'), Trial(keys=KeySet([PUBLIC])), now=NOW)
    assert (jws.key.kid, jws.payload) == ("k1", b'{"hello":"world"}')


def test_an_issuer_that_is_named_must_be_the_tokens() -> None:
    assert refusal(signed(), issuer="https://other.example") == "wrong_issuer"
    assert refusal(signed(b"{}"), issuer="https://id.example.com") == "wrong_issuer"
    verify_token(signed(), Trial(keys=KeySet([PUBLIC]), issuer="https://id.example.com"), now=NOW)


def test_the_leeway_is_granted_to_dates() -> None:
    expired = signed(b'{"exp":%d}' % (NOW - 10))
    verify_token(expired, Trial(keys=KeySet([PUBLIC]), leeway=11), now=NOW)
    assert refusal(expired, leeway=10) == "token_expired"


def test_a_named_key_is_meant_whatever_the_kid() -> None:
    named = NamedKey([parse_jwk({**KEY.public_jwk(), "kid": "another"})])
    verify_token(signed(), Trial(keys=named), now=NOW)
    assert refusal(signed(), keys=KeySet(named.keys)) == "unknown_key"


def test_a_secret_never_verifies_an_asymmetric_token() -> None:
    assert refusal(signed(), keys=secret_key(b"s" * 32)) == "algorithm_not_allowed"
