"""A store between its opening and its first act: its audit has no key yet."""

from collections.abc import Iterable
from typing import Protocol

from sealring.ports import KeyStock, Store, StoreIdentity
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.secret import Randomness
from sealring.protocol.standing_key import StandingKey
from sealring.storage.store_problem import StoreProblem


class OpenStore(Store, Protocol):
    """A store that is written."""

    async def close(self) -> None:
        """Finish what waits and close the store."""
        ...


class LockedStore(Protocol):
    """A store that is held and up to date, and whose audit has no key yet.

    It can be read; of writing it knows the one act that gives it its standing keys.
    """

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        ...

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last, or None where it never was."""
        ...

    async def key_stock(self) -> KeyStock:
        """Read all keys."""
        ...

    async def add_standing_keys(
        self, keys: Iterable[StandingKey], *, beside: Iterable[StoredKey] = (), version: int
    ) -> StoreProblem | None:
        """Give the store standing keys that it lacks, before its audit begins, so in no event.

        `beside`: keys that turn, which come with them. Nothing is written where the keys were changed since they were
        read as `version`.
        """
        ...

    def begin(self, *, audit_key: bytes, writer: str, randomness: Randomness) -> OpenStore:
        """Begin to write. `writer`: the name of this run of this node in the audit; `audit_key`: of its chain."""
        ...

    async def close(self) -> None:
        """Let go of a store that was not begun."""
        ...
