import pytest

from sealring.protocol.audit_anchor import AuditAnchor, check_anchor
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.services.audit_checkpoint import AuditCheckpoints, WriteCheckpoint
from sealring.services.desk import Desk

EVENT = AuditEvent(event="node_started", at=Instant(1000), actor="sealring")


def checkpoints(desk: Desk, write: WriteCheckpoint) -> AuditCheckpoints:
    return AuditCheckpoints(
        store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key, clock=desk.clock, write=write
    )


async def test_a_checkpoint_is_written_only_where_something_was_recorded_since_the_last_one(desk: Desk) -> None:
    written: list[AuditAnchor] = []

    async def write(checkpoint: AuditAnchor) -> None:
        written.append(checkpoint)

    made = checkpoints(desk, write)
    await desk.store.audit.record([EVENT])
    assert [await made.write_due(), await made.write_due()] == [True, False]
    await desk.store.audit.record([EVENT, EVENT])
    assert await made.write_due()
    assert [checkpoint.heads["node"][0] for checkpoint in written] == [1, 3]
    assert all(check_anchor(each, issuer=desk.issuer, audit_key=desk.audit_key) is None for each in written)


async def test_a_checkpoint_that_could_not_be_written_stays_due(desk: Desk) -> None:
    full = [True]

    async def write(_checkpoint: AuditAnchor) -> None:
        if full.pop():
            raise OSError(28, "No space left on device")

    made = checkpoints(desk, write)
    with pytest.raises(OSError, match="No space"):
        await made.write_due()
    full.append(False)
    assert await made.write_due()
