"""The secret that one API shares with its issuer: how it is written, and the id of the HS256 key that it is, pure.

    slh_ + base64url of 32 random octets, without padding: 47 characters

The key's id comes from the secret, so that one text is all there is to copy, and no id can be put to the wrong secret.
"""

import hashlib
import hmac
import re
from collections.abc import Collection

from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import SecretKey, join_keys, make_secret_key
from sealring_verify.jose.jwks import KeySet

_SYMMETRIC_SECRET = re.compile(r"slh_([A-Za-z0-9_-]{43})")
_SECRET_OCTETS = 32
_KID_OCTETS = 16
_MOST_SECRETS = 2
# No token is ever signed over this: a signing input has a full stop in it.
_KID_MESSAGE = b"sealring key id"


def write_symmetric_secret(secret: bytes) -> str:
    """Write 32 octets as the one text that an API is given. ValueError for another length."""
    if len(secret) != _SECRET_OCTETS:
        raise ValueError(f"a symmetric secret has {_SECRET_OCTETS} octets, not {len(secret)}")
    return "slh_" + base64url.encode(secret).decode()


def parse_symmetric_secret(text: str) -> SecretKey:
    """Read a text that `write_symmetric_secret` wrote. ValueError for any other, in words that do not show it."""
    match = _SYMMETRIC_SECRET.fullmatch(text)
    try:
        secret = base64url.decode(match[1].encode()) if match else b""
    except ValueError:
        secret = b""
    if not secret:
        raise ValueError("a symmetric secret is slh_ and 43 characters of base64url, as sealring printed it")
    return make_secret_key(secret, kid=symmetric_kid(secret))


def symmetric_key_set(secrets: Collection[str | bytes]) -> KeySet:
    """Read the secrets of one API: one or, while they turn, two. ValueError for more, and for what is no secret.

    Texts are Sealring's own. Octets are another issuer's, 32 or more: they come without an id, so each is tried.
    """
    if isinstance(secrets, str | bytes) or not 1 <= len(secrets) <= _MOST_SECRETS:
        raise ValueError("symmetric_secrets is a list of one secret or, while they turn, of two")
    texts = [secret for secret in secrets if isinstance(secret, str)]
    octets = [secret for secret in secrets if isinstance(secret, bytes)]
    if len(texts) == len(secrets):
        return KeySet([parse_symmetric_secret(secret).verifying() for secret in texts])
    if len(octets) != len(secrets):
        raise ValueError("symmetric_secrets are Sealring's own, as text, or another issuer's, as bytes: not both")
    return KeySet([join_keys([make_secret_key(secret, kid="").verifying() for secret in octets])], without_ids=True)


def symmetric_kid(secret: bytes) -> str:
    """Give the id of the key that a secret is: `hs-` and 22 characters, which tell nothing of the secret."""
    digest = hmac.digest(secret, _KID_MESSAGE, hashlib.sha256)
    return "hs-" + base64url.encode(digest[:_KID_OCTETS]).decode()
