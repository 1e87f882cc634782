"""The master key, as the acts see it: it can be changed, never read."""

import asyncio
from pathlib import Path
from typing import Protocol

import msgspec

from sealring.ports.key import KeyChange, KeyStock


class MasterKeyRefusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why the master key cannot be changed so: a code of the server's list, and a sentence for the operator."""

    code: str
    sentence: str


class MasterKeyPlaced(msgspec.Struct, frozen=True, kw_only=True):
    """Where the keys lie after a change. `unfinished`: what is left to do, and why; the store is sealed all the same.

    `former_file`: None where the former key could not be kept yet.
    """

    file: str
    former_file: str | None
    unfinished: str | None = None


class MasterKeyChange(Protocol):
    """A change under way: the new key is durable in a file, and nothing is sealed under it yet."""

    @property
    def former_id(self) -> str:
        """The id of the key that seals the store so far."""
        ...

    @property
    def key_id(self) -> str:
        """The id of the new key."""
        ...

    def reseal(self, stock: KeyStock) -> KeyChange:
        """Seal every key of a stock under the new master key."""
        ...

    def finish(self) -> MasterKeyPlaced:
        """Put the new key in its place, once the store is sealed under it."""
        ...

    def abandon(self) -> None:
        """Remove the new key. Only where it is certain that nothing is sealed under it."""
        ...


class MasterKeyKeeper(Protocol):
    """Keeps the master key and its file."""

    @property
    def changing(self) -> asyncio.Lock:
        """Held while a change is under way: one at a time."""
        ...

    @property
    def folders(self) -> frozenset[Path]:
        """Where the files lie that hold a master key of this process, symbolic links followed."""
        ...

    def begin_change(self, stock: KeyStock, *, to: Path | None) -> MasterKeyChange | MasterKeyRefusal:
        """Make another master key, in the place of the present one, or in a new file at `to`. Waits for the disk."""
        ...
