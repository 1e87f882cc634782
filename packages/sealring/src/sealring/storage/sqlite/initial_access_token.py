"""Initial access tokens on SQLite."""

from collections.abc import Sequence

import apsw

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.initial_access_token import InitialAccessToken
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.rows.initial_access_token import initial_access_token_of, initial_access_token_row
from sealring.storage.sql import initial_access_token as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteInitialAccessTokens:
    """`ports.InitialAccessTokenStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, token: InitialAccessToken, *, events: Sequence[AuditEvent]) -> None:
        """Keep a new token."""

        def act(connection: apsw.Connection, journal: Journal) -> None:
            connection.execute(sql.ADD_TOKEN, initial_access_token_row(token))
            journal.record(events)

        await self._database.act(act)

    async def find_live(self, digest: bytes, *, now: Instant) -> InitialAccessToken | None:
        """Read the token of a digest; None where it is unknown, used up or expired."""
        row = self._database.read(sql.FIND_LIVE_TOKEN, {"digest": digest, "now": now})
        return None if row is None else initial_access_token_of(row)

    async def list_all(self) -> tuple[InitialAccessToken, ...]:
        """List all tokens, the oldest first."""
        return tuple(initial_access_token_of(row) for row in self._database.read_all(sql.LIST_TOKENS, {}))

    async def delete(self, id: str, *, events: Sequence[AuditEvent]) -> bool:  # noqa: A002 -- the record's own word
        """Delete a token; False for an unknown one."""

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.DELETE_TOKEN, {"id": id}).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=id))

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those that expired before an instant."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_TOKENS, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))
