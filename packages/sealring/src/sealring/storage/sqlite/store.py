"""The store on SQLite: its rooms, by noun."""

import asyncio
from collections.abc import Iterable

from sealring.ports import KeyStock, StoreIdentity
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.secret import Randomness
from sealring.protocol.standing_key import StandingKey
from sealring.storage.sqlite.api import SqliteApis
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.authorization_code import SqliteAuthorizationCodes
from sealring.storage.sqlite.client import SqliteClients
from sealring.storage.sqlite.client_assertion import SqliteClientAssertions
from sealring.storage.sqlite.consent import SqliteConsents
from sealring.storage.sqlite.database import DatabaseFile, SqliteDatabase
from sealring.storage.sqlite.initial_access_token import SqliteInitialAccessTokens
from sealring.storage.sqlite.key import SqliteKeys, add_standing_keys, read_key_stock
from sealring.storage.sqlite.lease import SqliteLeases
from sealring.storage.sqlite.logout_notice import SqliteLogoutNotices
from sealring.storage.sqlite.revocation import SqliteRevocations
from sealring.storage.sqlite.session import SqliteSessions
from sealring.storage.sqlite.sso_session import SqliteSsoSessions
from sealring.storage.sqlite.store_state import SqliteState, read_former_issuer, read_identity
from sealring.storage.sqlite.user import SqliteUsers
from sealring.storage.store_problem import StoreProblem


class SqliteStore:
    """`ports.Store` on one SQLite file, or in memory."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.sessions = SqliteSessions(database)
        self.sso_sessions = SqliteSsoSessions(database)
        self.authorization_codes = SqliteAuthorizationCodes(database)
        self.consents = SqliteConsents(database)
        self.logout_notices = SqliteLogoutNotices(database)
        self.users = SqliteUsers(database)
        self.clients = SqliteClients(database)
        self.client_assertions = SqliteClientAssertions(database)
        self.initial_access_tokens = SqliteInitialAccessTokens(database)
        self.apis = SqliteApis(database)
        self.keys = SqliteKeys(database)
        self.leases = SqliteLeases(database)
        self.revocations = SqliteRevocations(database)
        self.audit = SqliteAudit(database)
        self.state = SqliteState(database)

    async def close(self) -> None:
        """Finish what waits and close the file."""
        await self._database.close()


class LockedSqliteStore:
    """`LockedStore` on one SQLite file."""

    def __init__(self, file: DatabaseFile) -> None:
        self._file = file

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        return read_identity(self._file)

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last."""
        return read_former_issuer(self._file)

    async def key_stock(self) -> KeyStock:
        """Read all keys."""
        return read_key_stock(self._file)

    async def add_standing_keys(
        self, keys: Iterable[StandingKey], *, beside: Iterable[StoredKey] = (), version: int
    ) -> StoreProblem | None:
        """Give the store standing keys that it lacks."""
        return add_standing_keys(self._file, keys, beside=beside, version=version)

    def begin(self, *, audit_key: bytes, writer: str, randomness: Randomness) -> SqliteStore:
        """Begin to write."""
        return SqliteStore(self._file.begin(audit_key=audit_key, writer=writer, randomness=randomness))

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._file.close)
