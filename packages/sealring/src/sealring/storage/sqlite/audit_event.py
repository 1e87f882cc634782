"""The audit chain on SQLite, for reading; acts write it themselves, through their journal."""

from collections.abc import Mapping, Sequence
from typing import Any

import apsw
import msgspec

from sealring.ports import AuditChain
from sealring.protocol.audit_chain import AuditLink, AuditRow, ChainHead
from sealring.protocol.audit_event import AuditEvent, RecordedEvent
from sealring.protocol.instant import Seconds
from sealring.storage.sql import audit_event as sql
from sealring.storage.sqlite.database import SqliteDatabase
from sealring.storage.sqlite.group_commit import Journal


class SqliteAudit:
    """`ports.AuditStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def record(self, events: Sequence[AuditEvent]) -> None:
        """Record events that belong to no change."""

        def act(_connection: apsw.Connection, journal: Journal) -> None:
            journal.record(events)

        await self._database.act(act)

    async def record_refusal(self, event: AuditEvent, *, quiet: Seconds) -> None:
        """Record a refusal that changed nothing, unless its session had one of the same code in the `quiet` before."""
        recent = {"sid": event.sid, "code": event.code, "since": event.at - quiet * 1000}
        if self._database.read(sql.FIND_RECENT, recent) is None:
            await self.record([event])

    async def list_events(self, *, after: int, limit: int) -> tuple[tuple[int, RecordedEvent], ...]:
        """List events with their position, from the one after `after` on; -1 means the last `limit`."""
        if after < 0:
            rows = self._database.read_all(sql.LIST_LAST_EVENTS, {"limit": limit})
        else:
            rows = self._database.read_all(sql.LIST_EVENTS, {"after": after, "limit": limit})
        return tuple((int(row[0]), _recorded(_audit_row(row[1:]))) for row in rows)

    async def heads(self) -> Mapping[str, ChainHead]:
        """Read how far each writer's chain has come, by its last link alone."""
        rows = self._database.read_all(sql.LIST_HEADS, {})
        return {writer: ChainHead(sequence=sequence, mac=mac) for writer, sequence, mac in rows}

    async def chains(self) -> tuple[AuditChain, ...]:
        """Read every chain whole, for checking."""
        rows = [_audit_row(row[1:]) for row in self._database.read_all(sql.LIST_CHAIN, {})]
        links = [
            AuditLink(writer=writer, first_sequence=first, last_sequence=last, mac=mac)
            for writer, first, last, mac in self._database.read_all(sql.LIST_LINKS, {})
        ]
        writers = sorted({row.writer for row in rows} | {link.writer for link in links})
        return tuple(
            AuditChain(
                writer=writer,
                rows=tuple(row for row in rows if row.writer == writer),
                links=tuple(link for link in links if link.writer == writer),
            )
            for writer in writers
        )


def _audit_row(row: Any) -> AuditRow:  # noqa: ANN401 -- a row
    return AuditRow(**dict(zip(AuditRow.__struct_fields__, row, strict=True)))


def _recorded(row: AuditRow) -> RecordedEvent:
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
