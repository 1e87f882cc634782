"""Opaque access tokens: their claims, encrypted under a key that no API has (SECURITY C4).

AES-256-GCM. Each token has a key of its own, HMAC-SHA-256 of 16 random octets, and a random nonce beside it: 28 octets
of chance, so that no number of tokens under one MAC key comes near the bound of random 96-bit nonces. Issuer and
incarnation of the store are bound in; which API a token is for stands, as authentic as all of it, in its claims.
"""

import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sealring.ports import MacKey, Randomness
from sealring.protocol.opaque_token import (
    NONCE_OCTETS,
    OPAQUE_TOKEN_VERSION,
    SALT_OCTETS,
    OpaqueToken,
    write_opaque_token,
)
from sealring.protocol.refresh_token_format import TokenRealm


def seal_opaque_token(payload: bytes, *, mac_key: MacKey, realm: TokenRealm, randomness: Randomness) -> str:
    """Write the opaque token that holds these claims."""
    salt, nonce = randomness(SALT_OCTETS), randomness(NONCE_OCTETS)
    sealed = _cipher(mac_key, salt).encrypt(nonce, payload, _associated_data(mac_key.mac_key_id, realm))
    return write_opaque_token(OpaqueToken(mac_key_id=mac_key.mac_key_id, salt=salt, nonce=nonce, sealed=sealed))


def open_opaque_token(token: OpaqueToken, *, mac_key: MacKey, realm: TokenRealm) -> bytes | None:
    """Return the claims that were sealed under that key for this realm, or None: then it is no token of ours."""
    bound = _associated_data(token.mac_key_id, realm)
    try:
        return _cipher(mac_key, token.salt).decrypt(token.nonce, token.sealed, bound)
    except InvalidTag:
        return None


def _cipher(mac_key: MacKey, salt: bytes) -> AESGCM:
    return AESGCM(hmac.digest(mac_key.opaque_secret, salt, "sha256"))


def _associated_data(mac_key_id: int, realm: TokenRealm) -> bytes:
    # Every part but the last has a fixed length, so no two realms share one encoding.
    return bytes((OPAQUE_TOKEN_VERSION, mac_key_id)) + realm.incarnation + realm.issuer.encode()
