import json

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url, jws
from sealring_verify.jose.jwk import PrivateKey, generate_private_key
from sealring_verify.jose.jwks import KeySet, parse_jwks

ALGORITHMS = frozenset({"ES256", "Ed25519"})
KEY = generate_private_key("ES256", kid="k1")
ED_KEY = generate_private_key("Ed25519", kid="ed")
STRANGER = generate_private_key("ES256", kid="k1")
HEADER = jws.encode_header(typ="at+jwt", alg="ES256", kid="k1")
TOKEN = jws.sign_compact(b'{"sub":"ada"}', key=KEY, header=HEADER)


def _keys(*keys: PrivateKey) -> KeySet:
    return parse_jwks(json.dumps({"keys": [key.public_jwk() for key in keys or (KEY, ED_KEY)]}).encode())


KEYS = _keys()


def _signed(header: object, key: PrivateKey = KEY, payload: bytes = b"{}") -> str:
    octets = header if isinstance(header, bytes) else json.dumps(header).encode()
    return jws.sign_compact(payload, key=key, header=base64url.encode(octets))


def _code(token: str | bytes, keys: KeySet = KEYS, algorithms: frozenset[str] = ALGORITHMS) -> str:
    with pytest.raises(InvalidToken) as refused:
        jws.verify_compact(token, keys=keys, algorithms=algorithms)
    assert len(token) < 10 or str(token)[:20] not in str(refused.value)
    return refused.value.code


@pytest.mark.parametrize("key", [KEY, ED_KEY], ids=["ES256", "Ed25519"])
def test_what_is_signed_verifies_and_names_its_key(key: PrivateKey) -> None:
    header = jws.encode_header(typ="at+jwt", alg=key.alg, kid=key.kid)
    token = jws.sign_compact(b"\x00\xff any octets", key=key, header=header)
    for spelling in (token, token.encode()):
        verified = jws.verify_compact(spelling, keys=KEYS, algorithms=ALGORITHMS)
        assert verified.payload == b"\x00\xff any octets"
        assert (verified.header.alg, verified.header.kid, verified.header.typ) == (key.alg, key.kid, "at+jwt")
        assert verified.key.kid == key.kid


def test_the_signature_of_rfc_7515_a_3_holds() -> None:
    keys = parse_jwks(
        b'{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
        b'"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}'
    )
    token = (
        "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
        "cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
    )
    assert jws.verify_compact(token, keys=keys, algorithms=ALGORITHMS).payload.startswith(b'{"iss":"joe"')


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", "HS256", "RS256", "ES384", "es256", "EdDSA", "ES256 "])
def test_an_algorithm_that_is_not_on_the_list_is_refused(alg: str) -> None:
    assert _code(_signed({"alg": alg, "kid": "k1"})) == "algorithm_not_allowed"
    head, payload, _ = _signed({"alg": alg, "kid": "k1"}).split(".")
    assert _code(f"{head}.{payload}.") == "algorithm_not_allowed"


def test_the_algorithm_comes_from_the_key_and_the_list() -> None:
    assert _code(_signed({"alg": "Ed25519", "kid": "k1"})) == "algorithm_not_allowed"
    assert _code(TOKEN, algorithms=frozenset({"Ed25519"})) == "algorithm_not_allowed"
    assert _code(_signed({"alg": "ES256", "kid": "ed"}, ED_KEY)) == "algorithm_not_allowed"


def test_a_public_key_is_never_a_shared_secret() -> None:
    import hashlib
    import hmac

    signing_input = base64url.encode(b'{"alg":"HS256","kid":"k1"}') + b"." + base64url.encode(b"{}")
    for secret in (KEY.public_jwk()["x"].encode(), json.dumps(KEY.public_jwk()).encode()):
        mac = hmac.digest(secret, signing_input, hashlib.sha256)
        assert _code(signing_input + b"." + base64url.encode(mac)) == "algorithm_not_allowed"


def test_no_key_comes_from_the_token() -> None:
    offers = {"jku": "http://evil.example/jwks", "x5u": "http://evil.example/cert", "x5c": ["AAAA"]}
    assert _code(_signed({"alg": "ES256", "kid": "k1", **offers}, STRANGER)) == "bad_signature"
    assert _code(_signed({"alg": "ES256", "jwk": STRANGER.public_jwk()}, STRANGER)) == "token_malformed"
    assert _code(_signed({"alg": "ES256", "kid": "k2"}, STRANGER)) == "unknown_key"


def test_signature_comes_before_content() -> None:
    assert _code(_signed({"alg": "ES256", "kid": "k1"}, STRANGER, b"\xff")) == "bad_signature"
    head, _, signature = TOKEN.split(".")
    assert _code(f"{head}.!!.{signature}") == "bad_signature"


