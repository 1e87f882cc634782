import json
import math
import random

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import make_rsa_public_key
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.jose.roca import has_roca_fingerprint

PRIMES = [number for number in range(2, 702) if all(number % divisor for divisor in range(2, number))]
PRODUCT = math.prod(PRIMES)


def weak_prime(dice: random.Random, bits: int) -> int:
    """Make a prime as the weak generator did: k · M + (65537^a mod M)."""
    while True:
        number = dice.getrandbits(bits - PRODUCT.bit_length()) * PRODUCT + pow(65537, dice.getrandbits(64), PRODUCT)
        if number.bit_length() == bits and pow(3, number - 1, number) == 1:
            return number


def test_keys_of_the_weak_generator_bear_the_fingerprint() -> None:
    dice = random.Random(20171015)  # noqa: S311 - a weak key is the point
    assert len(PRIMES) == 126
    for _ in range(3):
        modulus = weak_prime(dice, 1024) * weak_prime(dice, 1024)
        assert has_roca_fingerprint(modulus)
        assert not has_roca_fingerprint(modulus + 2)


def test_such_a_key_is_skipped_and_the_others_of_its_set_are_not() -> None:
    dice = random.Random(1)  # noqa: S311 - as above
    modulus = weak_prime(dice, 1040) * weak_prime(dice, 1040)
    with pytest.raises(ValueError, match="ROCA"):
        make_rsa_public_key(modulus, 65537)
    sound = rsa.generate_private_key(65537, 2048).public_key().public_numbers().n
    keys = parse_jwks(json.dumps({"keys": [_rsa(modulus, "weak"), _rsa(sound, "sound")]}).encode())
    assert [key.kid for key in keys.keys] == ["sound"]
    assert "ROCA" in keys.skipped[0]


def test_other_moduli_bear_no_fingerprint() -> None:
    dice = random.Random(7)  # noqa: S311 - a sample, no secret
    assert not any(has_roca_fingerprint(dice.getrandbits(2048) | 1) for _ in range(2_000))


def _rsa(modulus: int, kid: str) -> dict[str, str]:
    octets = modulus.to_bytes((modulus.bit_length() + 7) // 8, "big")
    return {"kty": "RSA", "n": base64url.encode(octets).decode(), "e": "AQAB", "kid": kid}
