"""A request that waits while somebody signs in: carried by the browser, bound to it, good for ten minutes.

    base64url of JSON | "." | base64url of MAC (16 octets)

Nothing is stored, so nobody fills a table by asking. It proves that a form came from a page of ours in the same browser
(no forged log-in, no forged consent), and that a log-in was made for this request.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from sealring.protocol.instant import Instant, Seconds

INTERACTION_LIFETIME: Final = Seconds(600)
_LONGEST: Final = 16 * 1024
_MAC_OCTETS: Final = 16


class Interaction(msgspec.Struct, frozen=True, kw_only=True):
    """`query`: the authorization request, encoded as it came; empty where somebody wants to see the account page.

    `browser`: SHA-256 of the browser's interaction cookie, base64url. `question`: of what a page asked and whom, None
    where nothing was asked yet: an answer counts for that person and that question alone. `account`: of the session
    with which the person chose to go on, None where they chose none.
    """

    query: str
    began_at: Instant
    browser: str
    question: str | None = None
    account: str | None = None


def account_digest(sso_id: str) -> str:
    """Name a browser session in an interaction without giving its id away."""
    return urlsafe_b64encode(sha256(b"account " + sso_id.encode()).digest()).rstrip(b"=").decode()


def browser_digest(cookie: str) -> str:
    """Name a browser by its interaction cookie without giving that away."""
    return urlsafe_b64encode(sha256(cookie.encode()).digest()).rstrip(b"=").decode()


def write_interaction(interaction: Interaction, *, key: bytes) -> str:
    """Write an interaction for the address of a page, and for the form in it."""
    payload = urlsafe_b64encode(msgspec.json.encode(interaction)).rstrip(b"=")
    return (payload + b"." + _mac(payload, key)).decode()


def read_interaction(
    text: str | None, *, cookie: str | None, keys: Sequence[bytes], now: Instant
) -> Interaction | None:
    """Return an interaction that we wrote for this browser in the last ten minutes; None for anything else."""
    if text is None or cookie is None or len(text) > _LONGEST or not text.isascii():
        return None
    payload, _, mac = text.encode().partition(b".")
    if not any(hmac.compare_digest(mac, _mac(payload, key)) for key in keys):
        return None
    interaction = msgspec.json.decode(urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)), type=Interaction)
    age = now - interaction.began_at
    if not 0 <= age < INTERACTION_LIFETIME * 1000 or interaction.browser != browser_digest(cookie):
        return None
    return interaction


def _mac(payload: bytes, key: bytes) -> bytes:
    return urlsafe_b64encode(hmac.digest(key, payload, "sha256")[:_MAC_OCTETS]).rstrip(b"=")
