"""The store of keys: all of them are read together, and changed only as they were read."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.standing_key import StandingKey


class KeyStock(msgspec.Struct, frozen=True, kw_only=True):
    """All keys, oldest first. `version`: a number that every change raises. `standing`: those that never turn."""

    version: int
    keys: tuple[StoredKey, ...]
    standing: tuple[StandingKey, ...] = ()

    @property
    def sealed(self) -> tuple[bytes, ...]:
        """All sealed values, those of erased keys left out."""
        return (*(key.sealed for key in self.keys if key.sealed), *(key.sealed for key in self.standing))


class KeyChange(msgspec.Struct, frozen=True, kw_only=True):
    """What shall become of the keys that were read as `version`.

    `keys`, `standing`: rows as they shall stand, new or changed. `withdrawn`: ids of keys under which nothing is good
    any more.
    `ended_mac_key_ids`: whose sessions end. `ends_everything`: every session ends and every epoch rises.
    """

    version: int
    keys: tuple[StoredKey, ...]
    standing: tuple[StandingKey, ...] = ()
    withdrawn: tuple[str, ...] = ()
    ended_mac_key_ids: tuple[int, ...] = ()
    ends_everything: bool = False


class KeyStore(Protocol):
    """Keys, sealed."""

    async def version(self) -> int:
        """Read the number that every change raises."""
        ...

    async def stock(self) -> KeyStock:
        """Read all keys."""
        ...

    async def change(self, change: KeyChange, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Write a change, and end what it ends; None where the keys were changed since. Returns sessions ended."""
        ...
