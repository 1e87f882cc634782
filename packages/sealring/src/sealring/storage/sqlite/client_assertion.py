"""Used assertions of clients on SQLite."""

import apsw

from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.sql import client_assertion as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteClientAssertions:
    """`ports.ClientAssertionStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def spend(self, assertion: AcceptedAssertion) -> bool:
        """Note that an assertion is used now; False where it was before."""
        values = {"digest": assertion.digest, "expires_at": assertion.expires_at}

        def act(connection: apsw.Connection, _journal: Journal) -> bool:
            return connection.execute(sql.SPEND_ASSERTION, values).get is not None

        return bool(await self._database.act(act, key=assertion.digest))

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those that expired before an instant."""

        def act(connection: apsw.Connection, _journal: Journal) -> int:
            connection.execute(sql.FORGET_ASSERTIONS, {"before": before, "limit": limit})
            return connection.changes()

        return int(await self._database.act(act))
