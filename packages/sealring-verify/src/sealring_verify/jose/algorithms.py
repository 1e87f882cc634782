"""The signature algorithms: ES256 (RFC 7518 §3.4) and Ed25519 (RFC 8037, RFC 9864).

A key has one algorithm (RFC 8725 §3.1), so signing and verifying are bound to key material once, when a key is read.
"""

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHMS = frozenset({"ES256", "Ed25519"})

PrivateMaterial = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicMaterial = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey
Sign = Callable[[bytes], bytes]
"""message -> signature, 64 octets for both algorithms."""
Verify = Callable[[bytes, bytes], bool]
"""message, signature -> whether it holds; whatever the octets, it never raises."""

_ECDSA_SHA256 = ec.ECDSA(SHA256())
_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def generate_private_key(alg: str) -> PrivateMaterial:
    """Make fresh key material from the operating system's randomness. ValueError for an unknown algorithm."""
    match alg:
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case _:
            raise ValueError(f"no such signature algorithm: {alg}")


def algorithm_of(material: object) -> str | None:
    """Name the one algorithm that private key material signs with here, if there is one."""
    if isinstance(material, ec.EllipticCurvePrivateKey) and isinstance(material.curve, ec.SECP256R1):
        return "ES256"
    return "Ed25519" if isinstance(material, ed25519.Ed25519PrivateKey) else None


def bind_sign(material: PrivateMaterial) -> Sign:
    """Make the signing function of P-256 or Ed25519 material."""
    if isinstance(material, ed25519.Ed25519PrivateKey):
        return material.sign
    raw_sign = material.sign

    def sign_es256(message: bytes) -> bytes:
        r, s = decode_dss_signature(raw_sign(message, _ECDSA_SHA256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    return sign_es256


def bind_verify(material: PublicMaterial) -> Verify:
    """Make the verifying function of P-256 or Ed25519 material."""

    def verify_es256(message: bytes, signature: bytes) -> bool:
        # RFC 7518 §3.4: exactly 64 octets, r then s, each in 1..n-1. DER or longer integers are other spellings.
        if len(signature) != 64:
            return False
        r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
        in_range = 0 < r < _P256_ORDER and 0 < s < _P256_ORDER
        return in_range and _holds(material.verify, encode_dss_signature(r, s), message, _ECDSA_SHA256)

    def verify_ed25519(message: bytes, signature: bytes) -> bool:
        return _holds(material.verify, signature, message)

    return verify_ed25519 if isinstance(material, ed25519.Ed25519PublicKey) else verify_es256


def _holds(check: Callable[..., None], *arguments: object) -> bool:
    try:
        check(*arguments)
    except InvalidSignature:
        return False
    return True
