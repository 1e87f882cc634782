"""JSON Web Keys (RFC 7517): read, written, named by thumbprint (RFC 7638). Private members are never written."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import cast

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.hazmat.primitives.serialization import load_der_private_key as load_der

from sealring_verify.jose import algorithms, base64url

# RFC 7638 §3.2, RFC 8037 §2: the members that make a key what it is, in lexicographic order.
_THUMBPRINT_MEMBERS = {"EC": ("crv", "kty", "x", "y"), "OKP": ("crv", "kty", "x"), "RSA": ("e", "kty", "n")}
_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MAX_KID_LENGTH = 256
_PEM_LABEL = re.compile(rb"-----BEGIN ([A-Z0-9 ]{1,64})-----")
_PEM_BLOCK = re.compile(rb"-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,16384}-----END PUBLIC KEY-----")


class PrivateKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that signs: `kid`, its one `alg`, and `sign` (message -> signature). Its repr shows no secret."""

    kid: str
    alg: str
    material: algorithms.PrivateMaterial
    sign: algorithms.Sign

    def public_jwk(self) -> dict[str, str]:
        """Give the public half as a JWK, ready for a JWKS."""
        return public_jwk(self.material.public_key(), kid=self.kid, alg=self.alg)

    def __repr__(self) -> str:
        return f"PrivateKey(kid={self.kid!r}, alg={self.alg!r})"


class PublicKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key that verifies: `kid` (if it has one), its one `alg`, and `verify` (message, signature -> bool)."""

    kid: str | None
    alg: str
    verify: algorithms.Verify


class SecretKey(msgspec.Struct, frozen=True, kw_only=True):
    """An HS256 key, which signs and verifies: whoever holds it can mint. Its repr shows no secret.

    It is made from a secret by `make_secret_key` and from nothing else: no JWK set and no token yields one.
    """

    kid: str
    sign: algorithms.Sign
    verify: algorithms.Verify
    alg: str = "HS256"

    def verifying(self) -> PublicKey:
        """Give the key in the form that a `KeySet` holds, for the one API that has the secret too."""
        return PublicKey(kid=self.kid, alg=self.alg, verify=self.verify)

    def __repr__(self) -> str:
        return f"SecretKey(kid={self.kid!r}, alg={self.alg!r})"


def make_secret_key(secret: bytes, *, kid: str) -> SecretKey:
    """Make an HS256 key of 32 random octets or more. ValueError for a shorter secret."""
    sign, verify = algorithms.bind_secret(secret)
    return SecretKey(kid=kid, sign=sign, verify=verify)


def generate_private_key(alg: str, *, kid: str | None = None) -> PrivateKey:
    """Make a key; its id is its thumbprint unless `kid` names another. ValueError for an unknown algorithm."""
    material = algorithms.generate_private_key(alg)
    kid = kid or thumbprint(_public_members(material.public_key()))
    return PrivateKey(kid=kid, alg=alg, material=material, sign=algorithms.bind_sign(material, alg))


def import_private_key(pkcs8_der: bytes, *, kid: str, alg: str) -> PrivateKey:
    """Read an unencrypted PKCS #8 key. ValueError where it cannot be read or is not of the kind that `alg` needs."""
    material = load_der(pkcs8_der, password=None)
    if alg not in algorithms.algorithms_of(material):
        raise ValueError(f"the private key is not one for {alg}")
    material = cast("algorithms.PrivateMaterial", material)
    return PrivateKey(kid=kid, alg=alg, material=material, sign=algorithms.bind_sign(material, alg))


def export_private_key(key: PrivateKey) -> bytes:
    """Write the key as unencrypted PKCS #8, DER: to be sealed by the caller before it is stored."""
    return key.material.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def public_jwk(key: algorithms.PublicMaterial, kid: str, alg: str) -> dict[str, str]:
    """Write a public key as a JWK with `kid`, `alg` and `use`, ready for a JWKS."""
    return {**_public_members(key), "kid": kid, "alg": alg, "use": "sig"}


def thumbprint(members: Mapping[str, object]) -> str:
    """Give the SHA-256 thumbprint of a JWK (RFC 7638): base64url, 43 characters, private members left out.

    ValueError where `kty` is unknown or a member that counts is missing or not a string.
    """
    kty = members.get("kty")
    names = _THUMBPRINT_MEMBERS.get(kty) if isinstance(kty, str) else None
    if names is None:
        raise ValueError("no thumbprint is defined for this kty")
    required = {name: _string(members, name) for name in names}
    return base64url.encode(hashlib.sha256(msgspec.json.encode(required)).digest()).decode()


