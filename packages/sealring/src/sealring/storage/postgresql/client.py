"""Clients on PostgreSQL."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from sealring.ports import Registering
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client, TokenDelivery
from sealring.protocol.instant import Instant
from sealring.storage.journal import Journal
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.group_commit import Act
from sealring.storage.postgresql.transaction import Transaction
from sealring.storage.rows.client import client_of, client_row
from sealring.storage.rows.revocation import revocation_of_client
from sealring.storage.sql import client as sql
from sealring.storage.sql import initial_access_token as token_sql
from sealring.storage.sql import session as session_sql
from sealring.storage.sql import user as user_sql


class PostgresqlClients:
    """`ports.ClientStore` on PostgreSQL."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self._recent = database.keep_recent(self._read)

    async def add(self, client: Client, *, events: Sequence[AuditEvent]) -> bool:
        """Register a client; False where a client or a person has the id."""
        return await self._change(sql.ADD_CLIENT, client_row(client), events=events, lock=user_sql.LOCK_NAMES)

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

        async def act(transaction: Transaction, journal: Journal) -> Registering:
            # Whoever registers holds this, on any node: nobody else is counted meanwhile.
            await transaction.one(user_sql.LOCK_NAMES)
            if initial_access_token is not None and await transaction.one(token_sql.HOLD_LIVE_TOKEN, token) is None:
                return "token_spent"
            if await transaction.value(sql.COUNT_SELF_REGISTERED_IN_JSON) >= most:
                return "full"
            if await transaction.one(sql.ADD_CLIENT, client_row(client)) is None:
                return "taken"
            if initial_access_token is not None:
                await transaction.change(token_sql.SPEND_TOKEN, token)
            journal.record(events)
            return "registered"

        outcome: Registering = await self._act(act, key=client.client_id)
        return outcome

    async def find(self, client_id: str) -> Client | None:
        """Read a client."""
        return await self._recent.find(client_id)

    async def list_all(self) -> tuple[Client, ...]:
        """List all clients."""
        return tuple(client_of(*row) for row in await self._database.read_all(sql.LIST_CLIENTS, {}))

    async def list_initiating(self, *, limit: int) -> tuple[Client, ...]:
        """List enabled clients with an `initiate_login_uri`, those of the operator first."""
        rows = await self._database.read_all(sql.LIST_INITIATING_IN_JSON, {"limit": limit})
        return tuple(client_of(*row) for row in rows)

    async def replace(self, client: Client, *, read: Client, events: Sequence[AuditEvent]) -> bool:
        """Replace everything but epoch, state and birth; False where the client is no longer as it was `read`."""
        row = client_row(client)

        async def act(transaction: Transaction, journal: Journal) -> bool:
            if await _hold(transaction, client.client_id) != read:
                return False
            await transaction.all(sql.REPLACE_CLIENT, row)
            journal.record(events)
            return True

        return bool(await self._act(act, key=client.client_id))

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
        """Replace a registration, raise the epoch and end the sessions; None where the client is not as `read`."""
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
        rows = await self._database.read_all(sql.FIND_DELIVERIES_IN_JSON, {"origin": origin})
        return frozenset(row[0] for row in rows)

    async def _change(
        self, statement: str, values: dict[str, Any], *, events: Sequence[AuditEvent], lock: str | None = None
    ) -> bool:
        async def act(transaction: Transaction, journal: Journal) -> bool:
            if lock is not None:
                await transaction.one(lock)
            if await transaction.one(statement, values) is None:
                return False
            journal.record(events)
            return True

        return bool(await self._act(act, key=values["client_id"]))

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

        async def act(transaction: Transaction, journal: Journal) -> int | None:
            present = await _hold(transaction, client_id)
            if read is not None and present != read:
                return None
            await transaction.one(session_sql.LOCK_SESSIONS_OF_CLIENT, values)
            # The sessions first, while they still stand under the client's old epoch.
            ended = await transaction.change(session_sql.END_SESSIONS_OF_CLIENT, values)
            epoch = await transaction.value(statement, values)
            if epoch is None:
                return None
            journal.revoke([revocation_of_client(client_id, epoch=epoch, now=now)])
            journal.record(events)
            return ended

        ended: int | None = await self._act(act, key=client_id)
        return ended

    async def _read(self, client_id: str) -> Client | None:
        row = await self._database.read(sql.FIND_CLIENT, {"client_id": client_id})
        return None if row is None else client_of(*row)

    async def _act(self, act: Act, *, key: str) -> Any:  # noqa: ANN401 -- an act's own result
        try:
            return await self._database.act(act, key=key)
        finally:
            self._recent.forget()


async def _hold(transaction: Transaction, client_id: str) -> Client | None:
    """Hold a client to the end of the act, and read it as it then stays."""
    values = {"client_id": client_id}
    await transaction.one(sql.LOCK_CLIENT, values)
    # To be compared as a record, not as a text: a row that an older version wrote lacks members that have defaults.
    present = await transaction.one(sql.FIND_CLIENT, values)
    return None if present is None else client_of(*present)
