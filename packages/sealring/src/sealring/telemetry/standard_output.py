"""Standard output of this process: one writer at a time, so that no line ends up inside of another."""

import os
import sys
from threading import Lock

import msgspec


class Unwritten(msgspec.Struct, frozen=True):
    """Why lines could not be written, and what of them: `rest` begins within the line that was torn, if one was."""

    failure: OSError
    rest: bytes


class StandardOutput:
    """Writes whole lines to a file descriptor, standard output where none is named; it blocks as its reader does."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._lock = Lock()
        self._torn = False

    def write(self, lines: bytes) -> Unwritten | None:
        """Write lines, each with its end. None: all of them are written."""
        with self._lock:
            rest = lines
            try:
                descriptor = sys.stdout.fileno() if self._descriptor is None else self._descriptor
                if self._torn:
                    # Or what comes now would be the end of a line that a full disk cut.
                    os.write(descriptor, b"\n")
                    self._torn = False
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            except OSError as failure:
                written = lines[: len(lines) - len(rest)]
                self._torn = self._torn or (bool(written) and not written.endswith(b"\n"))
                return Unwritten(failure, rest)
        return None
