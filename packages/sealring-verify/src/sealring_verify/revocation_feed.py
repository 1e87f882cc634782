"""The revocation feed (docs/reference/revocation-feed.md), pure: how what was ended is named."""

from hashlib import sha256
from typing import Literal

RevocationKind = Literal["jti", "sid", "sub", "client", "kid"]
"""What an entry ends: one token, a session, a person's or a client's tokens below an epoch, a key."""

FEED_MESSAGE_TYPE = "sealring-revocations+jwt"
"""The `typ` of the feed's messages, so that none of them ever passes for another kind of token."""

REVOCATION_ID_OCTETS = 16


def revocation_id(kind: RevocationKind, value: str) -> bytes:
    """Give the 16 octets under which a value stands in the feed: the first half of SHA-256(kind ‖ value).

    No kind is the beginning of another, so no two pairs share an input.
    """
    return sha256(kind.encode() + value.encode()).digest()[:REVOCATION_ID_OCTETS]
