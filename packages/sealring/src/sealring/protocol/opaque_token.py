"""The octets of an opaque access token (SECURITY C4): `slo_` and base64url, one spelling per token.

They are: version (1), MAC key id (1), salt (16), nonce (12), then the claims, encrypted, with their tag (16). Whoever
looks at them reads nothing; whoever changes one of them has no token.
"""

import re
from typing import Final

import msgspec

from sealring_verify.jose import base64url

OPAQUE_TOKEN_VERSION: Final = 1
SALT_OCTETS: Final = 16
NONCE_OCTETS: Final = 12
TAG_OCTETS: Final = 16
_PREFIX: Final = "slo_"
_HEAD_OCTETS: Final = 2 + SALT_OCTETS + NONCE_OCTETS
# As long as the longest byte budget of an API, which counts the prefix.
_SHAPE: Final = re.compile(r"slo_[A-Za-z0-9_-]{62,16380}")


class OpaqueToken(msgspec.Struct, frozen=True, kw_only=True):
    """An opaque token taken apart; nothing of it has been proven. `sealed`: the claims, encrypted, and their tag."""

    mac_key_id: int
    salt: bytes
    nonce: bytes
    sealed: bytes

    def __repr__(self) -> str:
        return "OpaqueToken(…)"


def parse_opaque_token(text: str) -> OpaqueToken | None:
    """Take an opaque token apart, or return None where it is not one of ours. Length is checked before anything."""
    if not _SHAPE.fullmatch(text):
        return None
    try:
        octets = base64url.decode(text[len(_PREFIX) :].encode())
    except ValueError:
        return None
    if octets[0] != OPAQUE_TOKEN_VERSION:
        return None
    return OpaqueToken(
        mac_key_id=octets[1],
        salt=octets[2 : 2 + SALT_OCTETS],
        nonce=octets[2 + SALT_OCTETS : _HEAD_OCTETS],
        sealed=octets[_HEAD_OCTETS:],
    )


def write_opaque_token(token: OpaqueToken) -> str:
    """Write an opaque token in its one spelling."""
    head = bytes((OPAQUE_TOKEN_VERSION, token.mac_key_id))
    return _PREFIX + base64url.encode(head + token.salt + token.nonce + token.sealed).decode()


def opaque_token_octets(payload: int) -> int:
    """Say how long the token of so many octets of claims is."""
    return len(_PREFIX) + ((_HEAD_OCTETS + payload + TAG_OCTETS) * 4 + 2) // 3
