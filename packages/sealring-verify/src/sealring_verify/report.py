"""What a verifier tells its issuer of itself (POST /reports), pure: counted, sampled, written in at most 16 KiB."""

import ipaddress
import threading
from collections.abc import Callable, Sequence

import msgspec

from sealring_verify.jose import base64url

MAX_REPORT_LENGTH = 16 * 1024
REPORT_SECONDS = 10.0
_MOST_COUNTS = 64
_MOST_USES = 100
_MOST_KEYS = 32
_LONGEST_KID = 128


class Use(msgspec.Struct, frozen=True):
    """One request: when (monotonic seconds), the ids of its token, the caller's address, how it ended."""

    at: float
    jti: bytes | None
    sid: bytes | None
    client_address: str | None
    code: str


class Tally:
    """Counts outcomes and keeps a fair sample of uses since it was last taken; any number of threads share one.

    `chance` gives a number in [0, 1).
    """

    def __init__(self, *, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.forget()

    def forget(self) -> None:
        """Start empty, with a lock that nobody holds: after a fork its holder may have stayed behind."""
        self._lock = threading.Lock()
        self._counts: dict[str, int] = {}
        self._uses: list[Use] = []
        self._seen = 0

    def note(self, use: Use) -> None:
        """Count one use."""
        with self._lock:
            if use.code in self._counts or len(self._counts) < _MOST_COUNTS:
                self._counts[use.code] = self._counts.get(use.code, 0) + 1
            self._seen += 1
            if len(self._uses) < _MOST_USES:
                self._uses.append(use)
            elif (place := int(self._chance() * self._seen)) < _MOST_USES:
                self._uses[place] = use

    def take(self) -> tuple[dict[str, int], list[Use]]:
        """Give counts and sample, and begin anew."""
        with self._lock:
            taken = self._counts, self._uses
            self._counts, self._uses, self._seen = {}, [], 0
        return taken


def write_report(
    *,
    verifier: str,
    incarnation: str | None,
    position: int | None,
    age: float | None,
    keys: Sequence[str | None],
    counts: dict[str, int],
    uses: Sequence[Use],
    now: float,
) -> bytes:
    """Write a report; uses are left out, then keys, where it would be longer than 16 KiB. `age`: seconds."""
    kids = [kid for kid in keys if kid is not None and len(kid) <= _LONGEST_KID][:_MOST_KEYS]
    members = {
        "verifier": verifier,
        "incarnation": incarnation,
        "position": position,
        "age_ms": None if age is None else int(age * 1000),
        "keys": kids,
        "counts": dict(list(counts.items())[:_MOST_COUNTS]),
        "uses": [_written(use, now) for use in uses[:_MOST_USES]],
    }
    while len(body := msgspec.json.encode(members)) > MAX_REPORT_LENGTH:
        longest = "uses" if members["uses"] else "keys"
        whole = members[longest]
        members[longest] = whole[: len(whole) // 2] if isinstance(whole, list) else []
    return body


def network_of(client_address: str | None) -> str | None:
    """Give the /24 or /48 that an address belongs to; None for what is no address."""
    try:
        address = ipaddress.ip_address(client_address or "")
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or ipaddress.IPv6Address(int(address))  # drops the zone
    length = 24 if address.version == 4 else 48
    return str(ipaddress.ip_network((int(address).to_bytes(address.max_prefixlen // 8, "big"), length), strict=False))


def _written(use: Use, now: float) -> list[object]:
    return [max(0, int(now - use.at)), _text(use.jti), _text(use.sid), network_of(use.client_address), use.code]


def _text(identifier: bytes | None) -> str | None:
    return None if identifier is None else base64url.encode(identifier).decode()
