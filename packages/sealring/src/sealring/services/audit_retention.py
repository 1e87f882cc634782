"""Retention: removes the audit's oldest events once they are older than wanted (SECURITY F1)."""

from typing import Final

import structlog

from sealring.ports import Clock, Store
from sealring.protocol.audit_chain import ChainProblem
from sealring.protocol.audit_retention import (
    AuditClosing,
    close_segment,
    retention_event,
    retention_limit,
    take_old_segment,
)

_STEP_EVENTS: Final = 300
_log = structlog.get_logger()


class AuditRetention:
    """Removes old segments step by step, and remembers which chains do not hold: these are evidence, and stay.

    `days`: how long events are kept, 0 for good.
    """

    def __init__(self, *, store: Store, audit_key: bytes, clock: Clock, days: int) -> None:
        self._store = store
        self._audit_key = audit_key
        self._clock = clock
        self._days = days
        self._broken: set[str] = set()

    async def apply(self) -> AuditClosing | ChainProblem | None:
        """Remove at most about 300 events of one chain; None where nothing is old.

        Returns the closing that now stands for them; or why the chain does not hold, told once for each writer.
        """
        if self._days == 0:
            return None
        now = self._clock()
        before = retention_limit(self._days, now=now)
        found = await self._store.audit.find_old_segment(before=before, limit=_STEP_EVENTS, without=self._broken)
        if found is None:
            return None
        segment = take_old_segment(found, before=before)
        closing = close_segment(segment, audit_key=self._audit_key, now=now)
        if isinstance(closing, ChainProblem):
            self._broken.add(segment.writer)
            advice = "This chain was altered, and its old events are kept. Run `sealring audit verify`."
            _log.critical("audit_retention_refused", writer=closing.writer, sequence=closing.sequence, advice=advice)
            return closing
        event = retention_event(segment, now=now)
        events = [] if event is None else [event]
        removed = await self._store.audit.remove_segment(closing, previous=segment.closing, events=events)
        return closing if removed else None
