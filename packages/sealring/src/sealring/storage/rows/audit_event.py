"""Rows of the audit."""

from typing import Any

import msgspec

from sealring.protocol.audit_chain import AuditRow
from sealring.protocol.audit_event import AuditEvent, RecordedEvent


def audit_row_of(row: Any) -> AuditRow:  # noqa: ANN401 -- a row
    """Read a row of the audit from its columns, without the position."""
    return AuditRow(**dict(zip(AuditRow.__struct_fields__, row, strict=True)))


def recorded_of(row: AuditRow) -> RecordedEvent:
    """Read the event that a row of the audit records."""
    event = AuditEvent(
        event=row.event,
        at=row.at,
        actor=row.actor,
        outcome=row.outcome,
        code=row.code,
        sub=row.sub,
        client_id=row.client_id,
        sid=row.sid,
        api=row.api,
        network=row.network,
        country=row.country,
        error_id=row.error_id,
        details=msgspec.json.decode(row.details, type=dict[str, str | int]),
        personal={} if row.personal is None else msgspec.json.decode(row.personal, type=dict[str, str]),
    )
    return RecordedEvent(writer=row.writer, sequence=row.sequence, event=event)
