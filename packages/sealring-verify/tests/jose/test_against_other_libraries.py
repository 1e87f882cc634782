"""The same tokens through joserfc and PyJWT: each reads what another signed, and where we part is named."""

import base64
import json
import random

import joserfc.errors
import joserfc.jwk
import joserfc.jws
import jwt
import pytest

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url, jws
from sealring_verify.jose.jwk import export_private_key, generate_private_key, import_private_key, thumbprint
from sealring_verify.jose.jwks import parse_jwks

KEY = generate_private_key("ES256", kid="k1")
KEYS = parse_jwks(json.dumps({"keys": [KEY.public_jwk()]}).encode())
ALGORITHMS = frozenset({"ES256"})
JOSERFC_KEY = joserfc.jwk.ECKey.import_key(KEY.public_jwk())
PYJWT_KEY = jwt.PyJWK(KEY.public_jwk()).key
PAYLOAD = b'{"sub":"ada"}'


def _ours(token: bytes) -> bytes | None:
    try:
        return jws.verify_compact(token, keys=KEYS, algorithms=ALGORITHMS).payload
    except InvalidToken:
        return None


def _joserfc(token: bytes) -> bytes | None:
    try:
        return joserfc.jws.deserialize_compact(token, JOSERFC_KEY, algorithms=["ES256"]).payload
    except (joserfc.errors.JoseError, TypeError, ValueError):  # both of the latter escape from it for odd headers
        return None


def _pyjwt(token: bytes) -> bytes | None:
    try:
        return jwt.PyJWS().decode(token, PYJWT_KEY, algorithms=["ES256"])
    except jwt.PyJWTError:
        return None


def _signed(header: bytes, payload: bytes = PAYLOAD) -> bytes:
    return jws.sign_compact(payload, key=KEY, header=base64url.encode(header)).encode()


@pytest.mark.parametrize("seed", range(20))
def test_our_tokens_and_theirs_are_accepted_by_all_three(seed: int) -> None:
    payload = random.Random(seed).randbytes(seed * 13)  # noqa: S311 - test data
    pkcs8 = KEY.material
    tokens = (
        jws.sign_compact(payload, key=KEY, header=jws.encode_header(typ="at+jwt", alg="ES256", kid="k1")).encode(),
        joserfc.jws.serialize_compact(
            {"alg": "ES256", "kid": "k1"}, payload, joserfc.jwk.ECKey.import_key(_private_pem())
        ).encode(),
        jwt.PyJWS().encode(payload, pkcs8, algorithm="ES256", headers={"kid": "k1"}).encode(),
    )
    for token in tokens:
        assert _ours(token) == _joserfc(token) == _pyjwt(token) == payload


def _private_pem() -> bytes:
    encoded = base64.encodebytes(export_private_key(KEY))
    return b"-----BEGIN PRIVATE KEY-----\n" + encoded + b"-----END PRIVATE KEY-----\n"


def test_thumbprints_and_keys_are_read_alike() -> None:
    assert JOSERFC_KEY.thumbprint() == thumbprint(KEY.public_jwk())
    again = import_private_key(export_private_key(KEY), kid="k1", alg="ES256")
    assert again.public_jwk() == KEY.public_jwk()
    theirs = joserfc.jwk.ECKey.generate_key("P-256", {"kid": "t"}).as_dict(private=False)
    assert parse_jwks(json.dumps({"keys": [theirs]}).encode()).keys[0].alg == "ES256"


def test_nothing_that_another_library_refuses_is_accepted_after_a_mutation() -> None:
    dice = random.Random(20261123)  # noqa: S311 - a mutation, not a secret
    token = _signed(b'{"alg":"ES256","typ":"at+jwt","kid":"k1"}')
    alphabet = b"ABQgw-_.=+/!\x00\xff"
    accepted = 0
    for _ in range(8_000):
        octets = bytearray(token)
        for _ in range(dice.randint(1, 3)):
            position = dice.randrange(len(octets))
            if dice.random() < 0.6:
                octets[position] = (
                    dice.choice(alphabet) if dice.random() < 0.5 else octets[position] ^ 1 << dice.randrange(8)
                )
            elif dice.random() < 0.5:
                del octets[position]
            else:
                octets.insert(position, dice.choice(alphabet))
        mutated = bytes(octets)
        verdict = _ours(mutated)
        assert verdict is None or mutated == token
        accepted += verdict is not None
        if verdict is not None:
            assert _joserfc(mutated) == _pyjwt(mutated) == verdict
    assert accepted < 100


@pytest.mark.parametrize(
    ("header", "lenient"),
    [
        (b'{"alg":"ES256","alg":"ES256"}', {"joserfc", "pyjwt"}),
        (b'{"alg":"ES256","crit":[]}', {"joserfc"}),
        (b'{"alg":"ES256","kid":"unknown"}', {"joserfc", "pyjwt"}),
        (b'{"alg":"ES256","jwk":{"kty":"EC"}}', {"joserfc", "pyjwt"}),
        (b'{"alg":"ES256","a":{"b":{"c":{}}}}', {"pyjwt"}),
        (b'{"alg":"ES256","a":NaN}', {"pyjwt"}),
        (b'{"alg":"ES256","a":"\\ud800"}', {"pyjwt"}),
    ],
)
def test_where_we_are_stricter_is_known(header: bytes, lenient: set[str]) -> None:
    token = _signed(header)
    assert _ours(token) is None
    assert {name for name, read in (("joserfc", _joserfc), ("pyjwt", _pyjwt)) if read(token) is not None} == lenient
