"""Leases on PostgreSQL."""

from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.sql import lease as sql


class PostgresqlLeases:
    """`ports.LeaseStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database

    async def take(self, name: str, *, holder: str, now: Instant, expires_at: Instant) -> bool:
        """Take or keep a lease; False while another holder has it."""
        values = {"name": name, "holder": holder, "now": now, "expires_at": expires_at}

        async def act(transaction: Transaction, _journal: Journal) -> bool:
            return await transaction.one(sql.TAKE_LEASE, values) is not None

        return bool(await self._database.act(act, key=name))
