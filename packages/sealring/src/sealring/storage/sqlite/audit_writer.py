"""Writes the audit chain of one run of this node, inside the transactions of the acts themselves (SECURITY F1)."""

from collections.abc import Sequence

import apsw
import msgspec

from sealring.protocol.audit_chain import EMPTY_CHAIN, SALT_OCTETS, ChainHead, audit_row, extend_chain
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.secret import Randomness
from sealring.storage.sql import audit_event as sql


class AuditWriter:
    """Numbers events and joins them to the chain; the head moves only when their commit has held."""

    def __init__(self, *, writer: str, audit_key: bytes, randomness: Randomness) -> None:
        self._writer = writer
        self._audit_key = audit_key
        self._randomness = randomness
        self._head = EMPTY_CHAIN

    @property
    def writer(self) -> str:
        """The name of this run of this node."""
        return self._writer

    def write(self, connection: apsw.Connection, events: Sequence[AuditEvent]) -> ChainHead:
        """Write events as one group, and return the head that holds once their transaction is committed."""
        if not events:
            return self._head
        rows = [
            audit_row(
                event, writer=self._writer, sequence=self._head.sequence + number, salt=self._randomness(SALT_OCTETS)
            )
            for number, event in enumerate(events, start=1)
        ]
        link = extend_chain(self._head, rows, writer=self._writer, audit_key=self._audit_key)
        connection.executemany(sql.ADD_EVENT, [msgspec.structs.asdict(row) for row in rows])
        connection.execute(sql.ADD_LINK, msgspec.structs.asdict(link))
        return ChainHead(sequence=link.last_sequence, mac=link.mac)

    def adopt(self, head: ChainHead) -> None:
        """Go on from `head`: its transaction is durable."""
        self._head = head