def parse_jwk(members: Mapping[str, object]) -> PublicKey:
    """Read a public signature key (RFC 7517 §4).

    ValueError, in words, where `kty`, `crv`, `alg`, `use` or `key_ops` make it something else, where a member is
    malformed or the point is off the curve, and where private members lie open.
    """
    material, default_alg = _public_material(members)
    if not _PRIVATE_MEMBERS.isdisjoint(members):
        raise ValueError("it is published with private members")
    # A key of RSA that does not name its algorithm is taken as RFC 7518 §3.1 recommends: for RS256 alone.
    alg = members.get("alg", default_alg)
    alg = algorithms.OTHER_NAMES.get(alg, alg) if isinstance(alg, str) else None
    if alg is None or alg not in algorithms.algorithms_of(material):
        raise ValueError("its alg is not one that is used here with such a key")
    if members.get("use", "sig") != "sig":
        raise ValueError("its use is not sig")
    key_ops = members.get("key_ops", ["verify"])
    if not isinstance(key_ops, list) or "verify" not in key_ops:
        raise ValueError("its key_ops do not contain verify")
    kid = _string(members, "kid") if "kid" in members else None
    if kid is not None and len(kid) > _MAX_KID_LENGTH:
        raise ValueError("its kid is too long")
    return PublicKey(kid=kid, alg=alg, verify=algorithms.bind_verify(material, alg))


def join_keys(keys: Sequence[PublicKey]) -> PublicKey:
    """Make one key without an id of several of one algorithm: a signature holds if it does under any of them."""
    verifying = [key.verify for key in keys]
    if len(verifying) == 1:
        return PublicKey(kid=None, alg=keys[0].alg, verify=verifying[0])
    return PublicKey(
        kid=None,
        alg=keys[0].alg,
        verify=lambda message, signature: any(verify(message, signature) for verify in verifying),
    )


def parse_pem(text: bytes, *, alg: str | None = None) -> tuple[PublicKey, ...]:
    """Read public keys, SubjectPublicKeyInfo in PEM (RFC 7468 §13), in their order; `alg` is needed for PS256 alone.

    ValueError, in words that repeat nothing of the text: a private key, another kind of block, an unusable key.
    """
    labels = _PEM_LABEL.findall(text)
    if any(b"PRIVATE KEY" in label for label in labels):
        raise ValueError("it is a private key, which belongs to the issuer alone: give the public one")
    blocks = _PEM_BLOCK.findall(text)
    if not blocks or len(blocks) != len(labels):
        raise ValueError("it must consist of blocks that begin with -----BEGIN PUBLIC KEY-----")
    return tuple(_pem_key(block, alg) for block in blocks)


def _pem_key(block: bytes, alg: str | None) -> PublicKey:
    try:
        material = load_pem_public_key(block)
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("one of its keys cannot be read") from None
    if isinstance(material, rsa.RSAPublicKey):
        numbers = material.public_numbers()
        material = algorithms.make_rsa_public_key(numbers.n, numbers.e)
    able = algorithms.algorithms_of(material)
    if not isinstance(material, algorithms.PublicMaterial) or not able:
        raise ValueError("one of its keys is of a kind that is not used here")
    chosen = alg if alg in able else min(able - {"PS256"})
    return PublicKey(kid=None, alg=chosen, verify=algorithms.bind_verify(material, chosen))


def _public_members(key: algorithms.PublicMaterial) -> dict[str, str]:
    if isinstance(key, ed25519.Ed25519PublicKey):
        x = key.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(x).decode()}
    numbers = key.public_numbers()
    if isinstance(numbers, rsa.RSAPublicNumbers):
        return {"kty": "RSA", "n": _big_endian(numbers.n), "e": _big_endian(numbers.e)}
    # RFC 7518 §6.2.1.2: the full size of a coordinate, leading zeros included.
    x, y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")
    return {"kty": "EC", "crv": "P-256", "x": base64url.encode(x).decode(), "y": base64url.encode(y).decode()}


def _public_material(members: Mapping[str, object]) -> tuple[algorithms.PublicMaterial, str]:
    match members.get("kty"), members.get("crv"):
        case "EC", "P-256":
            x, y = _coordinate(members, "x"), _coordinate(members, "y")
            numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), ec.SECP256R1())
            return numbers.public_key(), "ES256"  # refuses a point that is not on the curve
        case "OKP", "Ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(_coordinate(members, "x")), "Ed25519"
        case "RSA", None:
            return algorithms.make_rsa_public_key(_integer(members, "n"), _integer(members, "e")), "RS256"
        case _:
            raise ValueError("its kty and crv are not ones that are used here")


def _coordinate(members: Mapping[str, object], name: str) -> bytes:
    octets = base64url.decode(_string(members, name).encode())
    if len(octets) != 32:
        raise ValueError(f"its {name} is not 32 octets long")
    return octets


def _integer(members: Mapping[str, object], name: str) -> int:
    return int.from_bytes(base64url.decode(_string(members, name).encode()), "big")


def _big_endian(number: int) -> str:
    # RFC 7518 §6.3.1: the fewest octets that hold it.
    return base64url.encode(number.to_bytes((number.bit_length() + 7) // 8, "big")).decode()


def _string(members: Mapping[str, object], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise ValueError(f"its {name} is missing or not a string")  # noqa: TRY004 - one outcome for all unusable keys
    return value
