"""Used assertions of clients on PostgreSQL."""

from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.sql import client_assertion as sql


class PostgresqlClientAssertions:
    """`ports.ClientAssertionStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def spend(self, assertion: AcceptedAssertion) -> bool:
        """Note that an assertion is used now; False where it was before, on any node."""
        values = {"digest": assertion.digest, "expires_at": assertion.expires_at}

        async def act(transaction: Transaction, _journal: Journal) -> bool:
            return await transaction.one(sql.SPEND_ASSERTION, values) is not None

        return bool(await self._database.act(act, key=assertion.digest))

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete those that expired before an instant."""

        async def act(transaction: Transaction, _journal: Journal) -> int:
            return await transaction.change(sql.FORGET_ASSERTIONS, {"before": before, "limit": limit})

        return int(await self._database.act(act))
