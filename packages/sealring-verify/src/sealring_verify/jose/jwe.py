"""JWE in compact form around a JWS (RFC 7516, RFC 7519 §A.2), by joserfc: written for one API, and read by it.

Few of its choices exist here: ECDH-ES+A256KW or ECDH-ES on P-256 and X25519, RSA-OAEP-256, dir, A256GCM, no
compression. The key knows its algorithm; a header may only agree. A secret for `dir` decrypts and never encrypts: it
comes from an issuer that shares one, which Sealring is not.
"""

import json
from collections.abc import Mapping
from typing import Final

import msgspec
from cryptography.exceptions import InvalidKey, InvalidTag
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.json_object import DuplicateMember, parse_json_object
from sealring_verify.jose.jws import MAX_HEADER_LENGTH, MAX_TOKEN_LENGTH

_ALGORITHMS: Final = {
    "EC": ("ECDH-ES+A256KW", "ECDH-ES"),
    "OKP": ("ECDH-ES+A256KW", "ECDH-ES"),
    "RSA": ("RSA-OAEP-256",),
    "oct": ("dir",),
}
_CURVES: Final = {"EC": "P-256", "OKP": "X25519"}
_ENCRYPTION: Final = "A256GCM"
_HEADER_MEMBERS: Final = frozenset({"alg", "enc", "cty", "kid", "epk"})
_PRIVATE_MEMBERS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})
_MOST_KEYS: Final = 16
_LONGEST_KID: Final = 128
_SECRET_OCTETS: Final = 32  # RFC 7518 §4.5: as long as the content encryption's key
_FAILURES: Final = (JoseError, InvalidTag, InvalidUnwrap, InvalidKey, ValueError, TypeError, KeyError)


class EncryptionKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key to encrypt to, or to decrypt with: its id and its one algorithm. Its repr shows no secret."""

    kid: str
    alg: str
    material: ECKey | OKPKey | RSAKey | OctKey

    def __repr__(self) -> str:
        return f"EncryptionKey(kid={self.kid!r}, alg={self.alg!r})"


def parse_encryption_jwks(document: bytes) -> tuple[EncryptionKey, ...]:
    """Read the public keys of an API, in their order; what cannot be used here is left out.

    ValueError, in a sentence that repeats nothing of the set: no JWK set, a private key in it, no usable key.
    """
    members = _keys(document)
    if any(not _PRIVATE_MEMBERS.isdisjoint(member) for member in members):
        raise ValueError("The set holds a private key: it belongs to the API alone. Register the public half.")
    return _usable(members)


def parse_decryption_jwks(document: bytes) -> Mapping[str, EncryptionKey]:
    """Read an API's private keys and secrets, by their ids. ValueError, in a sentence that repeats nothing of them."""
    members = _keys(document)
    if any("k" not in member if member.get("kty") == "oct" else "d" not in member for member in members):
        raise ValueError("The set holds a key without its private half.")
    return {key.kid: key for key in _usable(members)}


def encrypt_compact(token: str, *, key: EncryptionKey) -> str:
    """Encrypt a signed token to a key, with `cty` JWT. The library throws the dice."""
    header = {"alg": key.alg, "enc": _ENCRYPTION, "cty": "JWT", "kid": key.kid}
    return jwe.encrypt_compact(header, token, key.material, algorithms=[key.alg, _ENCRYPTION])


def decrypt_compact(token: str, *, keys: Mapping[str, EncryptionKey]) -> str:
    """Give the signed token within an encrypted one.

    Raises InvalidToken: token_too_large, token_not_encrypted, token_malformed, duplicate_member, critical_header,
    algorithm_not_allowed, decryption_failed; nothing else, whatever the text.
    """
    if len(token) > MAX_TOKEN_LENGTH:
        raise InvalidToken("token_too_large")
    if token.count(".") != 4:
        raise InvalidToken("token_not_encrypted")
    try:
        octets = [base64url.decode(part) for part in token.encode("ascii").split(b".")]
    except ValueError:
        raise InvalidToken("token_malformed") from None
    key = _key_of(octets[0], keys)
    try:
        plaintext = jwe.decrypt_compact(token, key.material, algorithms=[key.alg, _ENCRYPTION]).plaintext
        return (plaintext or b"").decode("ascii")
    except _FAILURES:
        raise InvalidToken("decryption_failed") from None


