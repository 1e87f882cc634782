"""The signature algorithms: ES256, RS256, PS256, HS256 (RFC 7518 §3) and Ed25519 (RFC 8037, RFC 9864).

A key has one algorithm (RFC 8725 §3.1), so signing and verifying are bound to key material once, when a key is read.
"""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sealring_verify.jose.roca import has_roca_fingerprint

ALGORITHMS = frozenset({"ES256", "Ed25519", "PS256", "RS256"})
"""What a key that was fetched may do. Never HS256: whoever verifies with such a key can mint (RFC 8725 §3.1)."""

OTHER_NAMES = {"EdDSA": "Ed25519"}
"""Names that do not say it all (RFC 9864 §3.1.2), and what they mean here: taken where the verifier lists them."""

PrivateMaterial = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
PublicMaterial = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey
Sign = Callable[[bytes], bytes]
"""message -> signature: 32 octets for HS256, 64 for ES256 and Ed25519, as many as the modulus has for RSA."""
Verify = Callable[[bytes, bytes], bool]
"""message, signature -> whether it holds; whatever the octets, it never raises."""

MINIMUM_SECRET_OCTETS = 32  # RFC 7518 §3.2: as long as the hash, or longer
MINIMUM_RSA_BITS = 2048  # RFC 7518 §3.3, §3.5: "A key of size 2048 bits or larger MUST be used"

_ECDSA_SHA256 = ec.ECDSA(SHA256())
_P256_ORDER = bytes.fromhex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551")
_ZERO = bytes(32)
# What stands before two numbers of 32 octets in DER: a number whose first bit is one gets a zero octet.
_DER_HEADS = {
    (0, 0): (b"0D\x02 ", b"\x02 "),
    (0, 1): (b"0E\x02 ", b"\x02!\x00"),
    (1, 0): (b"0E\x02!\x00", b"\x02 "),
    (1, 1): (b"0F\x02!\x00", b"\x02!\x00"),
}
_PKCS1 = padding.PKCS1v15()
# RFC 7518 §3.5: MGF1 with the same hash, and a salt as long as its output; no other length is taken.
_PSS = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
_SHA256 = SHA256()
# 2048 bits, not 3072: a key of ours signs for weeks, a signature costs a third, and 256 octets fit a token's budget.
_FRESH_RSA_BITS = 2048
_MAXIMUM_RSA_BITS = 8192  # a larger modulus only costs whoever verifies
_MAXIMUM_RSA_EXPONENT = 2**32


def generate_private_key(alg: str) -> PrivateMaterial:
    """Make fresh key material from the operating system's randomness. ValueError for an unknown algorithm."""
    match alg:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "RS256" | "PS256":
            return rsa.generate_private_key(public_exponent=65537, key_size=_FRESH_RSA_BITS)
        case _:
            raise ValueError(f"no such signature algorithm: {alg}")


def algorithms_of(material: object) -> frozenset[str]:
    """Name the algorithms that key material, private or public, may be used with here."""
    if isinstance(material, ec.EllipticCurvePrivateKey | ec.EllipticCurvePublicKey):
        return frozenset({"ES256"} if isinstance(material.curve, ec.SECP256R1) else ())
    if isinstance(material, ed25519.Ed25519PrivateKey | ed25519.Ed25519PublicKey):
        return frozenset({"Ed25519"})
    if isinstance(material, rsa.RSAPrivateKey | rsa.RSAPublicKey) and material.key_size >= MINIMUM_RSA_BITS:
        return frozenset({"RS256", "PS256"})
    return frozenset()


def make_rsa_public_key(modulus: int, exponent: int) -> rsa.RSAPublicKey:
    """Make an RSA key of its numbers. ValueError for a key that is too weak, or so large that only verifiers suffer."""
    if not MINIMUM_RSA_BITS <= modulus.bit_length() <= _MAXIMUM_RSA_BITS:
        raise ValueError(f"its modulus has {modulus.bit_length()} bits: {MINIMUM_RSA_BITS} or more are needed")
    if not 3 <= exponent <= _MAXIMUM_RSA_EXPONENT or not exponent & 1 or not modulus & 1:
        raise ValueError("its modulus and exponent are not those of an RSA key")
    if has_roca_fingerprint(modulus):
        raise ValueError("its modulus was made by a weak generator (ROCA, CVE-2017-15361), and can be factored")
    return rsa.RSAPublicNumbers(exponent, modulus).public_key()


