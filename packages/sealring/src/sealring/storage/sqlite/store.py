"""The store on SQLite: its rooms, by noun."""

from sealring.storage.sqlite.api import SqliteApis
from sealring.storage.sqlite.audit_event import SqliteAudit
from sealring.storage.sqlite.client import SqliteClients
from sealring.storage.sqlite.database import SqliteDatabase
from sealring.storage.sqlite.key import SqliteKeys
from sealring.storage.sqlite.lease import SqliteLeases
from sealring.storage.sqlite.revocation import SqliteRevocations
from sealring.storage.sqlite.session import SqliteSessions
from sealring.storage.sqlite.store_state import SqliteState
from sealring.storage.sqlite.user import SqliteUsers


class SqliteStore:
    """`ports.Store` on one SQLite file, or in memory."""

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self.sessions = SqliteSessions(database)
        self.users = SqliteUsers(database)
        self.clients = SqliteClients(database)
        self.apis = SqliteApis(database)
        self.keys = SqliteKeys(database)
        self.leases = SqliteLeases(database)
        self.revocations = SqliteRevocations(database)
        self.audit = SqliteAudit(database)
        self.state = SqliteState(database)

    async def close(self) -> None:
        """Finish what waits and close the file."""
        await self._database.close()
