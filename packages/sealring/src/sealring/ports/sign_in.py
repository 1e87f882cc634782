"""What signing in needs besides the store: hashing off the loop, and counters that slow down guessing."""

from typing import Protocol

import msgspec

from sealring.credentials.password_hash import Match, MatchNeedsRehash, NoMatch
from sealring.protocol.instant import Seconds


class HashingBusy(msgspec.Struct, frozen=True):
    """The queue in front of the hashing threads is full: try again."""


class PasswordHashing(Protocol):
    """Argon2id off the event loop, behind a bounded queue (SECURITY F3)."""

    async def hash(self, prepared: bytes, *, known_device: bool = False) -> str | HashingBusy:
        """Hash a prepared password under today's parameters; `known_device` as in `verify`."""
        ...

    async def verify(
        self,
        password_hash: str | None,
        prepared: bytes,
        *,
        known_device: bool = False,
        holder: tuple[str, str] | None = None,
    ) -> Match | MatchNeedsRehash | NoMatch | HashingBusy:
        """Check a prepared password; None costs the same time as a hash and never matches.

        `known_device`, or who holds a session: may take the places and turns that are kept from strangers.
        `holder`: account and network, which have half of the places together and no more.
        """
        ...


class Limited(msgspec.Struct, frozen=True):
    """Too many failures: wait that many seconds."""

    retry_after: Seconds


class SignInLimit(Protocol):
    """Counts failed sign-ins per account *and* network, and per network; never by account alone (SECURITY F3).

    `device`: the id of a known device, which is counted by account and device instead: what others do from its network
    is not held against it.
    """

    def admit(self, account: str, network: str, *, device: bytes | None = None) -> Limited | None:
        """Say whether an attempt may be made now."""
        ...

    def count_failure(self, account: str, network: str, *, device: bytes | None = None) -> None:
        """Count a failed attempt."""
        ...


class RegistrationLimit(Protocol):
    """Counts clients that register themselves, per network (SECURITY E3)."""

    def take(self, network: str) -> Limited | None:
        """Count an attempt; Limited where the network has had its share."""
        ...
