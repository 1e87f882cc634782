import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose import base64url
from sealring_verify.jose.algorithms import (
    ALGORITHMS,
    algorithms_of,
    bind_secret,
    bind_sign,
    bind_verify,
    generate_private_key,
    make_rsa_public_key,
)

_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_a_signature_holds_for_its_message_and_key_alone(alg: str) -> None:
    key, other = generate_private_key(alg), generate_private_key(alg)
    signature = bind_sign(key, alg)(b"message")
    verify = bind_verify(key.public_key(), alg)
    assert len(signature) == (256 if alg in {"RS256", "PS256"} else 64)
    assert verify(b"message", signature)
    assert not verify(b"messagE", signature)
    assert not bind_verify(other.public_key(), alg)(b"message", signature)
    for octets in (b"", signature[:-1], signature + b"\0", bytes(64), b"\xff" * 64, bytes(1000)):
        assert not verify(b"message", octets)


def test_es256_signatures_are_64_octets_with_both_numbers_in_range() -> None:
    key = generate_private_key("ES256")
    signature = bind_sign(key, "ES256")(b"m")
    verify = bind_verify(key.public_key(), "ES256")
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
    sign = bind_sign(generate_private_key("ES256"), "ES256")
    # One signature in 128 has a number of 31 octets or fewer.
    assert {len(sign(b"m%d" % i)) for i in range(600)} == {64}


NUMBERS = st.integers(1, _ORDER - 1) | st.integers(0, 255).map(lambda bits: max(1, (1 << bits) % _ORDER))


@given(r=NUMBERS, s=NUMBERS)
def test_numbers_are_handed_on_as_the_library_itself_writes_them(r: int, s: int) -> None:
    handed: list[bytes] = []

    class Recorder:
        def verify(self, signature: bytes, *_: object) -> None:
            handed.append(signature)

    verify = bind_verify(Recorder(), "ES256")  # type: ignore[arg-type] # the one method that is called
    assert verify(b"m", r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    assert handed == [encode_dss_signature(r, s)]


def test_only_p256_ed25519_and_rsa_of_2048_bits_have_algorithms() -> None:
    assert algorithms_of(ec.generate_private_key(ec.SECP256R1())) == {"ES256"}
    assert algorithms_of(ed25519.Ed25519PrivateKey.generate()) == {"Ed25519"}
    assert algorithms_of(rsa.generate_private_key(65537, 2048)) == {"RS256", "PS256"}
    assert not algorithms_of(rsa.generate_private_key(65537, 1024))  # noqa: S505 -- too short is the point
    assert not algorithms_of(ec.generate_private_key(ec.SECP384R1()))
    assert not algorithms_of(ec.generate_private_key(ec.SECP256K1()))
    assert not algorithms_of(object())


def test_rs256_and_ps256_signatures_of_one_rsa_key_do_not_stand_for_each_other() -> None:
    key = rsa.generate_private_key(65537, 2048)
    for alg, other in (("RS256", "PS256"), ("PS256", "RS256")):
        signature = bind_sign(key, alg)(b"m")
        assert bind_verify(key.public_key(), alg)(b"m", signature)
        assert not bind_verify(key.public_key(), other)(b"m", signature)


def test_a_pss_salt_of_another_length_is_refused() -> None:
    key = rsa.generate_private_key(65537, 2048)
    for length in (0, 20, padding.PSS.MAX_LENGTH):
        signature = key.sign(b"m", padding.PSS(padding.MGF1(SHA256()), length), SHA256())
        assert not bind_verify(key.public_key(), "PS256")(b"m", signature)


@pytest.mark.parametrize(
    ("modulus", "exponent"),
    [(2**2046 + 1, 65537), (2**8192 + 1, 65537), (2**2047, 65537), (2**2047 + 1, 2**33 + 1), (2**2047 + 1, 4), (0, 0)],
)
def test_an_rsa_key_that_is_weak_or_wasteful_is_refused(modulus: int, exponent: int) -> None:
    with pytest.raises(ValueError, match="its modulus"):
        make_rsa_public_key(modulus, exponent)
    assert make_rsa_public_key(2**2047 + 1, 65537).key_size == 2048


def test_an_hs256_signature_holds_under_its_secret_alone() -> None:
    sign, verify = bind_secret(bytes(32))
    signature = sign(b"m")
    assert len(signature) == 32
    assert verify(b"m", signature)
    assert not verify(b"n", signature)
    assert not bind_secret(b"\1" * 32)[1](b"m", signature)
    for octets in (b"", signature[:-1], signature + b"\0", bytes(32)):
        assert not verify(b"m", octets)
    with pytest.raises(ValueError, match="32 octets"):
        bind_secret(bytes(31))


def test_an_hs256_mac_is_that_of_rfc_7515_appendix_a_1() -> None:
    secret = base64url.decode(b"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow")
    message = (
        b"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9"
        b".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    )
    assert bind_secret(secret)[1](message, base64url.decode(b"dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "es256", "EdDSA", ""])
def test_no_key_is_made_for_an_algorithm_that_does_not_exist_here(alg: str) -> None:
    with pytest.raises(ValueError, match="no such"):
        generate_private_key(alg)
