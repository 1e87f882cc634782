import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from sealring_verify.jose.algorithms import (
    ALGORITHMS,
    algorithm_of,
    bind_sign,
    bind_verify,
    generate_private_key,
)

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_a_signature_holds_for_its_message_and_key_alone(alg: str) -> None:
    key, other = generate_private_key(alg), generate_private_key(alg)
    signature = bind_sign(key)(b"message")
    verify = bind_verify(key.public_key())
    assert len(signature) == 64
    assert verify(b"message", signature)
    assert not verify(b"messagE", signature)
    assert not bind_verify(other.public_key())(b"message", signature)
    for octets in (b"", signature[:-1], signature + b"\0", bytes(64), b"\xff" * 64, bytes(1000)):
        assert not verify(b"message", octets)


def test_es256_signatures_are_64_octets_with_both_numbers_in_range() -> None:
    key = generate_private_key("ES256")
    signature = bind_sign(key)(b"m")
    verify = bind_verify(key.public_key())
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")

    def spelled(r: int, s: int, size: int = 32) -> bytes:
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    assert verify(b"m", spelled(r, s))
    assert verify(b"m", spelled(r, _ORDER - s)), "malleable by design: nothing may hang on a token's own digest"
    assert not verify(b"m", encode_dss_signature(r, s)), "DER"
    assert not verify(b"m", spelled(r, s, 33))
    for wrong in (spelled(0, s), spelled(r, 0), spelled(0, 0), spelled(_ORDER, s), spelled(r, _ORDER)):
        assert not verify(b"m", wrong)
    if s + _ORDER < 2**256:
        assert not verify(b"m", spelled(r, s + _ORDER))


def test_short_numbers_keep_their_leading_zeros() -> None:
    sign = bind_sign(generate_private_key("ES256"))
    # One signature in 128 has a number of 31 octets or fewer.
    assert {len(sign(b"m%d" % i)) for i in range(600)} == {64}


def test_only_p256_and_ed25519_material_has_an_algorithm() -> None:
    assert algorithm_of(ec.generate_private_key(ec.SECP256R1())) == "ES256"
    assert algorithm_of(ed25519.Ed25519PrivateKey.generate()) == "Ed25519"
    assert algorithm_of(ec.generate_private_key(ec.SECP384R1())) is None
    assert algorithm_of(ec.generate_private_key(ec.SECP256K1())) is None
    assert algorithm_of(rsa.generate_private_key(65537, 2048)) is None
    assert algorithm_of(object()) is None


@pytest.mark.parametrize("alg", ["none", "HS256", "RS256", "es256", "EdDSA", ""])
def test_no_key_is_made_for_an_algorithm_that_does_not_exist_here(alg: str) -> None:
    with pytest.raises(ValueError, match="no such"):
        generate_private_key(alg)
