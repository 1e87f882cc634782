"""The revocation feed on SQLite."""

import asyncio
from collections.abc import Sequence

import apsw
import msgspec

from sealring.ports import FeedGap, FeedHead, FeedPage, FeedSnapshot
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import FIRST_DIGEST, MOST_STEPS, Revocation
from sealring.storage.journal import Journal
from sealring.storage.rows.revocation import entries_of, head_of
from sealring.storage.sql import revocation as sql
from sealring.storage.sqlite.database import SqliteDatabase
from sealring_verify.revocation_feed import revocation_id


class SqliteRevocations:
    """`ports.RevocationStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def head(self) -> FeedHead:
        """Say how far the feed has come."""
        return head_of(self._database.read(sql.FIND_HEAD, {}))

    async def read_after(self, after: int, *, audience: str, now: Instant, limit: int) -> FeedPage | FeedGap:
        """Read what follows a position, at most `limit` entries."""
        head = await self.head()
        previous = self._digest_at(after, head)
        if previous is None:
            return FeedGap()
        values = {"after": after, "number": head.number, "audience": audience, "now": now, "limit": limit}
        entries = entries_of(self._database.read_all(sql.LIST_AFTER, values))
        if len(entries) == limit:
            last = entries[-1].number
            head = msgspec.structs.replace(head, number=last, digest=self._digest_at(last, head) or head.digest)
        return FeedPage(after=after, previous=previous, head=head, entries=entries)

    async def snapshot(self, *, audience: str, now: Instant) -> FeedSnapshot:
        """Read all that lives, off the event loop where the database is a file."""

        def read(connection: apsw.Connection) -> FeedSnapshot:
            with connection:  # one view of the head and the rows
                head = head_of(connection.execute(sql.FIND_HEAD).fetchone())
                entries = entries_of(connection.execute(sql.LIST_LIVE, {"audience": audience, "now": now}))
            return FeedSnapshot(head=head, entries=entries)

        snapshot: FeedSnapshot = await self._database.read_apart(read)
        return snapshot

    async def audiences_after(self, after: int) -> frozenset[str | None]:
        """Name the audiences of the entries beyond a number."""
        return frozenset(row[0] for row in self._database.read_all(sql.LIST_AUDIENCES_AFTER, {"after": after}))

    async def wait_beyond(self, number: int, *, seconds: float) -> None:
        """Return once the feed is beyond `number`, or after so many seconds."""
        grown = self._database.feed_growth()
        if (await self.head()).number > number:
            return
        # The future is shared by all who wait, so it must survive whoever gives up.
        await asyncio.wait([grown], timeout=seconds)

    async def end_token(self, revocation: Revocation, *, most: int, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End one token, unless its client has `most` ended ones that live; one that has ended is not told again."""
        client = revocation_id("client", revocation.client_id or "")
        values = {"client_id": revocation.client_id, "client": client, "now": now}
        named = {"id": revocation_id(revocation.kind, revocation.value), "now": now}
        over_steps = {"client_id": revocation.client_id, "most": MOST_STEPS * most, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.FIND_LIVE_ID, named).get is not None:
                return True
            if connection.execute(sql.COUNT_LIVE_TOKENS_OF_CLIENT, values).get >= most:
                return False
            if connection.execute(sql.COUNT_LIVE_TOKENS_OVER_STEPS, over_steps).get >= over_steps["most"]:
                return False
            journal.revoke([revocation])
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=revocation.client_id))

    async def has_ended(self, jti: str, *, now: Instant) -> bool:
        """Say whether a token was ended by its `jti`."""
        return self._database.read(sql.FIND_LIVE_ID, {"id": revocation_id("jti", jti), "now": now}) is not None

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete entries that nobody needed any more `before` an instant; return how many."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_REVOCATIONS, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))

    def _digest_at(self, number: int, head: FeedHead) -> bytes | None:
        if number == head.number:
            return head.digest
        if number == 0:
            return FIRST_DIGEST
        row = None if number > head.number else self._database.read(sql.FIND_DIGEST, {"number": number})
        return None if row is None else bytes(row[0])
