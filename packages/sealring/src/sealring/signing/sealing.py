"""The seal: how private keys and other kept secrets lie in the database (SECURITY C2).

A sealed value is AES-256-GCM under the master key with a random 96-bit nonce. Its associated data name the very row
that it belongs to, so a value copied to another row, table, purpose or installation no longer opens. Random nonces
bound one master key to 2^32 seals (NIST SP 800-38D §8.3); a service that turns a key a day needs eleven million years.

    sealed = version (1 byte, 0x01) | master-key id (4 bytes) | nonce (12 bytes) | ciphertext | tag (16 bytes)
"""

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from msgspec import Struct

from sealring.signing.master_key import MasterKey

_SEAL_VERSION: Final = b"\x01"
_KEY_ID_LENGTH: Final = 4  # bytes, 8 hex digits
_NONCE_LENGTH: Final = 12  # bytes, the only length that GCM takes without hashing it
_TAG_LENGTH: Final = 16  # bytes
_HEADER_LENGTH: Final = len(_SEAL_VERSION) + _KEY_ID_LENGTH + _NONCE_LENGTH


class SealingContext(Struct, frozen=True, kw_only=True):
    """Where a sealed value belongs; all of it is authenticated, none of it encrypted.

    `kid` and `alg` are empty for a secret that is no key (TOTP, SMTP, webhook); `purpose` says what may be done
    with the plaintext (`signing`, `refresh-mac`, …), so that one kind of secret never opens as another.
    """

    issuer: str
    table: str
    row_id: str
    kid: str = ""
    alg: str = ""
    purpose: str


class SealBroken(Exception):  # noqa: N818 - an exception is named by its fact, as TokenRefused is
    """A sealed value does not open: wrong key, wrong row, or changed bytes. The message is for the operator."""


def seal(key: MasterKey, plaintext: bytes, *, context: SealingContext, randomness: Callable[[int], bytes]) -> bytes:
    """Seal `plaintext` for the row that `context` names; 33 bytes longer than the plaintext."""
    nonce = randomness(_NONCE_LENGTH)
    if len(nonce) != _NONCE_LENGTH:
        raise ValueError(f"a nonce has {_NONCE_LENGTH} bytes, not {len(nonce)}")
    ciphertext = AESGCM(key.reveal()).encrypt(nonce, plaintext, _associated_data(key, context))
    return _SEAL_VERSION + bytes.fromhex(key.id) + nonce + ciphertext


def unseal(key: MasterKey, sealed: bytes, *, context: SealingContext) -> bytes:
    """Open a sealed value for the row that `context` names; SealBroken when it is not what was sealed there."""
    place = f"{context.table} row {context.row_id} ({context.purpose})"
    key_id = sealing_key_id(sealed)
    if key_id is None:
        raise SealBroken(f"{place} holds no sealed value; restore that row from a backup")
    if key_id != key.id:
        raise SealBroken(f"{place} is sealed under master key {key_id}, but master key {key.id} was loaded")
    nonce, ciphertext = sealed[_HEADER_LENGTH - _NONCE_LENGTH : _HEADER_LENGTH], sealed[_HEADER_LENGTH:]
    try:
        return AESGCM(key.reveal()).decrypt(nonce, ciphertext, _associated_data(key, context))
    except InvalidTag:
        raise SealBroken(
            f"{place} does not open: its bytes were changed, or it was sealed for another row or issuer"
        ) from None


def sealing_key_id(sealed: bytes) -> str | None:
    """Say under which master key (its id) a value is sealed, without opening it; None where it is no sealed value.

    A claim until `unseal` has proven it: the id is part of the associated data.
    """
    if len(sealed) < _HEADER_LENGTH + _TAG_LENGTH or not sealed.startswith(_SEAL_VERSION):
        return None
    return sealed[len(_SEAL_VERSION) : len(_SEAL_VERSION) + _KEY_ID_LENGTH].hex()


def derive(secret: bytes, label: str, length: int = 32) -> bytes:
    """Derive `length` bytes (at most 8 160) for one purpose from a secret key: HKDF-SHA-256 (RFC 5869).

    `secret` is uniformly random, 16 bytes or more, never a password. Different labels give unrelated keys; the
    label's length is not mixed in, the whole of it is the `info`.
    """
    if len(secret) < 16:
        raise ValueError(f"a key to derive from has 16 bytes or more, not {len(secret)}")
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=b"sealring/" + label.encode()).derive(secret)


def _associated_data(key: MasterKey, context: SealingContext) -> bytes:
    # Each field goes in behind its length, so that no two contexts share one encoding ("a"+"bc" against "ab"+"c").
    fields = (
        context.issuer,
        context.table,
        context.row_id,
        context.kid,
        context.alg,
        context.purpose,
        key.id,
    )
    parts = [b"sealring seal v1"]
    for field in fields:
        encoded = field.encode()
        parts += [len(encoded).to_bytes(4, "big"), encoded]
    return b"".join(parts)
