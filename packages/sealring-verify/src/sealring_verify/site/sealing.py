"""Cookies that only this site can write and read: sealed under a key made of its client secret."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from sealring_verify.jose import base64url
from sealring_verify.site.settings import SiteSettings

_NONCE_OCTETS = 12
# What browsers keep of one cookie, its name and attributes included, less these.
LONGEST = 3800

Content = TypeVar("Content", bound=msgspec.Struct)


def cookie_key(settings: SiteSettings) -> AESGCM:
    """Make the key: another one for each site, issuer and client, and after the client secret was changed."""
    info = f"sealring site cookie\n{settings.issuer}\n{settings.client_id}\n{settings.site}"
    secret = settings.client_secret.encode()
    return AESGCM(HKDF(algorithm=SHA256(), length=32, salt=None, info=info.encode()).derive(secret))


def seal(content: msgspec.Struct, *, name: str, key: AESGCM, randomness: Callable[[int], bytes]) -> str | None:
    """Seal what a cookie of this name shall hold; None where it is more than a browser keeps."""
    nonce = randomness(_NONCE_OCTETS)
    sealed = urlsafe_b64encode(nonce + key.encrypt(nonce, msgspec.json.encode(content), name.encode()))
    text = sealed.rstrip(b"=").decode()
    return text if len(text) <= LONGEST else None


def unseal(text: str, kind: type[Content], *, name: str, key: AESGCM) -> Content | None:
    """Read a cookie of this name; None for anything that this site did not write under it."""
    if len(text) > LONGEST or not text.isascii():
        return None
    try:
        octets = base64url.decode(text.encode())
        opened = key.decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], name.encode())
        return msgspec.json.decode(opened, type=kind)
    except (ValueError, InvalidTag, msgspec.DecodeError):
        return None
