"""The octets of a refresh token (SECURITY A1): `slr_` and 56 characters, one spelling per token.

42 octets: version (1), MAC key id (1), born (4, seconds), family secret (16), generation (4), MAC (16). 42 octets
fill 56 base64url characters exactly, so no spare bits exist in which a second spelling could hide.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Final

import msgspec

PREFIX: Final = "slr_"
_SHAPE = re.compile(r"slr_[A-Za-z0-9_-]{56}")
_VERSION = 1
_MAC_OCTETS = 16
MAXIMUM_GENERATION = 2**32 - 1


class RefreshToken(msgspec.Struct, frozen=True, kw_only=True):
    """A refresh token taken apart; its MAC has not been checked. `born`: 4 octets that keep live rows together."""

    mac_key_id: int
    born: bytes
    secret: bytes
    generation: int
    mac: bytes

    def __repr__(self) -> str:
        return f"RefreshToken(generation={self.generation}, …)"


class TokenRealm(msgspec.Struct, frozen=True, kw_only=True):
    """What every MAC is bound to besides the token itself: the issuer and the store's incarnation (16 octets)."""

    issuer: str
    incarnation: bytes


def parse_refresh_token(text: str) -> RefreshToken | None:
    """Take a refresh token apart, or return None where it is not one of ours. Length is checked before anything."""
    if not _SHAPE.fullmatch(text):
        return None
    octets = urlsafe_b64decode(text[len(PREFIX) :])
    if octets[0] != _VERSION:
        return None
    return RefreshToken(
        mac_key_id=octets[1],
        born=octets[2:6],
        secret=octets[6:22],
        generation=int.from_bytes(octets[22:26], "big"),
        mac=octets[26:],
    )


def family_key(*, born: bytes, secret: bytes) -> bytes:
    """Return the row's key: 20 octets, the time of birth and then half of SHA-256 of the secret."""
    return born + sha256(secret).digest()[:16]


def mac_holds(token: RefreshToken, *, mac_key: bytes, realm: TokenRealm) -> bool:
    """Say whether the MAC was made with `mac_key` for this realm; in constant time."""
    unsigned = _unsigned(token.mac_key_id, token.born, token.secret, token.generation)
    return hmac.compare_digest(token.mac, _mac(unsigned, mac_key, realm))


def mint_refresh_token(
    *, mac_key_id: int, mac_key: bytes, realm: TokenRealm, born: bytes, secret: bytes, generation: int
) -> str:
    """Write the refresh token of a generation: the same arguments give the same bytes on every node."""
    unsigned = _unsigned(mac_key_id, born, secret, generation)
    return PREFIX + urlsafe_b64encode(unsigned + _mac(unsigned, mac_key, realm)).decode()


def _unsigned(mac_key_id: int, born: bytes, secret: bytes, generation: int) -> bytes:
    return bytes((_VERSION, mac_key_id)) + born + secret + generation.to_bytes(4, "big")


def _mac(unsigned: bytes, mac_key: bytes, realm: TokenRealm) -> bytes:
    # Every part but the last has a fixed length, so no two inputs share one encoding.
    return hmac.digest(mac_key, unsigned + realm.incarnation + realm.issuer.encode(), "sha256")[:_MAC_OCTETS]