def bind_sign(material: PrivateMaterial, alg: str) -> Sign:
    """Make the signing function of material that `alg` may be used with."""
    if isinstance(material, ed25519.Ed25519PrivateKey):
        return material.sign
    if isinstance(material, rsa.RSAPrivateKey):
        return _bind_sign_rsa(material, alg)
    raw_sign = material.sign

    def sign_es256(message: bytes) -> bytes:
        r, s = decode_dss_signature(raw_sign(message, _ECDSA_SHA256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign_es256


def bind_verify(material: PublicMaterial, alg: str) -> Verify:
    """Make the verifying function of material that `alg` may be used with."""
    if isinstance(material, rsa.RSAPublicKey):
        return _bind_verify_rsa(material, alg)
    raw_verify: Callable[..., None] = material.verify

    def verify_es256(message: bytes, signature: bytes) -> bool:
        # RFC 7518 §3.4: exactly 64 octets, r then s, each in 1..n-1. DER or longer integers are other spellings.
        r, s = signature[:32], signature[32:]
        if len(s) != 32 or not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):
            return False
        try:
            raw_verify(_der_signature(r, s), message, _ECDSA_SHA256)
        except InvalidSignature:
            return False
        return True

    def verify_ed25519(message: bytes, signature: bytes) -> bool:
        try:
            raw_verify(signature, message)
        except InvalidSignature:
            return False
        return True

    return verify_ed25519 if isinstance(material, ed25519.Ed25519PublicKey) else verify_es256


def _der_signature(r: bytes, s: bytes) -> bytes:
    """Write two positive integers of 32 octets as `cryptography` wants them (RFC 3279 §2.2.3).

    It takes a third of the time that the library's own way over numbers does.
    """
    if r[0] and s[0]:  # but for one in 128
        before_r, before_s = _DER_HEADS[r[0] >> 7, s[0] >> 7]
        return before_r + r + before_s + s
    r, s = _der_integer(r), _der_integer(s)
    return b"0%c%b%b" % (len(r) + len(s), r, s)


def _der_integer(octets: bytes) -> bytes:
    digits = octets.lstrip(b"\x00")
    if digits[0] >= 0x80:
        digits = b"\x00" + digits
    return b"\x02%c%b" % (len(digits), digits)


def bind_secret(secret: bytes) -> tuple[Sign, Verify]:
    """Make the signing and the verifying function of an HS256 secret. ValueError for one under 32 octets."""
    if len(secret) < MINIMUM_SECRET_OCTETS:
        raise ValueError(f"an HS256 secret has {MINIMUM_SECRET_OCTETS} octets or more, not {len(secret)}")

    def sign_hs256(message: bytes) -> bytes:
        return hmac.digest(secret, message, hashlib.sha256)

    def verify_hs256(message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(sign_hs256(message), signature)

    return sign_hs256, verify_hs256


def _bind_sign_rsa(material: rsa.RSAPrivateKey, alg: str) -> Sign:
    scheme: padding.PKCS1v15 | padding.PSS = _PSS if alg == "PS256" else _PKCS1
    return lambda message: material.sign(message, scheme, _SHA256)


def _bind_verify_rsa(material: rsa.RSAPublicKey, alg: str) -> Verify:
    scheme: padding.PKCS1v15 | padding.PSS = _PSS if alg == "PS256" else _PKCS1
    octets = (material.key_size + 7) // 8
    raw_verify = material.verify

    def verify_rsa(message: bytes, signature: bytes) -> bool:
        # RFC 8017 §8.1.2, §8.2.2: a signature is as long as the modulus, leading zeros included.
        if len(signature) != octets:
            return False
        try:
            raw_verify(signature, message, scheme, _SHA256)
        except InvalidSignature:
            return False
        return True

    return verify_rsa
