"""Checking the audit part by part, so that no chain need be in memory whole (SECURITY F1)."""

from collections.abc import Iterable

import msgspec

from sealring.protocol.audit_anchor import AuditAnchor, ChainPlace, ChainRemark, find_cut, find_removed
from sealring.protocol.audit_chain import AuditRow, ChainHead, ChainProblem, check_chain
from sealring.protocol.audit_retention import RETENTION_EVENT, AuditClosing, AuditPart, chain_start


class _Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What the details of an `audit_retention_applied` tell of a closing."""

    writer: str
    last_sequence: int


class AuditVerification:
    """Takes the parts of all chains in order, and remembers what is needed to judge the whole.

    `events`, `removed`: how many events were seen, and how many the closings tell of. `heads`: of the chains that hold.
    """

    def __init__(self, *, audit_key: bytes, anchors: Iterable[AuditAnchor] = ()) -> None:
        self._audit_key = audit_key
        self._anchors = tuple(anchors)
        self._asked = {(writer, sequence) for anchor in self._anchors for writer, (sequence, _) in anchor.heads.items()}
        self._seen: dict[ChainPlace, bytes] = {}
        self._states: dict[str, ChainHead | ChainProblem] = {}
        self._closings: dict[str, AuditClosing] = {}
        self._announced: dict[str, int] = {}
        self.events = 0

    def take(self, part: AuditPart) -> None:
        """Take the next part of a writer's chain; after one that does not hold, the rest of the chain says nothing."""
        writer = part.writer
        if writer not in self._states:
            self._begin(part)
        self.events += len(part.rows)
        for link in part.links:
            if (writer, link.last_sequence) in self._asked:
                self._seen[writer, link.last_sequence] = link.mac
        state = self._states[writer]
        if isinstance(state, ChainHead):
            state = check_chain(part.rows, part.links, writer=writer, audit_key=self._audit_key, start=state)
            self._states[writer] = state
        if isinstance(state, ChainHead):
            for row in part.rows:
                self._hear(row)

    @property
    def writers(self) -> int:
        """Return how many chains there are."""
        return len(self._states)

    @property
    def removed(self) -> int:
        """Return how many events retention has removed, as the closings that hold tell."""
        return sum(closing.events for closing in self._closings.values())

    @property
    def heads(self) -> dict[str, ChainHead]:
        """Return how far each chain that holds has come."""
        return {writer: state for writer, state in self._states.items() if isinstance(state, ChainHead)}

    def problems(self) -> tuple[ChainProblem, ...]:
        """Return where a chain does not hold, a closing is gone, or an anchor saw something else, once all is taken."""
        found = [state for state in self._states.values() if isinstance(state, ChainProblem)]
        found += [
            ChainProblem(writer=writer, sequence=sequence, sentence="The closing record of retention is gone or older.")
            for writer, sequence in sorted(self._announced.items())
            if writer not in self._closings or self._closings[writer].last_sequence < sequence
        ]
        cuts = {cut for anchor in self._anchors for cut in find_cut(anchor, self._seen, self._closings)}
        return (*found, *sorted(cuts, key=lambda cut: (cut.writer, cut.sequence)))

    def remarks(self) -> tuple[ChainRemark, ...]:
        """Return what cannot be said of the anchors' places because retention removed them, once all is taken."""
        remarks = {remark for anchor in self._anchors for remark in find_removed(anchor, self._closings)}
        return tuple(sorted(remarks, key=lambda remark: remark.writer))

    def _begin(self, part: AuditPart) -> None:
        start = chain_start(part.closing, writer=part.writer, audit_key=self._audit_key)
        self._states[part.writer] = start
        if part.closing is not None and isinstance(start, ChainHead):
            self._closings[part.writer] = part.closing

    def _hear(self, row: AuditRow) -> None:
        """A closing without a chain has nothing after it that would miss it, so removals are remembered as told."""
        if row.event == RETENTION_EVENT:
            told = msgspec.json.decode(row.details, type=_Announcement)
            self._announced[told.writer] = max(told.last_sequence, self._announced.get(told.writer, 0))
