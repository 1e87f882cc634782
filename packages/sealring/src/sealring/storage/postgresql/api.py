"""APIs on PostgreSQL."""

from collections.abc import Sequence
from typing import Any

from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.group_commit import Act
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.api import api_of, api_row
from sealring.storage.sql import api as sql


class PostgresqlApis:
    """`ports.ApiStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self._recent = database.keep_recent(self._read)

    async def add(self, api: Api, *, events: Sequence[AuditEvent]) -> bool:
        """Register an API; False where the identifier is taken."""
        return await self._change(sql.ADD_API, api_row(api), events=events)

    async def find(self, identifier: str) -> Api | None:
        """Read an API."""
        return await self._recent.find(identifier)

    async def list_all(self) -> tuple[Api, ...]:
        """List all APIs."""
        return tuple(api_of(row[0]) for row in await self._database.read_all(sql.LIST_APIS, {}))

    async def replace(self, api: Api, *, read: Api, events: Sequence[AuditEvent]) -> bool:
        """Replace an API's registration; False where it is no longer as it was `read`."""
        row = api_row(api)

        async def act(transaction: Transaction, journal: Journal) -> bool:
            await transaction.one(sql.LOCK_API, row)
            # Compared as records, not as texts: a row that an older version wrote lacks members that have defaults.
            present = await transaction.one(sql.FIND_API, row)
            if present is None or api_of(present[0]) != read:
                return False
            await transaction.all(sql.REPLACE_API, row)
            journal.record(events)
            return True

        return bool(await self._act(act, key=api.identifier))

    async def delete(self, identifier: str, *, events: Sequence[AuditEvent]) -> bool:
        """Delete an API; False for an unknown one."""
        return await self._change(sql.DELETE_API, {"identifier": identifier}, events=events)

    async def _change(self, statement: str, values: dict[str, Any], *, events: Sequence[AuditEvent]) -> bool:
        async def act(transaction: Transaction, journal: Journal) -> bool:
            if await transaction.one(statement, values) is None:
                return False
            journal.record(events)
            return True

        return bool(await self._act(act, key=values["identifier"]))

    async def _read(self, identifier: str) -> Api | None:
        row = await self._database.read(sql.FIND_API, {"identifier": identifier})
        return None if row is None else api_of(row[0])

    async def _act(self, act: Act, *, key: str) -> Any:  # noqa: ANN401 -- an act's own result
        try:
            return await self._database.act(act, key=key)
        finally:
            self._recent.forget()
