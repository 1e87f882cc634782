"""Clients on SQLite."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import apsw

from sealring.ports import Registering
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client, TokenDelivery
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.rows.client import client_of, client_row
from sealring.storage.rows.revocation import revocation_of_client
from sealring.storage.sql import client as sql
from sealring.storage.sql import initial_access_token as token_sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sqlite.database import SqliteDatabase


class SqliteClients:
    """`ports.ClientStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, client: Client, *, events: Sequence[AuditEvent]) -> bool:
        """Register a client; False where a client or a person has the id."""
        return await self._change(sql.ADD_CLIENT, client_row(client), events=events)

    async def register(
        self,
        client: Client,
        *,
        initial_access_token: bytes | None,
        most: int,
        now: Instant,
        events: Sequence[AuditEvent],
    ) -> Registering:
        """Register a client by its own word, and spend a use of what let it."""
        token = {"digest": initial_access_token, "now": now}

        def act(connection: apsw.Connection, journal: Journal) -> Registering:
            if initial_access_token is not None and connection.execute(token_sql.FIND_LIVE_TOKEN, token).get is None:
                return "token_spent"
            if connection.execute(sql.COUNT_SELF_REGISTERED).get >= most:
                return "full"
            if connection.execute(sql.ADD_CLIENT, client_row(client)).get is None:
                return "taken"
            if initial_access_token is not None:
                connection.execute(token_sql.SPEND_TOKEN, token)
            journal.record(events)
            return "registered"

        outcome: Registering = await self._database.act(act, key=client.client_id)
        return outcome

    async def find(self, client_id: str) -> Client | None:
        """Read a client."""
        row = self._database.read(sql.FIND_CLIENT, {"client_id": client_id})
        return None if row is None else client_of(*row)

    async def list_all(self) -> tuple[Client, ...]:
        """List all clients."""
        return tuple(client_of(*row) for row in self._database.read_all(sql.LIST_CLIENTS, {}))

    async def list_initiating(self, *, limit: int) -> tuple[Client, ...]:
        """List enabled clients with an `initiate_login_uri`, those of the operator first."""
        return tuple(client_of(*row) for row in self._database.read_all(sql.LIST_INITIATING, {"limit": limit}))

    async def replace(self, client: Client, *, read: Client, events: Sequence[AuditEvent]) -> bool:
        """Replace everything but epoch, state and birth; False where the client is no longer as it was `read`."""
        row = client_row(client)

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if _find(connection, client.client_id) != read:
                return False
            connection.execute(sql.REPLACE_CLIENT, row).fetchall()
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=client.client_id))

    async def set_disabled(
        self, client_id: str, *, disabled: bool, now: Instant, events: Sequence[AuditEvent]
    ) -> int | None:
        """Disable (raise the epoch, end its sessions) or enable; None for an unknown client."""
        if not disabled:
            return 0 if await self._change(sql.ENABLE_CLIENT, {"client_id": client_id}, events=events) else None
        return await self._end_with(sql.DISABLE_CLIENT, client_id, reason="client_disabled", now=now, events=events)

    async def delete(self, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Delete a client and end its sessions; None for an unknown client."""
        return await self._end_with(sql.DELETE_CLIENT, client_id, reason="client_deleted", now=now, events=events)

    async def compromise(
        self, client: Client, *, read: Client, now: Instant, events: Sequence[AuditEvent]
    ) -> int | None:
        """Replace a registration, raise the epoch and end the sessions; None where it is not as it was `read`."""
        return await self._end_with(
            sql.COMPROMISE_CLIENT,
            client.client_id,
            reason="client_compromised",
            now=now,
            events=events,
            row=client_row(client),
            read=read,
        )

    async def raise_epoch(self, client_id: str, *, now: Instant, events: Sequence[AuditEvent]) -> int | None:
        """Raise the epoch and end the sessions of a client, which stays as registered; None for an unknown client."""
        return await self._end_with(
            sql.RAISE_CLIENT_EPOCH, client_id, reason="client_compromised", now=now, events=events
        )

    async def find_deliveries(self, origin: str) -> frozenset[TokenDelivery]:
        """Say how tokens come to the enabled clients that registered this Origin; empty where none did."""
        return frozenset(row[0] for row in self._database.read_all(sql.FIND_DELIVERIES, {"origin": origin}))

    async def _change(self, statement: str, values: dict[str, Any], *, events: Sequence[AuditEvent]) -> bool:
        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(statement, values).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=values["client_id"]))

    async def _end_with(
        self,
        statement: str,
        client_id: str,
        *,
        reason: str,
        now: Instant,
        events: Sequence[AuditEvent],
        row: Mapping[str, Any] = MappingProxyType({}),
        read: Client | None = None,
    ) -> int | None:
        values = {**row, "client_id": client_id, "now": now, "reason": reason}

        def act(connection: apsw.Connection, journal: Journal) -> int | None:
            if read is not None and _find(connection, client_id) != read:
                return None
            # The sessions first, while they still stand under the client's old epoch.
            ended = len(connection.execute(session_sql.END_SESSIONS_OF_CLIENT, values).fetchall())
            epoch = connection.execute(statement, values).get
            if epoch is None:
                return None
            journal.revoke([revocation_of_client(client_id, epoch=epoch, now=now)])
            journal.record(events)
            return ended

        ended: int | None = await self._database.act(act, key=client_id)
        return ended


def _find(connection: apsw.Connection, client_id: str) -> Client | None:
    # Compared as records, not as texts: a row that an older version wrote lacks members that have defaults.
    present = connection.execute(sql.FIND_CLIENT, {"client_id": client_id}).fetchone()
    return None if present is None else client_of(*present)
