"""The revocation feed on PostgreSQL."""

from collections.abc import Sequence

import msgspec

from sealring.ports import FeedGap, FeedHead, FeedPage, FeedSnapshot
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import FIRST_DIGEST, MOST_STEPS, FeedEntry, Revocation
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.revocation import entries_of, head_of
from sealring.storage.sql import client as client_sql
from sealring.storage.sql import revocation as sql
from sealring_verify.revocation_feed import revocation_id


class PostgresqlRevocations:
    """`ports.RevocationStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def head(self) -> FeedHead:
        """Say how far the feed has come."""
        return head_of(await self._database.read(sql.FIND_HEAD, {}))

    async def read_after(self, after: int, *, audience: str, now: Instant, limit: int) -> FeedPage | FeedGap:
        """Read what follows a position, at most `limit` entries."""
        head = await self.head()
        previous = await self._digest_at(after, head)
        if previous is None:
            return FeedGap()
        values = {"after": after, "number": head.number, "audience": audience, "now": now, "limit": limit}
        entries = entries_of(await self._database.read_all(sql.LIST_AFTER, values))
        if len(entries) == limit:
            last = entries[-1].number
            digest = await self._digest_at(last, head) or head.digest
            head = msgspec.structs.replace(head, number=last, digest=digest)
        return FeedPage(after=after, previous=previous, head=head, entries=entries)

    async def snapshot(self, *, audience: str, now: Instant) -> FeedSnapshot:
        """Read all that lives, a part at a time, so that nobody else waits for it."""
        entries: list[FeedEntry] = []
        async with self._database.view() as transaction:
            head = head_of(await transaction.one(sql.FIND_HEAD))
            async for rows in transaction.parts(sql.LIST_LIVE, {"audience": audience, "now": now}):
                entries += entries_of(rows)
        return FeedSnapshot(head=head, entries=tuple(entries))

    async def audiences_after(self, after: int) -> frozenset[str | None]:
        """Name the audiences of the entries beyond a number."""
        return frozenset(row[0] for row in await self._database.read_all(sql.LIST_AUDIENCES_AFTER, {"after": after}))

    async def wait_beyond(self, number: int, *, seconds: float) -> None:
        """Return once the feed is beyond `number`, or after so many seconds."""
        await self._database.watch.wait_beyond(number, seconds=seconds)

    async def end_token(self, revocation: Revocation, *, most: int, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End one token, unless its client has `most` ended ones that live; one that has ended is not told again."""
        client = revocation_id("client", revocation.client_id or "")
        values = {"client_id": revocation.client_id, "client": client, "now": now}
        named = {"id": revocation_id(revocation.kind, revocation.value), "now": now}
        over_steps = {"client_id": revocation.client_id, "most": MOST_STEPS * most, "now": now}

        async def act(transaction: Transaction, journal: Journal) -> bool:
            # Held, so that of two nodes that count at once one counts what the other has added.
            await transaction.one(client_sql.LOCK_CLIENT, values)
            if await transaction.one(sql.FIND_LIVE_ID, named) is not None:
                return True
            if await transaction.value(sql.COUNT_LIVE_TOKENS_OF_CLIENT, values) >= most:
                return False
            if await transaction.value(sql.COUNT_LIVE_TOKENS_OVER_STEPS, over_steps) >= over_steps["most"]:
                return False
            journal.revoke([revocation])
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=revocation.client_id))

    async def has_ended(self, jti: str, *, now: Instant) -> bool:
        """Say whether a token was ended by its `jti`."""
        return await self._database.read(sql.FIND_LIVE_ID, {"id": revocation_id("jti", jti), "now": now}) is not None

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete entries that nobody needed any more `before` an instant; return how many."""

        async def act(transaction: Transaction, _journal: Journal) -> int:
            return await transaction.change(sql.FORGET_REVOCATIONS, {"before": before, "limit": limit})

        return int(await self._database.act(act))

    async def _digest_at(self, number: int, head: FeedHead) -> bytes | None:
        if number == head.number:
            return head.digest
        if number == 0:
            return FIRST_DIGEST
        row = None if number > head.number else await self._database.read(sql.FIND_DIGEST, {"number": number})
        return None if row is None else bytes(row[0])