def test_a_payload_that_is_not_base64url_is_refused_even_when_it_is_signed() -> None:
    signing_input = HEADER + b".e31="
    assert _code(signing_input + b"." + base64url.encode(KEY.sign(signing_input))) == "token_malformed"


def test_es256_accepts_one_encoding_of_its_numbers() -> None:
    signing_input, _, encoded = TOKEN.rpartition(".")
    raw = base64url.decode(encoded.encode())
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    padded = b"\0" + raw[:32] + b"\0" + raw[32:]
    for octets in (der, padded, raw + b"\0", raw[:-1], b"", bytes(64), b"\xff" * 64):
        assert _code(f"{signing_input}.{base64url.encode(octets).decode()}") == "bad_signature"


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "." + TOKEN,
        TOKEN + ".",
        TOKEN + ".AAAA",
        TOKEN + ".AAAA.AAAA",  # five parts: a JWE
        TOKEN + "~",  # SD-JWT
        TOKEN + "=",
        TOKEN + "\n",
        " " + TOKEN,
        TOKEN.replace(".", " ."),
        TOKEN + "é",
        TOKEN + "\ud800",
        TOKEN.replace(".", "。"),
        '{"payload":"e30","signatures":[]}',
        json.dumps({"protected": HEADER.decode(), "payload": "e30", "signature": "AAAA"}),
        b"\xff\xfe." + TOKEN.encode(),
        "Bearer " + TOKEN,
    ],
)
def test_anything_but_three_parts_of_base64url_is_malformed(token: str | bytes) -> None:
    assert _code(token) == "token_malformed"


def test_length_is_bounded_before_any_work() -> None:
    longest = jws.MAX_TOKEN_LENGTH
    assert _code("." * (longest + 1)) == "token_too_large"
    assert _code(b"\xff" * (longest + 1)) == "token_too_large"
    assert _code("." * longest) == "token_malformed"
    assert _code(_signed({"alg": "ES256", "kid": "k1", "x": "x" * 4096})) == "token_too_large"
    payload = b"x" * 11_000
    assert jws.verify_compact(_signed({"alg": "ES256", "kid": "k1"}, KEY, payload), keys=KEYS, algorithms=ALGORITHMS)


def test_a_header_is_remembered_only_after_its_signature_held() -> None:
    keys = _keys()
    for number in range(200):
        assert _code(_signed({"alg": "ES256", "kid": "k1", "n": number}, STRANGER), keys) == "bad_signature"
    assert keys.trusted_headers == {}
    for number in range(200):
        jws.verify_compact(_signed({"alg": "ES256", "kid": "k1", "n": number}), keys=keys, algorithms=ALGORITHMS)
    assert 0 < len(keys.trusted_headers) <= 64


def test_a_remembered_header_excuses_nothing() -> None:
    keys = _keys()
    jws.verify_compact(TOKEN, keys=keys, algorithms=ALGORITHMS)
    forged = jws.sign_compact(b'{"sub":"eve"}', key=STRANGER, header=HEADER)
    assert _code(forged, keys) == "bad_signature"
    assert _code(TOKEN, keys, frozenset({"Ed25519"})) == "algorithm_not_allowed"


@given(st.data())
def test_no_mutation_of_a_token_is_accepted(data: st.DataObject) -> None:
    token = data.draw(st.sampled_from([TOKEN, _signed({"alg": "Ed25519", "kid": "ed"}, ED_KEY)])).encode()
    position = data.draw(st.integers(0, len(token)))
    removed = data.draw(st.integers(0, 3))
    inserted = data.draw(st.binary(max_size=3) | st.text("AQgw-_.=", max_size=3).map(str.encode))
    mutated = token[:position] + inserted + token[position + removed :]
    if mutated != token:
        with pytest.raises(InvalidToken):
            jws.verify_compact(mutated, keys=KEYS, algorithms=ALGORITHMS)


@given(st.binary(max_size=300) | st.text(max_size=100))
def test_any_octets_are_refused_and_nothing_else_is_raised(token: bytes | str) -> None:
    _code(token)


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_header_and_signature_are_refused_and_nothing_else_is_raised(header: bytes, signature: bytes) -> None:
    _code(base64url.encode(header) + b".e30." + base64url.encode(signature))


def test_every_bit_of_the_signature_and_the_header_counts() -> None:
    token = TOKEN.encode()
    for position in range(len(token)):
        for bit in range(7):
            mutated = token[:position] + bytes([token[position] ^ 1 << bit]) + token[position + 1 :]
            with pytest.raises(InvalidToken):
                jws.verify_compact(mutated, keys=KEYS, algorithms=ALGORITHMS)
