"""The audit's checkpoints on standard output: one JSON line each, for whoever collects the log (SECURITY F1)."""

import asyncio
from threading import Thread

import msgspec

from sealring.protocol.audit_anchor import CHECKPOINT_EVENT, AuditAnchor
from sealring.telemetry.standard_output import StandardOutput


class CheckpointLines:
    """Writes checkpoints to standard output."""

    def __init__(self, output: StandardOutput, *, write_seconds: float = 5) -> None:
        self._output = output
        self._write_seconds = write_seconds
        self._writing: Thread | None = None

    async def write(self, checkpoint: AuditAnchor) -> None:
        """Write one line. Raises OSError, and TimeoutError (which is one) where nobody reads for `write_seconds`."""
        if self._writing is not None and self._writing.is_alive():
            raise TimeoutError("the line before is not written yet")
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
            unwritten = self._output.write(_line(checkpoint))
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, None if unwritten is None else unwritten.failure)

        # A daemon: a pipe that nobody empties shall hold up neither the loop nor the end of the process.
        self._writing = Thread(target=write, name="audit_checkpoint", daemon=True)
        self._writing.start()
        async with asyncio.timeout(self._write_seconds):
            await written


def _line(checkpoint: AuditAnchor) -> bytes:
    return msgspec.json.encode({"event": CHECKPOINT_EVENT, "level": "info", "anchor": checkpoint}) + b"\n"
