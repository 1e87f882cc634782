"""Leases on SQLite."""

import apsw

from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.sql import lease as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteLeases:
    """`ports.LeaseStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def take(self, name: str, *, holder: str, now: Instant, expires_at: Instant) -> bool:
        """Take or keep a lease; False while another holder has it."""
        values = {"name": name, "holder": holder, "now": now, "expires_at": expires_at}

        def act(connection: apsw.Connection, _journal: Journal) -> bool:
            return connection.execute(sql.TAKE_LEASE, values).get is not None

        return bool(await self._database.act(act, key=name))
