"""Writes the audit chain of one run of this node, inside the transactions of the acts themselves (SECURITY F1)."""

from collections.abc import Sequence

import msgspec

from sealring.protocol.audit_chain import EMPTY_CHAIN, SALT_OCTETS, ChainHead, audit_row, extend_chain
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.secret import Randomness
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.sql import audit_event as sql


class AuditWriter:
    """Numbers events and joins them to the chain; the head moves only when their commit has held."""

    def __init__(self, *, writer: str, audit_key: bytes, randomness: Randomness) -> None:
        self._writer = writer
        self._audit_key = audit_key
        self._randomness = randomness
        self._head = EMPTY_CHAIN

    @property
    def head(self) -> ChainHead:
        """How far the chain has come."""
        return self._head

    async def write(self, transaction: Transaction, events: Sequence[AuditEvent]) -> ChainHead:
        """Write events as one group, and return the head that holds once their transaction is committed.

        From here to the end no other node records an event, so that positions are in the order of commits.
        """
        if not events:
            return self._head
        last = await transaction.value(sql.MOVE_POSITION, {"count": len(events)})
        rows = [
            audit_row(
                event, writer=self._writer, sequence=self._head.sequence + number, salt=self._randomness(SALT_OCTETS)
            )
            for number, event in enumerate(events, start=1)
        ]
        link = extend_chain(self._head, rows, writer=self._writer, audit_key=self._audit_key)
        first = last - len(rows) + 1
        placed = [msgspec.structs.asdict(row) | {"position": first + place} for place, row in enumerate(rows)]
        await transaction.change_each(sql.ADD_EVENT_AT, placed)
        await transaction.change(sql.ADD_LINK, msgspec.structs.asdict(link))
        return ChainHead(sequence=link.last_sequence, mac=link.mac)

    def adopt(self, head: ChainHead) -> None:
        """Go on from `head`: its transaction is durable."""
        self._head = head

    async def read_head(self, transaction: Transaction) -> ChainHead:
        """Read how far the chain has come, and go on from there.

        Waits for a transaction of ours whose connection was lost in COMMIT: it holds the position until it is over, so
        what is read then stays true.
        """
        await transaction.one(sql.LOCK_POSITION)
        heads = {writer: (sequence, mac) for writer, sequence, mac in await transaction.all(sql.LIST_HEADS)}
        if self._writer in heads:
            sequence, mac = heads[self._writer]
            self._head = ChainHead(sequence=sequence, mac=mac)
        else:
            self._head = EMPTY_CHAIN
        return self._head