def _key_of(octets: bytes, keys: Mapping[str, EncryptionKey]) -> EncryptionKey:
    if len(octets) > MAX_HEADER_LENGTH:
        raise InvalidToken("token_too_large")
    try:
        header = parse_json_object(octets)
    except DuplicateMember:
        raise InvalidToken("duplicate_member") from None
    except ValueError:
        raise InvalidToken("token_malformed") from None
    if "crit" in header:
        raise InvalidToken("critical_header")
    # `zip` among others: what is small on the wire could be huge in memory.
    if not header.keys() <= _HEADER_MEMBERS or header.get("cty") != "JWT":
        raise InvalidToken("token_malformed")
    epk = header.get("epk")
    if isinstance(epk, dict) and not _PRIVATE_MEMBERS.isdisjoint(epk):
        raise InvalidToken("token_malformed")
    kid = header.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise InvalidToken("decryption_failed")
    if (header.get("alg"), header.get("enc")) != (key.alg, _ENCRYPTION):
        raise InvalidToken("algorithm_not_allowed")
    return key


def _keys(document: bytes) -> list[dict[str, object]]:
    try:
        keys = parse_json_object(document).get("keys")
    except ValueError:
        keys = None
    if not isinstance(keys, list) or not all(isinstance(key, dict) for key in keys):
        raise ValueError('That is no JWK set: {"keys": […]} (RFC 7517 §5).')
    if not 1 <= len(keys) <= _MOST_KEYS:
        raise ValueError(f"A set of keys to encrypt to has 1 to {_MOST_KEYS} of them.")
    return keys


def _usable(members: list[dict[str, object]]) -> tuple[EncryptionKey, ...]:
    keys = tuple(key for member in members if (key := _usable_key(member)) is not None)
    if not keys:
        raise ValueError(
            'The set has no usable key: "use": "enc", EC on P-256 or OKP on X25519 for ECDH-ES+A256KW or ECDH-ES, '
            "RSA of 2048 to 4096 bits for RSA-OAEP-256, or oct of 32 octets and with a kid for dir."
        )
    if len({key.kid for key in keys}) != len(keys):
        raise ValueError("Two keys of the set have the same id.")
    return keys


def _usable_key(member: dict[str, object]) -> EncryptionKey | None:
    kty = member.get("kty")
    if not isinstance(kty, str) or kty not in _ALGORITHMS or member.get("use") != "enc":
        return None
    alg = member.get("alg", _ALGORITHMS[kty][0])
    if alg not in _ALGORITHMS[kty] or (kty in _CURVES and member.get("crv") != _CURVES[kty]):
        return None
    # Without `use` and `key_ops`, which the library reads in its own way, and which were judged above.
    plain = {name: value for name, value in member.items() if name not in {"use", "key_ops", "alg", "kid", "x5c"}}
    try:
        if kty == "RSA" and not 2048 <= _modulus_bits(member) <= 4096:
            return None
        material = _material(kty, json.loads(json.dumps(plain)))
        # RFC 7638 §7: the thumbprint of a secret could be searched for the secret, so such a key must have its own id.
        kid = member.get("kid", None if kty == "oct" else material.thumbprint())
    except _FAILURES:
        return None
    if not isinstance(kid, str) or not 1 <= len(kid) <= _LONGEST_KID or not isinstance(alg, str):
        return None
    return EncryptionKey(kid=kid, alg=alg, material=material)


def _material(kty: str, member: dict[str, str | list[str]]) -> ECKey | OKPKey | RSAKey | OctKey:
    if kty == "EC":
        return ECKey.import_key(member)
    if kty == "oct":
        secret = OctKey.import_key(member)
        if len(secret.raw_value) != _SECRET_OCTETS:
            raise ValueError("a secret for dir has 32 octets")
        return secret
    return OKPKey.import_key(member) if kty == "OKP" else RSAKey.import_key(member)


def _modulus_bits(member: dict[str, object]) -> int:
    return int.from_bytes(base64url.decode(str(member.get("n")).encode()), "big").bit_length()
