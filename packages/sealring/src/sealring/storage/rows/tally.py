"""How many rows there are, and what they hold, so that two engines can be compared."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

_encode = msgspec.msgpack.Encoder().encode


class Tally:
    """Counts rows and digests them in their order: the same for the same rows, whichever engine gave them."""

    def __init__(self) -> None:
        self.rows = 0
        self._sha256 = sha256()

    def take(self, rows: Iterable[Iterable[object]]) -> None:
        """Take the next rows."""
        for row in rows:
            # Each value says its own type and length, so that no two tables are written alike.
            self._sha256.update(_encode(tuple(row)))
            self.rows += 1

    @property
    def digest(self) -> bytes:
        """Return the digest of all rows so far, 32 octets."""
        return self._sha256.digest()

    def agrees_with(self, other: "Tally") -> bool:
        """Say whether both have seen the same rows in the same order."""
        return (self.rows, self.digest) == (other.rows, other.digest)
