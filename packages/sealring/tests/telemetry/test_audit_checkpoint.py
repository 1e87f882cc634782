import os

import pytest

from sealring.protocol.audit_anchor import AuditAnchor, parse_anchors
from sealring.protocol.instant import Instant
from sealring.telemetry.audit_checkpoint import CheckpointLines
from sealring.telemetry.standard_output import StandardOutput

CHECKPOINT = AuditAnchor(issuer="https://a.example", at=Instant(5), heads={"node": (3, b"m" * 32)}, mac=b"n" * 32)


async def test_a_checkpoint_is_one_line_that_is_read_back() -> None:
    reading, writing = os.pipe()
    await CheckpointLines(StandardOutput(writing)).write(CHECKPOINT)
    line = os.read(reading, 65536).decode()
    os.close(reading)
    os.close(writing)
    assert line.index("\n") == len(line) - 1
    assert parse_anchors(line) == (CHECKPOINT,)


async def test_a_closed_output_is_an_error_for_the_caller_to_tell() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with pytest.raises(OSError, match="pipe"):
        await CheckpointLines(StandardOutput(writing)).write(CHECKPOINT)
    os.close(writing)


async def test_a_pipe_that_nobody_empties_holds_up_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    lines = CheckpointLines(StandardOutput(writing), write_seconds=0.05)
    for _ in range(2):
        with pytest.raises(TimeoutError):
            await lines.write(CHECKPOINT)
    os.close(reading)  # the waiting thread fails and ends
