"""The audit chain on SQLite, for reading; acts write it themselves, through their journal."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

import apsw
import msgspec

from sealring.protocol.audit_chain import AuditLink, ChainHead
from sealring.protocol.audit_event import AuditEvent, RecordedEvent
from sealring.protocol.audit_retention import AuditClosing, AuditPart
from sealring.protocol.instant import Instant, Seconds
from sealring.storage.journal import Journal
from sealring.storage.rows.audit_event import audit_row_of, recorded_of
from sealring.storage.sql import audit_event as sql
from sealring.storage.sqlite.database import SqliteDatabase

# Also rows below a chain's beginning are to be found: somebody may have put them there.
_BELOW_ALL: Final = -(2**63)
_ABOVE_ALL: Final = 2**63 - 1
_CLOSING_COLUMNS: Final = AuditClosing.__struct_fields__


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
        return tuple((int(row[0]), recorded_of(audit_row_of(row[1:]))) for row in rows)

    async def heads(self) -> Mapping[str, ChainHead]:
        """Read how far each writer's chain has come, by its last link or its closing alone."""
        rows = self._database.read_all(sql.LIST_HEADS, {})
        return {writer: ChainHead(sequence=sequence, mac=mac) for writer, sequence, mac in rows}

    async def walk(self, visit: Callable[[AuditPart], None], *, limit: int) -> None:
        """Show `visit` every chain in order, in parts of about `limit` events; the last one of each has no link."""

        def read(connection: apsw.Connection) -> None:
            with connection:  # one view: what is recorded or removed meanwhile is none of it
                for row in connection.execute(sql.LIST_WRITERS).fetchall():
                    _walk_chain(connection, str(row[0]), visit, limit=limit)

        await self._database.read_apart(read)

    async def find_old_segment(self, *, before: Instant, limit: int, without: Collection[str]) -> AuditPart | None:
        """Read the oldest links of some writer, about `limit` events; the first link's are all older than `before`."""
        names = msgspec.json.encode(sorted(without)).decode()

        def read(connection: apsw.Connection) -> AuditPart | None:
            found = None
            with connection:
                newest = connection.execute(sql.FIND_NEWEST).get
                values = {"before": before, "without": names, "newest": newest}
                writer = connection.execute(sql.FIND_OLD_WRITER, values).get
                if writer is not None:
                    found = _read_part(connection, str(writer), after=_BELOW_ALL, limit=limit, newest=newest)
            return found

        segment: AuditPart | None = await self._database.read_apart(read)
        return segment

    async def remove_segment(
        self, closing: AuditClosing, *, previous: AuditClosing | None, events: Sequence[AuditEvent]
    ) -> bool:
        """Put a closing in the place of what it closes; False where `previous` is not the closing that stands."""
        replaced = {"previous": None if previous is None else previous.mac}
        removed = {"writer": closing.writer, "last_sequence": closing.last_sequence}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            connection.execute(sql.REPLACE_CLOSING, msgspec.structs.asdict(closing) | replaced)
            if connection.changes() == 0:
                return False
            connection.execute(sql.REMOVE_EVENTS, removed)
            connection.execute(sql.REMOVE_LINKS, removed)
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=closing.writer))


def _walk_chain(connection: apsw.Connection, writer: str, visit: Callable[[AuditPart], None], *, limit: int) -> None:
    after = _BELOW_ALL
    while True:
        part = _read_part(connection, writer, after=after, limit=limit, newest=_ABOVE_ALL)
        visit(part)
        if not part.links:
            return
        after = part.links[-1].last_sequence


def _read_part(connection: apsw.Connection, writer: str, *, after: int, limit: int, newest: int) -> AuditPart:
    """Read whole links, at least one, of about `limit` events; where no link is left, rows that no link covers."""
    closing = connection.execute(sql.FIND_CLOSING, {"writer": writer}).fetchone()
    values = {"writer": writer, "after": after, "limit": limit}
    links = [
        AuditLink(writer=writer, first_sequence=first, last_sequence=last, mac=mac)
        for writer, first, last, mac in connection.execute(sql.LIST_LINKS, values)
    ]
    links = [link for link in links if link.last_sequence < links[0].last_sequence + limit]
    bounds = {"last": links[-1].last_sequence, "limit": -1} if links else {"last": _ABOVE_ALL, "limit": limit}
    rows = connection.execute(sql.LIST_ROWS, values | {"newest": newest} | bounds)
    return AuditPart(
        writer=writer,
        closing=None if closing is None else AuditClosing(**dict(zip(_CLOSING_COLUMNS, closing, strict=True))),
        rows=tuple(audit_row_of(row[1:]) for row in rows),
        links=tuple(links),
    )
