"""The audit chain on PostgreSQL, for reading; acts write it themselves, through their journal."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import msgspec

from sealring.protocol.audit_chain import AuditLink, ChainHead
from sealring.protocol.audit_event import AuditEvent, RecordedEvent
from sealring.protocol.audit_retention import AuditClosing, AuditPart
from sealring.protocol.instant import Instant, Seconds
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.group_commit import Batch
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.audit_event import audit_row_of, recorded_of
from sealring.storage.sql import audit_event as sql

# Also rows below a chain's beginning are to be found: somebody may have put them there.
_BELOW_ALL: Final = -(2**63)
_ABOVE_ALL: Final = 2**63 - 1
_CLOSING_COLUMNS: Final = AuditClosing.__struct_fields__


class PostgresqlAudit:
    """`ports.AuditStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def record(self, events: Sequence[AuditEvent]) -> None:
        """Record events that belong to no change."""
        await self._database.join(_RECORD, events)

    async def record_refusal(self, event: AuditEvent, *, quiet: Seconds) -> None:
        """Record a refusal that changed nothing, unless its session had one of the same code in the `quiet` before."""
        recent = {"sid": event.sid, "code": event.code, "since": event.at - quiet * 1000}
        if await self._database.read(sql.FIND_RECENT, recent) is None:
            await self.record([event])

    async def list_events(self, *, after: int, limit: int) -> tuple[tuple[int, RecordedEvent], ...]:
        """List events with their position, from the one after `after` on; -1 means the last `limit`."""
        if after < 0:
            rows = await self._database.read_all(sql.LIST_LAST_EVENTS, {"limit": limit})
        else:
            rows = await self._database.read_all(sql.LIST_EVENTS, {"after": after, "limit": limit})
        return tuple((int(row[0]), recorded_of(audit_row_of(row[1:]))) for row in rows)

    async def heads(self) -> Mapping[str, ChainHead]:
        """Read how far each writer's chain has come, by its last link or its closing alone."""
        rows = await self._database.read_all(sql.LIST_HEADS, {})
        return {writer: ChainHead(sequence=sequence, mac=mac) for writer, sequence, mac in rows}

    async def walk(self, visit: Callable[[AuditPart], None], *, limit: int) -> None:
        """Show `visit` every chain in order, in parts of about `limit` events; the last one of each has no link."""
        async with self._database.view() as transaction:
            await walk_chains(transaction, visit, limit=limit)

    async def find_old_segment(self, *, before: Instant, limit: int, without: Collection[str]) -> AuditPart | None:
        """Read the oldest links of some writer, about `limit` events; the first link's are all older than `before`."""
        async with self._database.view() as transaction:
            newest = await transaction.value(sql.FIND_NEWEST)
            values = {"before": before, "without": sorted(without), "newest": newest}
            writer = await transaction.value(sql.FIND_OLD_WRITER_BUT, values)
            if writer is None:
                return None
            return await _read_part(transaction, str(writer), after=_BELOW_ALL, limit=limit, newest=newest)

    async def remove_segment(
        self, closing: AuditClosing, *, previous: AuditClosing | None, events: Sequence[AuditEvent]
    ) -> bool:
        """Put a closing in the place of what it closes; False where `previous` is not the closing that stands."""
        replaced = {"previous": None if previous is None else previous.mac}
        removed = {"writer": closing.writer, "last_sequence": closing.last_sequence}

        async def act(transaction: Transaction, journal: Journal) -> bool:
            if await transaction.change(sql.REPLACE_CLOSING, msgspec.structs.asdict(closing) | replaced) == 0:
                return False
            await transaction.change(sql.REMOVE_EVENTS, removed)
            await transaction.change(sql.REMOVE_LINKS, removed)
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=closing.writer))


async def walk_chains(transaction: Transaction, visit: Callable[[AuditPart], None], *, limit: int) -> None:
    """Show `visit` every chain as it is in a transaction; see `ports.AuditStore.walk`."""
    for row in await transaction.all(sql.LIST_WRITERS):
        await _walk_chain(transaction, str(row[0]), visit, limit=limit)


async def _walk_chain(transaction: Transaction, writer: str, visit: Callable[[AuditPart], None], *, limit: int) -> None:
    after = _BELOW_ALL
    while True:
        part = await _read_part(transaction, writer, after=after, limit=limit, newest=_ABOVE_ALL)
        await asyncio.to_thread(visit, part)
        if not part.links:
            return
        after = part.links[-1].last_sequence


async def _read_part(transaction: Transaction, writer: str, *, after: int, limit: int, newest: int) -> AuditPart:
    """Read whole links, at least one, of about `limit` events; where no link is left, rows that no link covers."""
    closing = await transaction.one(sql.FIND_CLOSING, {"writer": writer})
    values = {"writer": writer, "after": after, "limit": limit}
    links = [
        AuditLink(writer=writer, first_sequence=first, last_sequence=last, mac=mac)
        for writer, first, last, mac in await transaction.all(sql.LIST_LINKS, values)
    ]
    links = [link for link in links if link.last_sequence < links[0].last_sequence + limit]
    bounds = {"last": links[-1].last_sequence, "limit": _ABOVE_ALL} if links else {"last": _ABOVE_ALL, "limit": limit}
    rows = await transaction.all(sql.LIST_ROWS, values | {"newest": newest} | bounds)
    return AuditPart(
        writer=writer,
        closing=None if closing is None else AuditClosing(**dict(zip(_CLOSING_COLUMNS, closing, strict=True))),
        rows=tuple(audit_row_of(row[1:]) for row in rows),
        links=tuple(links),
    )


async def _record(_transaction: Transaction, journal: Journal, recorded: Sequence[Sequence[AuditEvent]]) -> list[None]:
    for events in recorded:
        journal.record(events)
    return [None] * len(recorded)


_RECORD: Final = Batch(rank=3, run=_record)
