"""Whole tokens, good and bad, through our verifier, PyJWT and joserfc: what we accept, both accept and read alike."""

import json
import random
from collections import Counter
from typing import Any

import joserfc.errors
import joserfc.jwk
import joserfc.jws
import joserfc.jwt
import jwt
import pytest

from sealring_verify import InvalidToken, Verifier
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import PrivateKey, SecretKey, generate_private_key, make_secret_key
from sealring_verify.jose.jws import sign_compact

NOW = 1_795_000_000
ISSUER = "https://id.example.com"
SECRET = b"a secret of the tests, 32 octets"
KEYS: dict[str, PrivateKey | SecretKey] = {
    **{alg: generate_private_key(alg, kid=alg) for alg in ("ES256", "Ed25519", "RS256", "PS256")},
    "HS256": make_secret_key(SECRET, kid="HS256"),
}
ASYMMETRIC = {"keys": [key.public_jwk() for key in KEYS.values() if isinstance(key, PrivateKey)]}
SIGNED = Verifier(ISSUER, "orders", jwks=ASYMMETRIC, leeway=0, clock=lambda: NOW)
SHARED = Verifier(ISSUER, "orders", symmetric_secrets=[SECRET], leeway=0, clock=lambda: NOW)
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
VALUES = [
    "",
    "u1",
    ISSUER,
    "orders",
    ["orders"],
    ["orders", "x"],
    [],
    0,
    1,
    -1,
    NOW,
    NOW + 1,
    NOW + 0.5,
    2**70,
    True,
    None,
    {},
]
HEADERS = ["at+jwt", "JWT", "", "ES256", "none", "HS256", None, 1, [], ["exp"], {"kty": "EC"}, "ES256 "]


def ours(token: str, alg: str) -> dict[str, Any] | None:
    try:
        access_token = (SHARED if alg == "HS256" else SIGNED).verify(token)
    except InvalidToken:
        return None
    return {"sub": access_token.sub, "exp": access_token.exp, "aud": list(access_token.aud)}


def members(claims: dict[str, Any]) -> dict[str, Any]:
    aud = claims["aud"]
    return {"sub": claims["sub"], "exp": claims["exp"], "aud": [aud] if isinstance(aud, str) else aud}


def pyjwt(token: str, alg: str) -> dict[str, Any] | None:
    key = SECRET if alg == "HS256" else jwt.PyJWK({**public(alg), "alg": theirs(alg)}).key
    required = {"require": ["exp", "iat", "iss", "aud", "sub", "jti"], "verify_exp": False, "verify_iat": False}
    try:
        read = jwt.decode(token, key, [theirs(alg)], options=required, audience="orders", issuer=ISSUER)
    except jwt.PyJWTError:
        return None
    return members(read) if isinstance(read["exp"], int) and read["exp"] > NOW else None


def theirs(alg: str) -> str:
    return "EdDSA" if alg == "Ed25519" else alg


def public(alg: str) -> dict[str, str]:
    key = KEYS[alg]
    assert isinstance(key, PrivateKey)
    return key.public_jwk()


def by_joserfc(token: str, alg: str) -> dict[str, Any] | None:
    key = joserfc.jwk.OctKey.import_key(SECRET) if alg == "HS256" else joserfc.jwk.import_key(public(alg))
    rules = joserfc.jwt.JWTClaimsRegistry(
        now=NOW,
        leeway=0,
        iss={"essential": True, "value": ISSUER},
        aud={"essential": True, "value": "orders"},
        exp={"essential": True},
        sub={"essential": True},
    )
    try:
        read = joserfc.jwt.decode(token, key, [alg])
        rules.validate(read.claims)
    except (joserfc.errors.JoseError, TypeError, ValueError):  # both of the latter escape from it for odd headers
        return None
    return members(read.claims)


def made(dice: random.Random) -> tuple[str, str]:
    """Sign claims and a header in which up to two members are off."""
    alg = dice.choice(list(KEYS))
    header: dict[str, Any] = {"alg": alg, "typ": "at+jwt", "kid": alg}
    claims = dict(CLAIMS)
    for _ in range(dice.choice((0, 1, 1, 2))):
        if dice.random() < 0.3:
            name = dice.choice(["alg", "typ", "kid", "crit", "b64", "jwk", "cty"])
            change(header, name, dice.choice(HEADERS), dice)
        else:
            change(claims, dice.choice([*CLAIMS, "nbf", "sid", "cnf", "events", "other"]), dice.choice(VALUES), dice)
    spaced = dice.choice(((",", ":"), (", ", ": "), (",\n", ":")))
    texts = [json.dumps(part, separators=spaced).encode() for part in (header, claims)]
    if dice.random() < 0.1:
        which = dice.randrange(2)
        texts[which] = texts[which].replace(b"{", b'{"sub":"eve",' if which else b'{"alg":"none",', 1)
    return sign_compact(texts[1], key=KEYS[alg], header=base64url.encode(texts[0])), alg


def change(part: dict[str, Any], name: str, value: object, dice: random.Random) -> None:
    if dice.random() < 0.2:
        part.pop(name, None)
    else:
        part[name] = value


@pytest.mark.parametrize("seed", range(4))
def test_what_we_accept_both_others_accept_and_read_alike(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 - test data
    seen: Counter[str] = Counter()
    for _ in range(600):
        token, alg = made(dice)
        read = ours(token, alg)
        others = (unlabelled(token, alg), by_joserfc(token, alg))
        if read is not None:
            assert others == (read, read), (seed, token)
        seen["accepted" if read is not None else "stricter" if others != (None, None) else "refused"] += 1
    assert min(seen.values()) > 60, seen


def unlabelled(token: str, alg: str) -> dict[str, Any] | None:
    """Ask PyJWT, which has no name but EdDSA for Ed25519: there a token of that name is signed anew with the other."""
    if alg != "Ed25519":
        return pyjwt(token, alg)
    head, payload, _ = token.split(".")
    header = base64url.decode(head.encode()).replace(b"Ed25519", b"EdDSA", 1)
    renamed = sign_compact(base64url.decode(payload.encode()), key=KEYS[alg], header=base64url.encode(header))
    return pyjwt(renamed, alg)


def test_tokens_of_the_others_are_read_by_us() -> None:
    for alg, key in KEYS.items():
        header = {"alg": alg, "typ": "at+jwt", "kid": alg}
        secret = joserfc.jwk.OctKey.import_key(SECRET) if isinstance(key, SecretKey) else private(key)
        assert ours(joserfc.jwt.encode(header, CLAIMS, secret, [alg]), alg) == members(CLAIMS)
        if alg != "Ed25519":
            material = SECRET if isinstance(key, SecretKey) else key.material
            token = jwt.encode(CLAIMS, material, algorithm=alg, headers={"typ": "at+jwt", "kid": alg})
            assert ours(token, alg) == members(CLAIMS)


def private(key: PrivateKey) -> Any:  # noqa: ANN401 - one of three types
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = key.material.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return joserfc.jwk.import_key(pem, {"EC": "EC", "OKP": "OKP", "RSA": "RSA"}[key.public_jwk()["kty"]])
