"""The engines that every test of `conformance/` runs on, and the few acts with which most of them begin."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import asyncpg
import msgspec
import pytest

from sealring.ports import NewSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.client import Client
from sealring.protocol.user import User
from sealring.storage.postgresql import database as postgresql
from sealring.storage.postgresql.store import PostgresqlStore
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore

if TYPE_CHECKING:
    from conftest import PostgresqlServer

AUDIT_KEY = b"the audit key of the tests (32 o)"
FAR = 10**15
ADA = User(sub="ada", username="Ada", claims={}, roles=("clerk",), epoch=5, created_at=1000)
SHOP = Client(
    client_id="shop",
    name="Shop",
    type="public",
    allowed={"orders": frozenset({"orders:read", "orders:write"})},
    epoch=7,
    created_at=1000,
)
SESSION = NewSession(
    key=b"0001" + bytes(16),
    sid="sid-1",
    sub="ada",
    client_id="shop",
    subject_epoch=5,
    client_epoch=7,
    mac_key_id=0,
    scope=frozenset({"orders:read", "orders:write"}),
    resource="orders",
    resources=frozenset({"orders"}),
    auth_time=1000,
    amr=("pwd",),
    claims=None,
    idle_expires_at=FAR,
    absolute_expires_at=FAR,
    binding_digest=None,
    network="192.0.2.0/24",
    user_agent="Firefox",
)


class ClosingStore(Store, Protocol):
    async def close(self) -> None: ...


Opener = Callable[[], Awaitable[ClosingStore]]


EMPTY = """
DELETE FROM client_assertions; DELETE FROM initial_access_tokens;
DELETE FROM consents; DELETE FROM authorization_codes; DELETE FROM sso_sessions;
DELETE FROM sessions; DELETE FROM users; DELETE FROM clients; DELETE FROM apis; DELETE FROM administrator_links;
DELETE FROM keys; DELETE FROM leases; DELETE FROM revocations; DELETE FROM audit_events; DELETE FROM audit_links;
DELETE FROM audit_closings; DELETE FROM store_state; UPDATE audit_head SET position = 0;
UPDATE key_version SET version = 0; DELETE FROM standing_keys
"""


class Databases:
    """Lends databases that have all tables and no incarnation yet, so that no test waits for migrations."""

    def __init__(self, server: "PostgresqlServer") -> None:
        self.server = server
        self._numbers = itertools.count(1)
        self._free: list[str] = []

    async def prepare(self) -> None:
        maker = await asyncpg.connect(self.server.url())
        await maker.execute("CREATE DATABASE migrated")
        await maker.close()
        await (await open_postgresql(self.server.url("migrated"))).close()
        await self._empty("migrated")

    @asynccontextmanager
    async def lend(self) -> AsyncIterator[Callable[[], Awaitable[str]]]:
        """Give the URLs of empty databases, which are emptied again in the end."""
        lent: list[str] = []

        async def lend_one() -> str:
            lent.append(self._free.pop() if self._free else await self._make())
            return self.server.url(lent[-1])

        yield lend_one
        for name in lent:
            await self._empty(name)
        self._free += lent

    async def _make(self) -> str:
        maker = await asyncpg.connect(self.server.url())
        name = f"store_{next(self._numbers)}"
        await maker.execute(f"CREATE DATABASE {name} TEMPLATE migrated STRATEGY file_copy")
        await maker.close()
        return name

    async def _empty(self, name: str) -> None:
        cleaner = await asyncpg.connect(self.server.url(name))
        await cleaner.execute(EMPTY)
        await cleaner.close()


async def open_postgresql(url: str, *, writer: str = "node-1") -> PostgresqlStore:
    """Open the store of a node over a database."""
    database = await postgresql.open_database(
        url, audit_key=AUDIT_KEY, writer=writer, randomness=os.urandom, demo=False
    )
    assert isinstance(database, postgresql.PostgresqlDatabase), database
    return PostgresqlStore(database)


@pytest.fixture(name="open_postgresql")
def _open_postgresql() -> Callable[..., Awaitable[PostgresqlStore]]:
    return open_postgresql


@pytest.fixture(scope="session")
def databases(postgresql_server: "PostgresqlServer") -> Databases:
    """The databases of the tests' PostgreSQL."""
    prepared = Databases(postgresql_server)
    asyncio.run(prepared.prepare())
    return prepared


@pytest.fixture(params=["sqlite-file", "sqlite-memory", "postgresql"])
def engine(request: pytest.FixtureRequest) -> str | Databases:
    """Each engine in turn."""
    if request.param == "postgresql":
        databases: Databases = request.getfixturevalue("databases")
        return databases
    return str(request.param)


@pytest.fixture
async def stores(engine: str | Databases, tmp_path: Path) -> AsyncIterator[Opener]:
    """Open fresh, empty stores of one engine; in the end the audit of each must hold."""
    opened: list[ClosingStore] = []

    async def open_sqlite() -> ClosingStore:
        path = tmp_path / f"store-{len(opened)}" / "sealring.db" if engine == "sqlite-file" else None
        database = open_database(path, audit_key=AUDIT_KEY, writer="node-1", randomness=os.urandom, demo=False)
        assert isinstance(database, SqliteDatabase)
        opened.append(SqliteStore(database))
        return opened[-1]

    if isinstance(engine, Databases):
        async with engine.lend() as lend:

            async def open_one() -> ClosingStore:
                opened.append(await open_postgresql(await lend()))
                return opened[-1]

            yield open_one
            await close_all(opened)
    else:
        yield open_sqlite
        await close_all(opened)


async def close_all(opened: list[ClosingStore]) -> None:
    for store in opened:
        verification = AuditVerification(audit_key=AUDIT_KEY)
        await store.audit.walk(verification.take, limit=100)
        assert verification.problems() == ()
        await store.close()


@pytest.fixture
async def store(stores: Opener) -> Store:
    """Open one store, empty."""
    return await stores()


@pytest.fixture
async def shop(store: Store) -> Store:
    """Open one store with the user `ada`, the client `shop` and no session; their epochs are 5 and 7."""
    await store.users.add(ADA, username_key="ada", email_key=None, password_hash="hash-1", events=[])
    await store.clients.add(SHOP, events=[])
    return store


@pytest.fixture
def new_session() -> NewSession:
    """Describe a session of `ada` at `shop`, not opened yet."""
    return SESSION


@pytest.fixture
def recorded(store: Store) -> Callable[[], Awaitable[list[AuditEvent]]]:
    """Read all events of the one store, in order."""

    async def read() -> list[AuditEvent]:
        return [recorded.event for _, recorded in await store.audit.list_events(after=0, limit=10_000)]

    return read


OpenSession = Callable[..., Awaitable[NewSession]]


@pytest.fixture
def open_session(shop: Store) -> OpenSession:
    """Open a session of `ada` at `shop`; `number` names it, further arguments replace members of it."""

    async def open_one(number: int = 1, **members: object) -> NewSession:
        named = {"key": number.to_bytes(4, "big") + bytes(16), "sid": f"sid-{number}"}
        session = msgspec.structs.replace(SESSION, **(named | members))
        assert await shop.sessions.create(session, now=2000, events=[])
        return session

    return open_one
