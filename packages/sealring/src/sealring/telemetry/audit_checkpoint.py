"""The audit's checkpoints on standard output: one JSON line each, for whoever collects the log (SECURITY F1)."""

import asyncio
import os
import sys
from threading import Thread

import msgspec

from sealring.protocol.audit_anchor import CHECKPOINT_EVENT, AuditAnchor


class CheckpointLines:
    """Writes checkpoints to a file descriptor, standard output where none is named."""

    def __init__(self, descriptor: int | None = None, *, write_seconds: float = 5) -> None:
        self._descriptor = descriptor
        self._write_seconds = write_seconds
        self._writing: Thread | None = None

    async def write(self, checkpoint: AuditAnchor) -> None:
        """Write one line. Raises OSError, and TimeoutError (which is one) where nobody reads for `write_seconds`."""
        if self._writing is not None and self._writing.is_alive():
            raise TimeoutError("the line before is not written yet")
        descriptor = sys.stdout.fileno() if self._descriptor is None else self._descriptor
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()

        def settle(failure: OSError | None) -> None:
            if written.done():
                return
            if failure is None:
                written.set_result(None)
            else:
                written.set_exception(failure)

        def write() -> None:
            failure = _write(descriptor, _line(checkpoint))
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, failure)

        # A daemon: a pipe that nobody empties shall hold up neither the loop nor the end of the process.
        self._writing = Thread(target=write, name="audit_checkpoint", daemon=True)
        self._writing.start()
        async with asyncio.timeout(self._write_seconds):
            await written


def _line(checkpoint: AuditAnchor) -> bytes:
    return msgspec.json.encode({"event": CHECKPOINT_EVENT, "level": "info", "anchor": checkpoint}) + b"\n"


def _write(descriptor: int, line: bytes) -> OSError | None:
    try:
        while line:
            line = line[os.write(descriptor, line) :]
    except OSError as failure:
        return failure
    return None
