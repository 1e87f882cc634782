"""APIs on SQLite."""

from collections.abc import Sequence
from typing import Any

import apsw

from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.journal import Journal
from sealring.storage.rows.api import api_of, api_row
from sealring.storage.sql import api as sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteApis:
    """`ports.ApiStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, api: Api, *, events: Sequence[AuditEvent]) -> bool:
        """Register an API; False where the identifier is taken."""
        return await self._change(sql.ADD_API, api_row(api), events=events)

    async def find(self, identifier: str) -> Api | None:
        """Read an API."""
        row = self._database.read(sql.FIND_API, {"identifier": identifier})
        return None if row is None else api_of(row[0])

    async def list_all(self) -> tuple[Api, ...]:
        """List all APIs."""
        return tuple(api_of(row[0]) for row in self._database.read_all(sql.LIST_APIS, {}))

    async def replace(self, api: Api, *, read: Api, events: Sequence[AuditEvent]) -> bool:
        """Replace an API's registration; False where it is no longer as it was `read`."""
        row = api_row(api)

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            # Compared as records, not as texts: a row that an older version wrote lacks members that have defaults.
            present = connection.execute(sql.FIND_API, row).fetchone()
            if present is None or api_of(present[0]) != read:
                return False
            connection.execute(sql.REPLACE_API, row).fetchall()
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=api.identifier))

    async def delete(self, identifier: str, *, events: Sequence[AuditEvent]) -> bool:
        """Delete an API; False for an unknown one."""
        return await self._change(sql.DELETE_API, {"identifier": identifier}, events=events)

    async def _change(self, statement: str, values: dict[str, Any], *, events: Sequence[AuditEvent]) -> bool:
        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(statement, values).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=values["identifier"]))
