"""Keys on SQLite."""

from collections.abc import Sequence

import apsw
import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.key_schedule import StoredKey
from sealring.storage.sql import key as sql
from sealring.storage.sqlite.database import SqliteDatabase
from sealring.storage.sqlite.group_commit import Journal


class SqliteKeys:
    """`ports.KeyStore` on SQLite."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database

    async def add(self, key: StoredKey, *, events: Sequence[AuditEvent]) -> bool:
        """Keep a key, unless one of its purpose and state stands already."""
        row = msgspec.structs.asdict(key)
        row["public_jwk"] = None if key.public_jwk is None else key.public_jwk.decode()

        def act(connection: apsw.Connection, journal: Journal) -> bool:
            if connection.execute(sql.ADD_KEY, row).get is None:
                return False
            journal.record(events)
            return True

        return bool(await self._database.act(act, key=key.kid))

    async def list_all(self) -> tuple[StoredKey, ...]:
        """List all keys."""
        return tuple(
            StoredKey(
                kid=kid,
                purpose=purpose,
                alg=alg,
                state=state,
                mac_key_id=mac_key_id,
                sealed=sealed,
                public_jwk=None if public_jwk is None else public_jwk.encode(),
                created_at=created_at,
            )
            for kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at in self._database.read_all(
                sql.LIST_KEYS, {}
            )
        )
