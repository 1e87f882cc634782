import json
from base64 import urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.errors import InvalidToken
from sealring_verify.jose.jwk import generate_private_key, public_jwk
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.jose.jws import encode_header, sign_compact
from sealring_verify.site.id_token import IdToken, check_id_token

NOW = 1_800_000_000
KEY = generate_private_key("ES256", kid="a")
OTHER = generate_private_key("ES256", kid="a")
CLAIMS = {
    "iss": "https://id.example",
    "sub": "ada",
    "aud": "site",
    "exp": NOW + 60,
    "iat": NOW,
    "nonce": "n",
    "sid": "s",
}


def key_set() -> KeySet:
    return parse_jwks(json.dumps({"keys": [public_jwk(KEY.material.public_key(), "a", "ES256")]}).encode())


def made(claims: dict[str, object] | bytes, *, typ: str = "JWT", key: object = KEY) -> str:
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    return sign_compact(payload, key=key, header=encode_header(typ=typ, alg="ES256", kid="a"))


def check(token: str, nonce: str = "n") -> IdToken:
    return check_id_token(
        token,
        keys=key_set(),
        issuer="https://id.example",
        client_id="site",
        nonce=nonce,
        access_token="the access token",
        algorithms={"ES256"},
        leeway=30,
        now=NOW,
    )


def test_an_id_token_says_who_signed_in() -> None:
    checked = check(made(CLAIMS))
    assert (checked.sub, checked.sid) == ("ada", "s")
    assert check(made(CLAIMS | {"aud": ["site"], "azp": "site"})).sub == "ada"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"aud": "other"}, "wrong_audience"),
        ({"aud": ["site", "other"]}, "wrong_audience"),
        ({"aud": []}, "wrong_audience"),
        ({"azp": "other"}, "wrong_audience"),
        ({"nonce": "m"}, "invalid_claim"),
        ({"nonce": None}, "invalid_claim"),
        ({"nonce": ["n"]}, "invalid_claim"),
        ({"at_hash": "Zm9v"}, "invalid_claim"),
        ({"at_hash": None}, "invalid_claim"),
        ({"at_hash": 7}, "invalid_claim"),
        ({"exp": NOW - 30}, "token_expired"),
        ({"exp": None}, "missing_claim"),
        ({"exp": "soon"}, "invalid_claim"),
        ({"exp": True}, "invalid_claim"),
        ({"exp": 1e12}, "invalid_claim"),
        ({"iat": NOW + 31}, "token_not_yet_valid"),
        ({"sub": ""}, "missing_claim"),
        ({"sub": 7}, "missing_claim"),
    ],
)
def test_another_id_token_is_refused(changes: dict[str, object], code: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        check(made(CLAIMS | changes))
    assert refused.value.code == code


def test_the_access_token_of_the_same_answer_is_known_by_its_hash() -> None:
    half = sha256(b"the access token").digest()[:16]
    at_hash = urlsafe_b64encode(half).rstrip(b"=").decode()
    assert check(made(CLAIMS | {"at_hash": at_hash})).sub == "ada"


@pytest.mark.parametrize("typ", ["at+jwt", "logout+jwt", "sealring-gate+jwt", "sealring-revocations+jwt"])
def test_another_kind_of_token_never_passes(typ: str) -> None:
    with pytest.raises(InvalidToken, match="wrong_type"):
        check(made(CLAIMS, typ=typ))


def test_another_key_never_passes() -> None:
    with pytest.raises(InvalidToken, match="bad_signature"):
        check(made(CLAIMS, key=OTHER))


@pytest.mark.parametrize("payload", [b'{"iss":"a","iss":"b"}', b"[]", b"null", b"\xff", b'{"a":' * 5000])
def test_a_payload_that_two_readers_may_take_differently_is_refused(payload: bytes) -> None:
    with pytest.raises(InvalidToken):
        check(made(payload))


@given(st.text() | st.binary().map(lambda octets: octets.decode("latin-1")))
def test_whatever_comes_is_a_refusal(token: str) -> None:
    with pytest.raises(InvalidToken):
        check(token)
