"""What is remembered of the store outside of it, so that a store that was rolled back is noticed (SECURITY A9)."""

import os
from pathlib import Path

import msgspec


class _Memory(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    incarnation: str
    feed_number: int


class IncarnationFileProblem(msgspec.Struct, frozen=True):
    """Why the file cannot be used: a sentence that says what to do."""

    sentence: str


class IncarnationFile:
    """The file, and what was last written to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._written: _Memory | None = None

    @property
    def feed_number(self) -> int:
        """The highest number that is remembered, 0 where nothing is yet."""
        return 0 if self._written is None else self._written.feed_number

    def disagrees_with(self, incarnation: bytes, feed_number: int) -> bool | IncarnationFileProblem:
        """Say whether the store is not the one that was known, or is older than it was; a first look agrees."""
        try:
            memory = msgspec.json.decode(self.path.read_bytes(), type=_Memory)
        except FileNotFoundError:
            return self._first(incarnation, feed_number)
        except (OSError, msgspec.DecodeError):
            return IncarnationFileProblem(
                f"The file {self.path} cannot be read. It tells a restored database from the one that was served: "
                "bring it back, or delete it if you are sure that the database is the newest."
            )
        self._written = memory
        return memory.incarnation != incarnation.hex() or feed_number < memory.feed_number

    def remember(self, incarnation: bytes, feed_number: int) -> None:
        """Write down how far the store has come, if that is news."""
        memory = _Memory(incarnation=incarnation.hex(), feed_number=feed_number)
        if memory != self._written:
            fresh = self.path.with_name(self.path.name + ".new")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(msgspec.json.encode(memory))
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(self.path)
            self._written = memory

    def _first(self, incarnation: bytes, feed_number: int) -> bool | IncarnationFileProblem:
        try:
            self.remember(incarnation, feed_number)
        except OSError as failure:
            return IncarnationFileProblem(
                f"The file {self.path} cannot be written ({failure.strerror}). Where the master key lies on a "
                "read-only mount, set incarnation_file to a writable path outside the data directory."
            )
        return False
