"""Device tokens: a device on which an account signed in before keeps its place in the queue (SECURITY F3).

    sld_ + base64url of version (1 octet) | issued (4, seconds) | device id (15) | MAC (16)

No credential: it opens nothing. Its subject is in the MAC and not in the text, so it tells nobody who signed in where.
"""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from typing import Final

from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.secret import Secret

DEVICE_ID_OCTETS: Final = 15
DEVICE_TOKEN_LIFETIME: Final = Seconds(90 * 24 * 3600)
_PREFIX: Final = "sld_"
_VERSION: Final = b"\x01"
_SHAPE: Final = re.compile(r"sld_[A-Za-z0-9_-]{48}")
_SIGNED_OCTETS: Final = 20
_MAC_OCTETS: Final = 16


def mint_device_token(*, device_key: bytes, issuer: str, sub: str, device_id: bytes, now: Instant) -> Secret:
    """Write the token of a device (15 octets) that signed `sub` in just now; good for 90 days."""
    signed = _VERSION + (now // 1000).to_bytes(4, "big") + device_id
    return Secret(_PREFIX + urlsafe_b64encode(signed + _mac(signed, device_key, issuer, sub)).decode())


def find_known_device(
    text: str, *, device_keys: Iterable[bytes], issuer: str, sub: str | None, now: Instant
) -> bytes | None:
    """Return the id of a device that `sub` signed in from in the last 90 days; None for any other text.

    `device_keys`: all that are accepted. `sub`: None for an unknown account, which costs the same and knows no device.
    """
    if not _SHAPE.fullmatch(text):
        return None
    octets = urlsafe_b64decode(text[len(_PREFIX) :])
    signed, mac = octets[:_SIGNED_OCTETS], octets[_SIGNED_OCTETS:]
    # Under every key, also after one that holds: how long it takes tells nothing of which.
    holds = [hmac.compare_digest(mac, _mac(signed, key, issuer, sub or "")) for key in device_keys]
    age = now // 1000 - int.from_bytes(signed[1:5], "big")
    if not any(holds) or sub is None or signed[:1] != _VERSION or not 0 <= age < DEVICE_TOKEN_LIFETIME:
        return None
    return signed[5:]


def _mac(signed: bytes, device_key: bytes, issuer: str, sub: str) -> bytes:
    # A NUL stands in no issuer and no sub, so no two inputs share one encoding.
    return hmac.digest(device_key, signed + issuer.encode() + b"\x00" + sub.encode(), "sha256")[:_MAC_OCTETS]
