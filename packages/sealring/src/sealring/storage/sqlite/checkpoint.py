"""Checkpoints: what commits wrote to the log is copied back into the file beside them, not in the middle of one.

Left alone, SQLite copies when a commit finds 1 000 pages in the log, and that commit and all behind it wait until they
are on the disk: with a million sessions these are a thousand places of the file, every sixth of a second.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Final

import apsw

LOG_PAGES: Final = 1000
"""Pages in the log at which copying begins, by estimate."""
LARGEST_LOG_PAGES: Final = 16_000
"""Pages in the log at which SQLite copies by itself after all."""
_FEWEST_ACTS: Final = 1000
_SHORT_REST: Final = 128  # pages that commits may wait for
_MOST_ROUNDS: Final = 4


class Checkpoints:
    """The checkpoints of one file.

    Most of a log is copied by a thread and a connection of its own, while commits go on; the rest between two commits,
    so that the log comes to its end and is written from the start again.
    """

    def __init__(self, path: Path, *, writing: apsw.Connection) -> None:
        self._writing = writing
        self._connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        self._thread = ThreadPoolExecutor(1, "checkpoint")
        self._copying: asyncio.Future[int] | None = None
        self._acts = 0
        self._due_acts = _FEWEST_ACTS
        writing.wal_autocheckpoint(LARGEST_LOG_PAGES)

    def note(self, acts: int) -> None:
        """Count acts that were committed, and begin to copy where the log may have grown long."""
        self._acts += acts
        if self._acts >= self._due_acts and self._copying is None:
            self._copying = asyncio.get_running_loop().run_in_executor(self._thread, _copy, self._connection)

    @property
    def is_due(self) -> bool:
        """True where the rest shall be copied before the next transaction begins."""
        return self._copying is not None and self._copying.done()

    def finish(self) -> None:
        """Copy the rest, which waits for the disk. Nobody else may use the writing connection meanwhile."""
        if self._copying is not None:
            pages = max(self._copying.result(), _copy(self._writing))
            # Acts that write the same few pages again and again need the disk seldom.
            self._due_acts = max(_FEWEST_ACTS, min(self._acts * LOG_PAGES // max(pages, 1), LARGEST_LOG_PAGES))
            self._copying, self._acts = None, 0

    async def close(self) -> None:
        """Wait for the thread and close the connection."""
        if self._copying is not None:
            await asyncio.wait([self._copying])
        self._thread.shutdown()
        self._connection.close()


def _copy(connection: apsw.Connection) -> int:
    """Copy until little is left, and return how many pages the log had; what fails now is tried at the next turn."""
    pages = 0
    with suppress(apsw.Error):
        for _ in range(_MOST_ROUNDS):
            pages, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
            if pages - copied <= _SHORT_REST:
                break
    return pages
