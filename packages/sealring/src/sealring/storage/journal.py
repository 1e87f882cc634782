"""What acts leave behind besides their rows, gathered until their transaction ends."""

from collections.abc import Iterable, Sequence

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.revocation import Revocation


class Journal:
    """What an act leaves behind besides its rows: audit events, and what the revocation feed must tell."""

    __slots__ = ("events", "revocations")

    def __init__(self) -> None:
        self.events: list[AuditEvent] = []
        self.revocations: list[Revocation] = []

    def record(self, events: Sequence[AuditEvent]) -> None:
        """Add events to the chain, in the commit of this act."""
        self.events.extend(events)

    def erase_personal(self, sub: str) -> None:
        """Leave the personal part out of what this commit records of a subject so far."""
        self.events = [
            msgspec.structs.replace(event, personal={}) if event.sub == sub else event for event in self.events
        ]

    def revoke(self, revocations: Iterable[Revocation]) -> None:
        """Add what this act ended to the feed, in its commit."""
        self.revocations.extend(revocations)
