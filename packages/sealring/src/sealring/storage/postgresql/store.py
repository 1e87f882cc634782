"""The store on PostgreSQL: its rooms, by noun."""

from sealring.storage.postgresql.api import PostgresqlApis
from sealring.storage.postgresql.audit_event import PostgresqlAudit
from sealring.storage.postgresql.client import PostgresqlClients
from sealring.storage.postgresql.database import PostgresqlDatabase
from sealring.storage.postgresql.key import PostgresqlKeys
from sealring.storage.postgresql.lease import PostgresqlLeases
from sealring.storage.postgresql.revocation import PostgresqlRevocations
from sealring.storage.postgresql.session import PostgresqlSessions
from sealring.storage.postgresql.store_state import PostgresqlState
from sealring.storage.postgresql.user import PostgresqlUsers


class PostgresqlStore:
    """`ports.Store` on one PostgreSQL database, which other nodes may share."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self.sessions = PostgresqlSessions(database)
        self.users = PostgresqlUsers(database)
        self.clients = PostgresqlClients(database)
        self.apis = PostgresqlApis(database)
        self.keys = PostgresqlKeys(database)
        self.leases = PostgresqlLeases(database)
        self.revocations = PostgresqlRevocations(database)
        self.audit = PostgresqlAudit(database)
        self.state = PostgresqlState(database)

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._database.close()
