"""Hostile tokens, each with a line of why, through a real verifier; and controls, which differ by a hair and pass."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, SHA384, SHA512
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import OKPKey

from sealring_verify import InvalidToken, TokenRefused, Verifier
from sealring_verify.access_token import check_access_token
from sealring_verify.decryption import signed_token
from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwe import encrypt_compact, parse_encryption_jwks
from sealring_verify.jose.jwk import PrivateKey, PublicKey, generate_private_key
from sealring_verify.jose.jwks import KeySet, parse_jwks

NOW = 1_795_000_000
ISSUER = "https://id.example.com"
ES, ED, RS, PS = (
    generate_private_key(alg, kid=kid)
    for alg, kid in (("ES256", "es"), ("Ed25519", "ed"), ("RS256", "rs"), ("PS256", "ps"))
)
STRANGER = generate_private_key("ES256", kid="es")
P384, P521 = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - too short is the point
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
ENC, REVEALED, TWIN, SIGN_ONLY = (
    generate_private_key("ES256", kid=kid) for kid in ("enc", "revealed", "twin", "sign-only")
)


def b64(data: bytes) -> str:
    return base64url.encode(data).decode()


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def p384_jwk() -> dict[str, str]:
    numbers = P384.public_key().public_numbers()
    return {
        "kty": "EC",
        "crv": "P-384",
        "x": b64(numbers.x.to_bytes(48, "big")),
        "y": b64(numbers.y.to_bytes(48, "big")),
    }


JWKS = {
    "keys": [
        *(key.public_jwk() for key in (ES, ED, RS, PS)),
        {**ENC.public_jwk(), "use": "enc"},
        {**REVEALED.public_jwk(), "d": "AAAA"},
        TWIN.public_jwk(),
        {**ES.public_jwk(), "kid": "twin"},
        {**SIGN_ONLY.public_jwk(), "key_ops": ["sign"]},
        {**p384_jwk(), "kid": "p384", "alg": "ES384", "use": "sig"},
        {"kty": "RSA", "n": number(WEAK.public_key().public_numbers().n), "e": "AQAB", "kid": "weak", "alg": "RS256"},
        {"kty": "oct", "k": "A" * 43, "kid": "oct", "alg": "HS256"},
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "akp", "pub": "AAAA"},
    ]
}
VERIFIER = Verifier(ISSUER, "orders", jwks=JWKS, leeway=30, clock=lambda: NOW)
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "u1",
    "aud": "orders",
    "exp": NOW + 600,
    "iat": NOW,
    "jti": "j1",
    "client_id": "web",
    "scope": "orders:read",
}


def claims(**changes: object) -> bytes:
    return json.dumps({name: value for name, value in {**CLAIMS, **changes}.items() if value is not ...}).encode()


def signed(
    payload: bytes | None = None,
    header: dict[str, object] | bytes | None = None,
    key: PrivateKey = ES,
    **changes: object,
) -> str:
    """Sign with `key`; `header` replaces or adds members, octets replace it whole; `changes` are of the claims."""
    members = {"alg": key.alg, "typ": "at+jwt", "kid": key.kid}
    if not isinstance(header, bytes):
        kept = {name: value for name, value in {**members, **(header or {})}.items() if value is not ...}
        header = json.dumps(kept).encode()
    return sealed(b64(header) + "." + b64(claims(**changes) if payload is None else payload), key.sign)


def sealed(signing_input: str, sign: Callable[[bytes], bytes]) -> str:
    return f"{signing_input}.{b64(sign(signing_input.encode()))}"


def hs256(secret: bytes, kid: str = "es", alg: str = "HS256") -> str:
    head = b64(json.dumps({"alg": alg, "typ": "at+jwt", "kid": kid}).encode())
    return sealed(f"{head}.{b64(claims())}", lambda message: hmac.digest(secret, message, hashlib.sha256))


def ecdsa(change: Callable[[int, int], bytes]) -> str:
    """Sign with ES256 and write the two numbers in another way."""
    r, s = decode_dss_signature(ES.material.sign(INPUT.encode(), ec.ECDSA(SHA256())))
    return f"{INPUT}.{b64(change(r, s))}"


def two(r: int, s: int, octets: int = 32) -> bytes:
    return r.to_bytes(octets, "big") + s.to_bytes(octets, "big")


def rsa_signed(header: dict[str, object], scheme: Any, digest: Any, key: Any = RS.material) -> str:  # noqa: ANN401 - the library's own types
    head = b64(json.dumps({"typ": "at+jwt", "kid": "rs", **header}).encode())
    return sealed(f"{head}.{b64(claims())}", lambda message: key.sign(message, scheme, digest))


GOOD = signed()
HEAD, BODY, MAC = GOOD.split(".")
INPUT = f"{HEAD}.{BODY}"
PEM = ES.material.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
RSA_PEM = RS.material.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
PKCS1 = padding.PKCS1v15()


def pss(salt: int, digest: Any = SHA256) -> padding.PSS:  # noqa: ANN401 - as above
    return padding.PSS(padding.MGF1(digest()), salt)


SHAPE = [
    ("nothing at all", "", "token_malformed"),
    ("one space", " ", "token_malformed"),
    ("an opaque token", "slo_" + "A" * 62, "token_malformed"),
    ("a refresh token of Sealring", "slr_" + "A" * 86, "token_malformed"),
    ("a UUID", "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "token_malformed"),
    ("one part", HEAD, "token_malformed"),
    ("two parts", INPUT, "token_malformed"),
    ("four parts", GOOD + ".AAAA", "token_malformed"),
    ("a fourth part that is empty", GOOD + ".", "token_malformed"),
    ("an empty part before the first", "." + GOOD, "token_malformed"),
    ("five parts: a JWE, which a verifier without keys cannot read", GOOD + ".AAAA.AAAA", "token_encrypted"),
    ("six parts", GOOD + ".A.A.A", "token_malformed"),
    ("three empty parts", "..", "token_malformed"),
    ("an SD-JWT", GOOD + "~", "token_malformed"),
    ("an SD-JWT with a disclosure", GOOD + "~WyJhIiwiYiIsMV0~", "token_malformed"),
    ("the scheme still before it", "Bearer " + GOOD, "token_malformed"),
    ("a space before it", " " + GOOD, "token_malformed"),
    ("a line feed after it", GOOD + "\n", "token_malformed"),
    ("a carriage return after it", GOOD + "\r\n", "token_malformed"),
    ("a NUL after it", GOOD + "\0", "token_malformed"),
    ("a space within the payload", f"{HEAD}.{BODY[:8]} {BODY[8:]}.{MAC}", "bad_signature"),
    ("a line break within the header", f"{HEAD[:8]}\n{HEAD[8:]}.{BODY}.{MAC}", "token_malformed"),
    ("quotation marks around it", f'"{GOOD}"', "token_malformed"),
    ("a byte order mark before it", "\ufeff" + GOOD, "token_malformed"),
    ("an ideographic full stop", GOOD.replace(".", "。"), "token_malformed"),
    ("a full-width letter, which some normalise to ASCII", "ｅ" + GOOD[1:], "token_malformed"),
    ("a lone surrogate, which UTF-8 cannot say", GOOD + "\ud800", "token_malformed"),
    ("escaped for an address", GOOD.replace(".", "%2E"), "token_malformed"),
    ("padding after the signature", GOOD + "=", "token_malformed"),
    ("padding after the header", f"{HEAD}=.{BODY}.{MAC}", "token_malformed"),
    ("the standard alphabet in the signature", f"{INPUT}.{'+' + MAC[1:]}", "token_malformed"),
    (
        "JSON serialization, flattened",
        json.dumps({"payload": BODY, "protected": HEAD, "signature": MAC}),
        "token_malformed",
    ),
    (
        "JSON serialization, general",
        json.dumps({"payload": BODY, "signatures": [{"protected": HEAD, "signature": MAC}]}),
        "token_malformed",
    ),
    ("a polyglot: JSON whose text has two full stops", '{"a":"' + GOOD + '"}', "token_malformed"),
    ("one character over 16 KiB", "a" * (16 * 1024 + 1), "token_too_large"),
    ("a mebibyte of full stops", "." * (1 << 20), "token_too_large"),
    ("a mebibyte of letters beyond ASCII", "é" * (1 << 20), "token_too_large"),
    ("genuine, but over 16 KiB", signed(note="x" * 13_000), "token_too_large"),
    ("a header over 4 KiB", signed(header={"note": "x" * 4096}), "token_too_large"),
    ("no text: nothing", None, "token_malformed"),
    ("no text: octets", GOOD.encode(), "token_malformed"),
    ("no text: a number", 7, "token_malformed"),
]

HEADER = [
    (
        "no algorithm, no signature: alg none",
        b64(b'{"alg":"none","typ":"at+jwt"}') + f".{BODY}.",
        "algorithm_not_allowed",
    ),
    *(
        (
            f"none, spelt {spelling!r}",
            f"{b64(json.dumps({'alg': spelling, 'typ': 'at+jwt', 'kid': 'es'}).encode())}.{BODY}.",
            "algorithm_not_allowed",
        )
        for spelling in ("None", "NONE", "nOnE", "none ", "")
    ),
    ("alg none over a genuine signature", signed(header={"alg": "none"}), "algorithm_not_allowed"),
    ("no alg", signed(header={"alg": ...}), "token_malformed"),
    ("alg null", signed(header={"alg": None}), "token_malformed"),
    ("alg a list", signed(header={"alg": ["ES256"]}), "token_malformed"),
    ("alg a number", signed(header={"alg": 256}), "token_malformed"),
    ("alg in small letters", signed(header={"alg": "es256"}), "algorithm_not_allowed"),
    ("alg with a space", signed(header={"alg": "ES256 "}), "algorithm_not_allowed"),
    (
        "the deprecated polymorphic EdDSA, which was not asked for",
        signed(key=ED, header={"alg": "EdDSA"}),
        "algorithm_not_allowed",
    ),
    ("HS256 with the public key in PEM as its secret", hs256(PEM), "algorithm_not_allowed"),
    ("HS256 with the RSA key in PEM as its secret", hs256(RSA_PEM, "rs"), "algorithm_not_allowed"),
    ("HS256 with the JWK as its secret", hs256(json.dumps(ES.public_jwk()).encode()), "algorithm_not_allowed"),
    ("HS256 with the coordinate as its secret", hs256(ES.public_jwk()["x"].encode()), "algorithm_not_allowed"),
    ("HS256 with an empty secret", hs256(b""), "algorithm_not_allowed"),
    ("HS256 with the oct key that the issuer published by mistake", hs256(bytes(32), "oct"), "algorithm_not_allowed"),
    ("HS512 over 256 bits", hs256(bytes(32), alg="HS512"), "algorithm_not_allowed"),
    ("the id of one key and the algorithm of another", signed(key=ES, header={"kid": "ed"}), "algorithm_not_allowed"),
    ("an RSA key's id over ES256", signed(header={"kid": "rs"}), "algorithm_not_allowed"),
    ("RS256 where the key is for PS256", signed(key=RS, header={"kid": "ps"}), "algorithm_not_allowed"),
    ("an encryption algorithm", signed(header={"alg": "RSA-OAEP"}), "algorithm_not_allowed"),
    ("dir, sign and encrypt confused", signed(header={"alg": "dir", "enc": "A256GCM"}), "algorithm_not_allowed"),
    (
        "PBES2 with an absurd count",
        signed(header={"alg": "PBES2-HS256+A128KW", "p2c": 2**31, "p2s": "AA"}),
        "algorithm_not_allowed",
    ),
    ("ES256K, another curve", signed(header={"alg": "ES256K"}), "algorithm_not_allowed"),
    ("crit names an extension", signed(header={"crit": ["exp"]}), "critical_header"),
    ("crit names b64", signed(header={"crit": ["b64"], "b64": False}), "critical_header"),
    ("crit is empty", signed(header={"crit": []}), "critical_header"),
    ("crit is null", signed(header={"crit": None}), "critical_header"),
    ("crit is a string", signed(header={"crit": "exp"}), "critical_header"),
    ("crit lists a number, at which two libraries fall over", signed(header={"crit": [1]}), "token_malformed"),
    ("crit is an object", signed(header={"crit": {"exp": 1}}), "token_malformed"),
    (
        "a key of its own in jwk",
        signed(key=STRANGER, header={"jwk": STRANGER.public_jwk(), "kid": ...}),
        "token_malformed",
    ),
    ("a true key in jwk", signed(header={"jwk": ES.public_jwk()}), "token_malformed"),
    ("b64 without crit, so that two readers see two payloads", signed(header={"b64": False}), "token_malformed"),
    ("b64 without crit, and true", signed(header={"b64": True}), "token_malformed"),
    ("jwk null", signed(header={"jwk": None}), "token_malformed"),
    ("cty a number", signed(header={"cty": 1}), "token_malformed"),
    ("x5c a text", signed(header={"x5c": "MIIB"}), "token_malformed"),
    ("keys at jku", signed(key=STRANGER, header={"jku": "https://evil.example/jwks"}), "bad_signature"),
    ("a certificate at x5u", signed(key=STRANGER, header={"x5u": "https://evil.example/cert"}), "bad_signature"),
    ("a certificate in x5c", signed(key=STRANGER, header={"x5c": ["MIIB"]}), "bad_signature"),
    ("a thumbprint in x5t", signed(key=STRANGER, header={"x5t#S256": "A" * 43}), "bad_signature"),
    ("a kid that is a path", signed(key=STRANGER, header={"kid": "../../../../dev/null"}), "unknown_key"),
    ("a kid that is SQL", signed(key=STRANGER, header={"kid": "x' UNION SELECT 'AAAA'--"}), "unknown_key"),
    ("a kid that is an address", signed(key=STRANGER, header={"kid": "https://evil.example/k"}), "unknown_key"),
    ("a kid of another case", signed(header={"kid": "ES"}), "unknown_key"),
    ("a kid with a NUL", signed(header={"kid": "es\0"}), "unknown_key"),
    ("an empty kid", signed(header={"kid": ""}), "unknown_key"),
    ("kid a number", signed(header={"kid": 1}), "token_malformed"),
    ("kid null", signed(header={"kid": None}), "token_malformed"),
    (
        "alg twice, none first",
        signed(header=b'{"alg":"none","alg":"ES256","kid":"es","typ":"at+jwt"}'),
        "duplicate_member",
    ),
    (
        "alg twice, once escaped",
        signed(header=b'{"alg":"ES256","\\u0061lg":"none","kid":"es","typ":"at+jwt"}'),
        "duplicate_member",
    ),
    ("kid twice", signed(header=b'{"alg":"ES256","kid":"es","kid":"ed","typ":"at+jwt"}'), "duplicate_member"),
    (
        "a byte order mark before the header",
        signed(header=b'\xef\xbb\xbf{"alg":"ES256","kid":"es","typ":"at+jwt"}'),
        "token_malformed",
    ),
    (
        "a header in UTF-16",
        signed(header='{"alg":"ES256","kid":"es","typ":"at+jwt"}'.encode("utf-16")),
        "token_malformed",
    ),
    (
        "octets in the header that are no UTF-8",
        signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt","a":"\xff"}'),
        "token_malformed",
    ),
    (
        "a lone surrogate in the header",
        signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt","a":"\\ud800"}'),
        "token_malformed",
    ),
    ("NaN in the header", signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt","a":NaN}'), "token_malformed"),
    ("a comment in the header", signed(header=b'{"alg":"ES256",/**/"kid":"es","typ":"at+jwt"}'), "token_malformed"),
    ("a comma too many", signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt",}'), "token_malformed"),
    (
        "something after the header's object",
        signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt"}{}'),
        "token_malformed",
    ),
    ("a header that is a list", signed(header=b'[{"alg":"ES256"}]'), "token_malformed"),
    ("a header that is a string", signed(header=b'"ES256"'), "token_malformed"),
    ("an empty header", signed(header=b"{}"), "token_malformed"),
    (
        "a number of 310 digits in the header",
        signed(header=b'{"alg":"ES256","kid":"es","typ":"at+jwt","a":' + b"9" * 310 + b"}"),
        "token_malformed",
    ),
    (
        "a header nested deep",
        signed(header=b'{"alg":"ES256","a":' + b"[" * 1000 + b"]" * 1000 + b"}"),
        "token_malformed",
    ),
    ("a header of objects, deep", signed(header=b'{"a":' * 300 + b"1" + b"}" * 300), "token_malformed"),
    ("zip in a signed token's header", signed(header={"zip": "DEF", "alg": "none"}), "algorithm_not_allowed"),
]

SIGNATURE = [
    ("no signature", f"{INPUT}.", "bad_signature"),
    ("a stranger's signature", signed(key=STRANGER), "bad_signature"),
    ("the signature of another token", f"{INPUT}.{signed(sub='u2').rpartition('.')[2]}", "bad_signature"),
    ("another payload under this signature", f"{HEAD}.{b64(claims(sub='admin'))}.{MAC}", "bad_signature"),
    ("an empty payload under this signature", f"{HEAD}..{MAC}", "bad_signature"),
    ("r = s = 0, the psychic signature (CVE-2022-21449)", ecdsa(lambda _r, _s: bytes(64)), "bad_signature"),
    ("r = 0", ecdsa(lambda _r, s: two(0, s)), "bad_signature"),
    ("s = 0", ecdsa(lambda r, _s: two(r, 0)), "bad_signature"),
    ("r = s = n", ecdsa(lambda _r, _s: two(P256_ORDER, P256_ORDER)), "bad_signature"),
    ("r = s = 1", ecdsa(lambda _r, _s: two(1, 1)), "bad_signature"),
    ("all ones", ecdsa(lambda _r, _s: b"\xff" * 64), "bad_signature"),
    ("DER in place of two numbers", ecdsa(encode_dss_signature), "bad_signature"),
    ("a leading zero in each number", ecdsa(lambda r, s: two(r, s, 33)), "bad_signature"),
    ("one octet too many", ecdsa(lambda r, s: two(r, s) + b"\0"), "bad_signature"),
    ("one octet too few", ecdsa(lambda r, s: two(r, s)[:-1]), "bad_signature"),
    ("the numbers exchanged", ecdsa(lambda r, s: two(s, r)), "bad_signature"),
    (
        "trailing bits that are not zero: the same octets in another spelling",
        f"{signed(key=ED).rpartition('.')[0]}.{signed(key=ED).rpartition('.')[2][:-1]}"
        + {"A": "B", "Q": "R", "g": "h", "w": "x"}[signed(key=ED)[-1]],
        "token_malformed",
    ),
    ("an Ed25519 signature of zeros", sealed(signed(key=ED).rpartition(".")[0], lambda _: bytes(64)), "bad_signature"),
    (
        "an Ed25519 signature whose s is not below the order",
        sealed(
            signed(key=ED).rpartition(".")[0],
            lambda message: (
                (raw := ED.sign(message))[:32]
                + (int.from_bytes(raw[32:], "little") + 2**252 + 27742317777372353535851937790883648493).to_bytes(
                    32, "little"
                )
            ),
        ),
        "bad_signature",
    ),
    (
        "an Ed25519 signature, short",
        sealed(signed(key=ED).rpartition(".")[0], lambda m: ED.sign(m)[:-1]),
        "bad_signature",
    ),
    ("RS256 over SHA-1", rsa_signed({"alg": "RS256"}, PKCS1, SHA1()), "bad_signature"),  # noqa: S303 - refused
    ("RS256 over SHA-512", rsa_signed({"alg": "RS256"}, PKCS1, SHA512()), "bad_signature"),
    ("RS256 that is PSS", rsa_signed({"alg": "RS256"}, pss(32), SHA256()), "bad_signature"),
    ("PS256 that is PKCS #1", rsa_signed({"alg": "PS256", "kid": "ps"}, PKCS1, SHA256(), PS.material), "bad_signature"),
    (
        "PS256 with a salt of no octets",
        rsa_signed({"alg": "PS256", "kid": "ps"}, pss(0), SHA256(), PS.material),
        "bad_signature",
    ),
    (
        "PS256 with the longest salt",
        rsa_signed({"alg": "PS256", "kid": "ps"}, pss(222), SHA256(), PS.material),
        "bad_signature",
    ),
    (
        "PS256 over SHA-384",
        rsa_signed({"alg": "PS256", "kid": "ps"}, pss(48, SHA384), SHA384(), PS.material),
        "bad_signature",
    ),
    (
        "an RSA signature of ones",
        sealed(signed(key=RS).rpartition(".")[0], lambda _: bytes(255) + b"\1"),
        "bad_signature",
    ),
    ("an RSA signature of zeros", sealed(signed(key=RS).rpartition(".")[0], lambda _: bytes(256)), "bad_signature"),
    (
        "an RSA signature with a leading zero",
        sealed(signed(key=RS).rpartition(".")[0], lambda m: b"\0" + RS.sign(m)),
        "bad_signature",
    ),
    ("an RSA signature, empty", signed(key=RS).rpartition(".")[0] + ".", "bad_signature"),
    ("a payload that is no base64url, genuinely signed", sealed(f"{HEAD}.e31=", ES.sign), "token_malformed"),
    ("a payload with trailing bits, genuinely signed", sealed(f"{HEAD}.e31", ES.sign), "token_malformed"),
]

KEYS = [
    ("a key that is for encryption", signed(key=ENC), "unknown_key"),
    ("a key whose private half lies open", signed(key=REVEALED), "unknown_key"),
    ("a key id that two keys have", signed(key=TWIN), "unknown_key"),
    ("a key whose key_ops do not let it verify", signed(key=SIGN_ONLY), "unknown_key"),
    ("a key of another curve", signed(header={"kid": "p384"}), "unknown_key"),
    ("an RSA key of 1024 bits", rsa_signed({"alg": "RS256", "kid": "weak"}, PKCS1, SHA256(), WEAK), "unknown_key"),
    ("a key of an unknown kind", signed(header={"kid": "akp"}), "unknown_key"),
    ("ML-DSA, which is not taken", signed(header={"kid": "akp", "alg": "ML-DSA-44"}), "algorithm_not_allowed"),
    (
        "ES384, which is not taken",
        sealed(
            b64(b'{"alg":"ES384","typ":"at+jwt","kid":"p384"}') + f".{BODY}",
            lambda m: two(*decode_dss_signature(P384.sign(m, ec.ECDSA(SHA384()))), 48),
        ),
        "algorithm_not_allowed",
    ),
    (
        "ES512, which is not taken",
        sealed(
            b64(b'{"alg":"ES512","typ":"at+jwt"}') + f".{BODY}",
            lambda m: two(*decode_dss_signature(P521.sign(m, ec.ECDSA(SHA512()))), 66),
        ),
        "algorithm_not_allowed",
    ),
]

KIND = [
    ("no typ: an ID token of the same issuer", signed(header={"typ": ...}), "wrong_type", None),
    ("typ JWT", signed(header={"typ": "JWT"}), "wrong_type", None),
    ("an empty typ", signed(header={"typ": ""}), "wrong_type", None),
    ("typ null", signed(header={"typ": None}), "token_malformed", None),
    ("typ a list", signed(header={"typ": ["at+jwt"]}), "token_malformed", None),
    ("typ with a space", signed(header={"typ": "at+jwt "}), "wrong_type", None),
    ("typ with a parameter", signed(header={"typ": "at+jwt; charset=utf-8"}), "wrong_type", None),
    ("typ of another tree", signed(header={"typ": "text/at+jwt"}), "wrong_type", None),
    *(
        (f"{what}, by its type", signed(header={"typ": typ}), "wrong_type", None)
        for what, typ in (
            ("a log-out token", "logout+jwt"),
            ("a security event", "secevent+jwt"),
            ("a DPoP proof", "dpop+jwt"),
            ("an introspection answer", "token-introspection+jwt"),
            ("a status list", "statuslist+jwt"),
            ("a client's assertion", "client-authentication+jwt"),
            ("an authorization request", "oauth-authz-req+jwt"),
            ("a refresh token", "rt+jwt"),
            ("a verifiable credential", "vc+sd-jwt"),
            ("a message of the revocation feed", "sealring-revocations+jwt"),
        )
    ),
    ("an ID token, by at_hash", signed(at_hash="x"), "wrong_type", "at_hash"),
    ("an ID token, by c_hash", signed(c_hash="x"), "wrong_type", "c_hash"),
    (
        "a log-out token, by its event",
        signed(events={"http://schemas.openid.net/event/backchannel-logout": {}}),
        "wrong_type",
        "events",
    ),
    ("a DPoP proof, by htm", signed(htm="GET"), "wrong_type", "htm"),
    ("a DPoP proof, by htu", signed(htu="https://api.example.com/"), "wrong_type", "htu"),
    (
        "an introspection answer, by its claim",
        signed(token_introspection={"active": True}),
        "wrong_type",
        "token_introspection",
    ),
    ("a status list, by its claim", signed(status_list={"bits": 1, "lst": ""}), "wrong_type", "status_list"),
    ("a refresh token of Keycloak's", signed(typ="Refresh"), "wrong_type", "typ"),
    ("an offline token of Keycloak's", signed(typ="Offline"), "wrong_type", "typ"),
    ("an ID token of Keycloak's", signed(typ="ID"), "wrong_type", "typ"),
    ("an ID token of Cognito's", signed(token_use="id"), "wrong_type", "token_use"),
    (
        "a client's assertion, by whom it is from",
        signed(iss="web", sub="web", aud=ISSUER),
        "wrong_issuer",
        "iss",
    ),
]

CLAIM = [
    *((f"no {claim}", signed(**{claim: ...}), "missing_claim", claim) for claim in sorted({*CLAIMS} - {"scope"})),
    *((f"{claim} null", signed(**{claim: None}), "invalid_claim", claim) for claim in sorted(CLAIMS)),
    *(
        (f"{claim} empty", signed(**{claim: ""}), "invalid_claim", claim)
        for claim in ("iss", "sub", "aud", "jti", "client_id")
    ),
    ("the issuer with a slash", signed(iss=ISSUER + "/"), "wrong_issuer", "iss"),
    ("the issuer in capitals", signed(iss="https://ID.example.com"), "wrong_issuer", "iss"),
    ("the issuer without TLS", signed(iss="http://id.example.com"), "wrong_issuer", "iss"),
    ("the issuer with its port", signed(iss="https://id.example.com:443"), "wrong_issuer", "iss"),
    ("the issuer with a space", signed(iss=ISSUER + " "), "wrong_issuer", "iss"),
    ("the issuer as a beginning", signed(iss=ISSUER + ".evil.example"), "wrong_issuer", "iss"),
    ("the issuer in a list", signed(iss=[ISSUER]), "invalid_claim", "iss"),
    ("another issuer", signed(iss="https://evil.example"), "wrong_issuer", "iss"),
    ("for another API", signed(aud="billing"), "wrong_audience", "aud"),
    ("for an API of a longer name", signed(aud="orders2"), "wrong_audience", "aud"),
    ("for an API of a shorter name", signed(aud="order"), "wrong_audience", "aud"),
    ("the audience in capitals", signed(aud="ORDERS"), "wrong_audience", "aud"),
    ("the audience among words of one text", signed(aud="billing orders"), "wrong_audience", "aud"),
    ("an empty list of audiences", signed(aud=[]), "invalid_claim", "aud"),
    ("a number among the audiences", signed(aud=["orders", 1]), "invalid_claim", "aud"),
    ("an empty text among the audiences", signed(aud=["orders", ""]), "invalid_claim", "aud"),
    ("a list within the audiences", signed(aud=[["orders"]]), "invalid_claim", "aud"),
    ("an object as audience", signed(aud={"orders": True}), "invalid_claim", "aud"),
    ("a pattern as audience", signed(aud="*"), "wrong_audience", "aud"),
    ("expired by one second beyond the leeway", signed(exp=NOW - 30), "token_expired", "exp"),
    ("expired long ago", signed(exp=1), "token_expired", "exp"),
    ("exp of zero", signed(exp=0), "token_expired", "exp"),
    ("exp in milliseconds", signed(exp=(NOW + 600) * 1000), "invalid_claim", "exp"),
    ("exp as text", signed(exp=str(NOW + 600)), "invalid_claim", "exp"),
    ("exp as a date in words", signed(exp="2030-01-01T00:00:00Z"), "invalid_claim", "exp"),
    ("exp true", signed(exp=True), "invalid_claim", "exp"),
    ("exp with a fraction", signed(exp=NOW + 600.5), "invalid_claim", "exp"),
    ("exp as a float", signed(exp=float(NOW + 600)), "invalid_claim", "exp"),
    ("exp negative", signed(exp=-1), "invalid_claim", "exp"),
    ("exp beyond 64 bits", signed(exp=2**64), "invalid_claim", "exp"),
    ("exp in a list", signed(exp=[NOW + 600]), "invalid_claim", "exp"),
    ("exp NaN", signed(claims().replace(b'"exp": ', b'"exp": NaN, "_": ')), "token_malformed", None),
    ("exp Infinity", signed(claims().replace(b'"exp": ', b'"exp": Infinity, "_": ')), "token_malformed", None),
    ("exp 1e400", signed(claims().replace(b'"exp": ', b'"exp": 1e400, "_": ')), "token_malformed", None),
    (
        "exp of 5000 digits",
        signed(claims().replace(b'"exp": ', b'"exp": ' + b"9" * 5000 + b', "_": ')),
        "token_malformed",
        None,
    ),
    ("exp with an exponent", signed(claims().replace(b'"exp": ', b'"exp": 2e9, "_": ')), "invalid_claim", "exp"),
    ("not valid before a time to come", signed(nbf=NOW + 31), "token_not_yet_valid", "nbf"),
    ("nbf in milliseconds", signed(nbf=NOW * 1000), "invalid_claim", "nbf"),
    ("nbf as text", signed(nbf=str(NOW)), "invalid_claim", "nbf"),
    ("nbf null", signed(nbf=None), "invalid_claim", "nbf"),
    ("issued in the future", signed(iat=NOW + 31), "token_not_yet_valid", "iat"),
    ("iat as text", signed(iat=str(NOW)), "invalid_claim", "iat"),
    ("iat with a fraction", signed(iat=NOW + 0.5), "invalid_claim", "iat"),
    ("sub a number", signed(sub=1), "invalid_claim", "sub"),
    ("sub a list", signed(sub=["u1"]), "invalid_claim", "sub"),
    ("sub an object", signed(sub={"id": "u1"}), "invalid_claim", "sub"),
    ("sub false", signed(sub=False), "invalid_claim", "sub"),
    ("jti a number", signed(jti=1), "invalid_claim", "jti"),
    ("client_id a number", signed(client_id=1), "invalid_claim", "client_id"),
    ("client_id a list", signed(client_id=["web"]), "invalid_claim", "client_id"),
    ("scope a list", signed(scope=["orders:read"]), "invalid_claim", "scope"),
    ("scope a number", signed(scope=1), "invalid_claim", "scope"),
    ("scope an object", signed(scope={"orders:read": True}), "invalid_claim", "scope"),
    ("scope with two spaces", signed(scope="orders:read  orders:write"), "invalid_claim", "scope"),
    ("scope with a tab", signed(scope="orders:read\torders:write"), "invalid_claim", "scope"),
    ("scope with a quotation mark", signed(scope='orders:read"'), "invalid_claim", "scope"),
    ("scope beyond ASCII", signed(scope="órders:read"), "invalid_claim", "scope"),
    ("sid a number", signed(sid=1), "invalid_claim", "sid"),
    ("an empty sid", signed(sid=""), "invalid_claim", "sid"),
    ("sub_epoch as text", signed(sub_epoch="1"), "invalid_claim", "sub_epoch"),
    ("a negative client_epoch", signed(client_epoch=-1), "invalid_claim", "client_epoch"),
    ("auth_time in milliseconds", signed(auth_time=NOW * 1000), "invalid_claim", "auth_time"),
    ("acr a number", signed(acr=1), "invalid_claim", "acr"),
    ("amr a text", signed(amr="pwd"), "invalid_claim", "amr"),
    ("roles a text", signed(roles="admin"), "invalid_claim", "roles"),
    ("roles an object", signed(roles={"admin": True}), "invalid_claim", "roles"),
    (
        "bound to a key by DPoP and presented plain",
        signed(cnf={"jkt": "A" * 43}),
        "proof_of_possession_required",
        "cnf",
    ),
    (
        "bound to a certificate and presented plain",
        signed(cnf={"x5t#S256": "A" * 43}),
        "proof_of_possession_required",
        "cnf",
    ),
    ("an empty cnf", signed(cnf={}), "proof_of_possession_required", "cnf"),
    ("cnf null", signed(cnf=None), "proof_of_possession_required", "cnf"),
    (
        "a number of 310 digits that nobody reads",
        signed(claims()[:-1] + b', "a": ' + b"9" * 310 + b"}"),
        "token_malformed",
        None,
    ),
    (
        "a fraction of 2000 digits",
        signed(claims()[:-1] + b', "a": 0.' + b"9" * 2000 + b"}"),
        "token_malformed",
        None,
    ),
    ("sub twice", signed(claims()[:-1] + b', "sub": "admin"}'), "duplicate_member", None),
    ("sub twice, once escaped", signed(claims()[:-1] + b', "s\\u0075b": "admin"}'), "duplicate_member", None),
    ("aud twice", signed(claims()[:-1] + b', "aud": "billing"}'), "duplicate_member", None),
    ("exp twice", signed(claims()[:-1] + b', "exp": 9999999999}'), "duplicate_member", None),
    (
        "a member twice in a claim nobody reads",
        signed(claims()[:-1] + b', "x": {"a": 1, "a": 2}}'),
        "duplicate_member",
        None,
    ),
    ("a byte order mark before the claims", signed(b"\xef\xbb\xbf" + claims()), "token_malformed", None),
    ("claims in UTF-16", signed(claims().decode().encode("utf-16")), "token_malformed", None),
    ("claims in Latin-1", signed(claims()[:-1] + b', "name": "Andr\xe9"}'), "token_malformed", None),
    ("an overlong UTF-8 spelling", signed(claims()[:-1] + b', "name": "\xc0\xae"}'), "token_malformed", None),
    ("a surrogate in UTF-8", signed(claims()[:-1] + b', "name": "\xed\xa0\x80"}'), "token_malformed", None),
    ("a lone surrogate escaped", signed(claims()[:-1] + b', "name": "\\ud800"}'), "token_malformed", None),
    ("a sub with a lone surrogate", signed(claims().replace(b'"u1"', b'"\\udfff"')), "token_malformed", None),
    ("claims that are a list", signed(b"[" + claims() + b"]"), "token_malformed", None),
    ("claims that are null", signed(b"null"), "token_malformed", None),
    ("no claims at all", signed(b""), "token_malformed", None),
    ("another token within, not encrypted", signed(GOOD.encode()), "token_malformed", None),
    ("something after the claims", signed(claims() + b"{}"), "token_malformed", None),
    ("claims in single quotes", signed(claims().replace(b'"', b"'")), "token_malformed", None),
    ("claims with a comma too many", signed(claims()[:-1] + b",}"), "token_malformed", None),
    ("a control character in a claim", signed(claims()[:-1] + b', "a": "\n"}'), "token_malformed", None),
    (
        "17 lists within one another",
        signed(claims()[:-1] + b', "a": ' + b"[" * 16 + b"]" * 16 + b"}"),
        "token_malformed",
        None,
    ),
    (
        "5000 lists within one another",
        signed(claims()[:-1] + b', "a": ' + b"[" * 5000 + b"]" * 5000 + b"}"),
        "token_malformed",
        None,
    ),
    (
        "2000 objects within one another",
        signed(claims()[:-1] + b', "a": ' + b'{"a":' * 2000 + b"1" + b"}" * 2001),
        "token_malformed",
        None,
    ),
]

HOSTILE = [*((*row, None) for row in (*SHAPE, *HEADER, *SIGNATURE, *KEYS)), *KIND, *CLAIM]

CONTROLS = [
    ("plain", GOOD),
    *((f"signed by {key.alg}", signed(key=key)) for key in (ED, RS, PS)),
    ("the type as a whole media type", signed(header={"typ": "application/at+jwt"})),
    ("the type in capitals", signed(header={"typ": "AT+JWT"})),
    ("no kid where one key of the algorithm is usable", signed(key=ED, header={"kid": ...})),
    (
        "addresses of keys that nobody asks",
        signed(header={"jku": "https://evil.example/", "x5u": "x", "x5c": ["AAAA"]}),
    ),
    ("an unknown member in the header", signed(header={"note": "x"})),
    (
        "spaces and line breaks in the JSON",
        signed(json.dumps(CLAIMS, indent=2).encode(), b'{ "alg":"ES256",\n"kid":"es","typ":"at+jwt" }'),
    ),
    ("members escaped", signed(claims().replace(b'"sub"', b'"s\\u0075b"'))),
    ("several audiences", signed(aud=["billing", "orders"])),
    ("no scope", signed(scope=...)),
    ("an empty scope", signed(scope="")),
    ("expired within the leeway", signed(exp=NOW - 29)),
    ("issued within the leeway ahead", signed(iat=NOW + 30, nbf=NOW + 30)),
    ("a sub beyond ASCII", signed(sub="ada-é-😀")),
    ("16 levels", signed(claims()[:-1] + b', "a": ' + b"[" * 15 + b"]" * 15 + b"}")),
    ("a number of 309 digits that nobody reads", signed(claims()[:-1] + b', "a": ' + b"9" * 309 + b"}")),
    ("a text of 2000 digits", signed(note="9" * 2000)),
    ("brackets within a text", signed(note="[" * 3000)),
    ("11 KiB of claims", signed(note="x" * 11_000)),
    ("a header of nearly 4 KiB", signed(header={"note": "x" * 2900})),
    ("other claims of every kind", signed(nonce="n", azp="web", tenant={"ids": [1, 2.5, None, True]})),
    ("claims that name an access token", signed(typ="Bearer", token_use="access")),
    ("a signature whose s is the greater: malleable by design", ecdsa(lambda r, s: two(r, max(s, P256_ORDER - s)))),
    ("and the lesser", ecdsa(lambda r, s: two(r, min(s, P256_ORDER - s)))),
]


def test_there_are_at_least_two_hundred_each_with_its_own_reason() -> None:
    assert len(HOSTILE) >= 200
    reasons = [why for why, *_ in (*HOSTILE, *CONTROLS)]
    assert len(reasons) == len(set(reasons))


@pytest.mark.parametrize(("token", "code", "claim"), [row[1:] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_hostile_token_is_refused_by_its_code(token: str, code: str, claim: str | None) -> None:
    for verify in (VERIFIER.verify, lambda presented: asyncio.run(VERIFIER.verify_async(presented))):
        with pytest.raises(InvalidToken) as refused:
            verify(token)
        assert (refused.value.code, refused.value.claim, refused.value.status) == (code, claim, 401)
        # The sentence is the code's own: nothing of the token is in it, and no cause that could hold it.
        assert refused.value.message == InvalidToken(code).message
        assert refused.value.__cause__ is None


@pytest.mark.parametrize("token", [row[1] for row in CONTROLS], ids=[row[0] for row in CONTROLS])
def test_a_control_passes(token: str) -> None:
    assert VERIFIER.verify(token).sub == asyncio.run(VERIFIER.verify_async(token)).sub


API_KEY = OKPKey.generate_key("X25519", {"use": "enc", "kid": "api", "alg": "ECDH-ES"})
(TO_THE_API,) = parse_encryption_jwks(json.dumps({"keys": [API_KEY.as_dict(private=False)]}).encode())
DECRYPTING = Verifier(
    ISSUER, "orders", jwks=JWKS, clock=lambda: NOW, decryption_jwks={"keys": [API_KEY.as_dict(private=True)]}
)
# What cannot be encrypted into a token of 16 KiB, or is another form of token there.
WITHIN = [
    (why, token, code)
    for why, token, code, _ in HOSTILE
    if isinstance(token, str) and token.isascii() and token and len(token) < 12_000 and code != "token_encrypted"
]


@pytest.mark.parametrize(("token", "code"), [row[1:] for row in WITHIN], ids=[row[0] for row in WITHIN])
def test_what_hides_in_an_encrypted_token_is_refused_by_the_same_code(token: str, code: str) -> None:
    with pytest.raises(InvalidToken) as refused:
        DECRYPTING.verify(encrypt_compact(token, key=TO_THE_API))
    assert refused.value.code == code


def test_a_control_passes_in_an_encrypted_token_and_not_beside_it() -> None:
    assert DECRYPTING.verify(encrypt_compact(GOOD, key=TO_THE_API)).sub == "u1"
    with pytest.raises(InvalidToken, match="token_not_encrypted"):
        DECRYPTING.verify(GOOD)
    with pytest.raises(InvalidToken, match="token_malformed"):
        DECRYPTING.verify(encrypt_compact(encrypt_compact(GOOD, key=TO_THE_API), key=TO_THE_API))


class Counting:
    """A key set whose keys count how often a signature is checked."""

    def __init__(self) -> None:
        self.checks = 0
        self.keys = KeySet([self._counted(key) for key in parse_jwks(json.dumps(JWKS).encode()).keys])

    def _counted(self, key: PublicKey) -> PublicKey:
        def verify(message: bytes, signature: bytes) -> bool:
            self.checks += 1
            return key.verify(message, signature)

        return PublicKey(kid=key.kid, alg=key.alg, verify=verify)


@pytest.mark.parametrize(("token", "code"), [row[1:3] for row in HOSTILE], ids=[row[0] for row in HOSTILE])
def test_a_refusal_checks_one_signature_at_most_and_reads_no_claim_before_it(token: str, code: str) -> None:
    counting = Counting()
    with pytest.raises(InvalidToken):
        check_access_token(
            signed_token(token, None),
            keys=counting.keys,
            issuer=ISSUER,
            audience="orders",
            algorithms=ALGORITHMS,
            leeway=30,
            now=NOW,
        )
    early = code in {"token_too_large", "token_encrypted", "critical_header", "algorithm_not_allowed", "unknown_key"}
    late = code in {
        "bad_signature",
        "missing_claim",
        "invalid_claim",
        "wrong_issuer",
        "wrong_audience",
        "token_expired",
    }
    assert counting.checks <= 1 - early
    assert counting.checks >= late


def test_what_is_read_before_a_signature_holds_is_4_kib_of_header() -> None:
    """Beyond it a forger's text is only split and hashed, so the largest costs little more than a verification."""
    for padding_octets in (3000, 3100, 4000, 11_000):
        header = {"alg": "ES256", "typ": "at+jwt", "kid": "nobody", "note": "x" * padding_octets}
        token = f"{b64(json.dumps(header).encode())}.{BODY}.{MAC}"
        with pytest.raises(InvalidToken) as refused:
            VERIFIER.verify(token)
        length = len(token.split(".", maxsplit=1)[0])
        assert refused.value.code == ("unknown_key" if length <= 4096 else "token_too_large")


def test_no_hostile_token_is_remembered() -> None:
    verifier = Verifier(ISSUER, "orders", jwks=JWKS, clock=lambda: NOW)
    for _, token, *_ in HOSTILE:
        with pytest.raises(TokenRefused):
            verifier.verify(token)
    assert verifier.status().remembered_tokens == 0
    assert verifier.verify(GOOD).sub == "u1"
    assert verifier.status().remembered_tokens == 1


def test_the_keys_that_no_token_passes_under_are_named_with_their_reason() -> None:
    status = VERIFIER.status()
    assert status.keys == ("es", "ed", "rs", "ps")
    assert len(status.skipped_keys) == 8
