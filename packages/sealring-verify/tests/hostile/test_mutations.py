"""Tokens changed at random, through a real verifier: none passes, and nothing but a refusal comes of any."""

import json
import random
from collections import Counter

import pytest

from sealring_verify import InvalidToken, Verifier
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key, make_secret_key
from sealring_verify.jose.jws import sign_compact

NOW = 1_795_000_000
ISSUER = "https://id.example.com"
KEYS = [generate_private_key(alg, kid=alg) for alg in ("ES256", "Ed25519", "RS256", "PS256")]
SECRET = b"a secret of the tests, 32 octets"
CLAIMS = {
    "iss": ISSUER,
    "sub": "u1",
    "aud": ["orders", "billing"],
    "exp": NOW + 600,
    "iat": NOW,
    "jti": "j1",
    "client_id": "web",
    "scope": "orders:read orders:write",
    "sid": "s1",
    "tenant": {"ids": [1, 2]},
}
SIGNED = Verifier(ISSUER, "orders", jwks={"keys": [key.public_jwk() for key in KEYS]}, clock=lambda: NOW)
SHARED = Verifier(ISSUER, "orders", symmetric_secrets=[SECRET], clock=lambda: NOW)
TOKENS = [
    (verifier, sign_compact(json.dumps(CLAIMS).encode(), key=key, header=base64url.encode(header)))
    for verifier, key in [*((SIGNED, key) for key in KEYS), (SHARED, make_secret_key(SECRET, kid="x"))]
    for header in (
        json.dumps({"alg": key.alg, "typ": "at+jwt", "kid": key.kid}).encode(),
        json.dumps({"typ": "application/at+jwt", "alg": key.alg, "note": "é", "kid": key.kid}, indent=1).encode(),
    )
]
LETTERS = "ABQgwxyz0189-_.=+/!~ \t\n\0\x7f\xe9\u3002\ud800\U0001f600"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
JSON_PIECES = [
    b'"alg":"none"',
    b'"crit":[]',
    b'"exp":',
    b"null",
    b"[",
    b"{",
    b"}",
    b",",
    b'"',
    b"\\u0000",
    b"\xff",
    b"1e999",
]
MANY = 40_000
MILLION = 1_000_000


def replaced(token: str, dice: random.Random) -> str:
    place = dice.randrange(len(token))
    letter = dice.choice(ALPHABET if dice.random() < 0.7 else LETTERS)
    return token[:place] + letter + token[place + 1 :]


def flipped(token: str, dice: random.Random) -> str:
    place = dice.randrange(len(token))
    return token[:place] + chr(ord(token[place]) ^ 1 << dice.randrange(8)) + token[place + 1 :]


def inserted(token: str, dice: random.Random) -> str:
    place = dice.randrange(len(token) + 1)
    return token[:place] + "".join(dice.choices(LETTERS, k=dice.randint(1, 4))) + token[place:]


def deleted(token: str, dice: random.Random) -> str:
    place = dice.randrange(len(token))
    return token[:place] + token[place + dice.randint(1, 8) :]


def repeated(token: str, dice: random.Random) -> str:
    begin, end = sorted(dice.randrange(len(token) + 1) for _ in range(2))
    return token[:end] + token[begin:end] * dice.randint(1, 3) + token[end:]


def spliced(token: str, dice: random.Random) -> str:
    """Take each part from any of the tokens."""
    parts = [dice.choice(TOKENS)[1].split(".")[place] for place in range(3)]
    return ".".join(parts) if dice.random() < 0.9 else ".".join(dice.sample([*parts, *token.split(".")], 4))


def rewritten(token: str, dice: random.Random) -> str:
    """Change the JSON within the header or the payload, and encode it well."""
    parts = token.split(".")
    which = dice.randrange(2)
    octets = bytearray(base64url.decode(parts[which].encode()))
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(octets))
        if dice.random() < 0.5:
            octets[place:place] = dice.choice(JSON_PIECES)
        else:
            octets[place] = dice.randrange(256)
    parts[which] = base64url.encode(bytes(octets)).decode()
    return ".".join(parts)


def resigned(token: str, dice: random.Random) -> str:
    """Change the octets of the signature, and encode them well."""
    head, _, signature = token.rpartition(".")
    octets = bytearray(base64url.decode(signature.encode()))
    octets[dice.randrange(len(octets))] ^= 1 << dice.randrange(8)
    if dice.random() < 0.2:
        octets = octets[: dice.randrange(len(octets))]
    return f"{head}.{base64url.encode(bytes(octets)).decode()}"


OF_OCTETS = [rewritten, resigned]
OF_TEXT = [replaced, flipped, inserted, deleted, repeated, spliced]


def altered(token: str, dice: random.Random) -> str:
    if dice.random() < 0.4:
        token = dice.choice(OF_OCTETS)(token, dice)
        if dice.random() < 0.8:
            return token
    token = dice.choice(OF_TEXT)(token, dice)
    while dice.random() < 0.2 and token.count(".") == 2:
        token = dice.choice(OF_TEXT)(token, dice)
    return token


def mutate(count: int, seed: int) -> Counter[str]:
    """Verify `count` mutations, and count how they ended. Anything but a refusal ends the test."""
    dice = random.Random(seed)  # noqa: S311 - a mutation, not a secret
    genuine = {(id(verifier), token) for verifier, token in TOKENS}
    outcomes: Counter[str] = Counter()
    for _ in range(count):
        verifier, token = dice.choice(TOKENS)
        mutated = altered(token, dice)
        try:
            verifier.verify(mutated)
        except InvalidToken as refusal:
            outcomes[refusal.code] += 1
            assert (id(verifier), mutated) not in genuine, "a genuine token was refused"
        else:
            outcomes["unchanged"] += 1
            assert (id(verifier), mutated) in genuine, f"an altered token passed, seed {seed}: {mutated!r}"
    return outcomes


def check(outcomes: Counter[str], count: int) -> None:
    """Hold that the mutations reached every step before the signature, and that most were mutations at all."""
    assert outcomes.total() == count
    assert outcomes["unchanged"] < count / 20
    assert {"token_malformed", "bad_signature", "algorithm_not_allowed", "unknown_key"} <= outcomes.keys()
    assert outcomes["bad_signature"] > count / 10


def test_no_altered_token_passes_and_nothing_else_is_raised() -> None:
    check(mutate(MANY, 20261125), MANY)


@pytest.mark.long
def test_nor_does_one_of_a_million() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(20):
        outcomes += mutate(MILLION // 20, seed)
    check(outcomes, MILLION)
