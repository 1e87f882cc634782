"""The store on PostgreSQL: its rooms, by noun."""

from collections.abc import Iterable

from sealring.ports import KeyStock, StoreIdentity
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.secret import Randomness
from sealring.protocol.standing_key import StandingKey
from sealring.storage.postgresql.api import PostgresqlApis
from sealring.storage.postgresql.audit_event import PostgresqlAudit
from sealring.storage.postgresql.authorization_code import PostgresqlAuthorizationCodes
from sealring.storage.postgresql.client import PostgresqlClients
from sealring.storage.postgresql.client_assertion import PostgresqlClientAssertions
from sealring.storage.postgresql.consent import PostgresqlConsents
from sealring.storage.postgresql.database import DatabasePool, PostgresqlDatabase
from sealring.storage.postgresql.initial_access_token import PostgresqlInitialAccessTokens
from sealring.storage.postgresql.key import PostgresqlKeys, add_standing_keys, read_key_stock
from sealring.storage.postgresql.lease import PostgresqlLeases
from sealring.storage.postgresql.logout_notice import PostgresqlLogoutNotices
from sealring.storage.postgresql.revocation import PostgresqlRevocations
from sealring.storage.postgresql.session import PostgresqlSessions
from sealring.storage.postgresql.sso_session import PostgresqlSsoSessions
from sealring.storage.postgresql.store_state import PostgresqlState, read_clock, read_former_issuer, read_identity
from sealring.storage.postgresql.user import PostgresqlUsers
from sealring.storage.store_problem import StoreProblem


class PostgresqlStore:
    """`ports.Store` on one PostgreSQL database, which other nodes may share."""

    def __init__(self, database: PostgresqlDatabase) -> None:
        self._database = database
        self.sessions = PostgresqlSessions(database)
        self.sso_sessions = PostgresqlSsoSessions(database)
        self.authorization_codes = PostgresqlAuthorizationCodes(database)
        self.consents = PostgresqlConsents(database)
        self.logout_notices = PostgresqlLogoutNotices(database)
        self.users = PostgresqlUsers(database)
        self.clients = PostgresqlClients(database)
        self.client_assertions = PostgresqlClientAssertions(database)
        self.initial_access_tokens = PostgresqlInitialAccessTokens(database)
        self.apis = PostgresqlApis(database)
        self.keys = PostgresqlKeys(database)
        self.leases = PostgresqlLeases(database)
        self.revocations = PostgresqlRevocations(database)
        self.audit = PostgresqlAudit(database)
        self.state = PostgresqlState(database)

    async def close(self) -> None:
        """Finish what waits and close the connections."""
        await self._database.close()


class LockedPostgresqlStore:
    """`LockedStore` on one PostgreSQL database."""

    def __init__(self, pool: DatabasePool) -> None:
        self._pool = pool

    async def identity(self) -> StoreIdentity:
        """Read the store's identity."""
        return await read_identity(self._pool)

    async def former_issuer(self) -> str | None:
        """Name the issuer under which the store was served last."""
        return await read_former_issuer(self._pool)

    async def clock(self) -> Instant:
        """Read the wall clock of the database's machine."""
        return await read_clock(self._pool)

    async def key_stock(self) -> KeyStock:
        """Read all keys."""
        return await read_key_stock(self._pool)

    async def add_standing_keys(
        self, keys: Iterable[StandingKey], *, beside: Iterable[StoredKey] = (), version: int
    ) -> StoreProblem | None:
        """Give the store standing keys that it lacks."""
        return await add_standing_keys(self._pool, keys, beside=beside, version=version)

    def begin(self, *, audit_key: bytes, writer: str, randomness: Randomness) -> PostgresqlStore:
        """Begin to write."""
        return PostgresqlStore(self._pool.begin(audit_key=audit_key, writer=writer, randomness=randomness))

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.close()
