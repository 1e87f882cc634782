"""The engines that every test of `conformance/` runs on, and the few acts with which most of them begin."""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Protocol

import msgspec
import pytest

from sealring.ports import NewSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.client import Client
from sealring.protocol.user import User
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore

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


@pytest.fixture(params=["sqlite-file", "sqlite-memory"])
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opener]:
    """Open fresh, empty stores of one engine; in the end the audit of each must hold."""
    opened: list[ClosingStore] = []

    async def open_store() -> ClosingStore:
        path = tmp_path / f"store-{len(opened)}" / "sealring.db" if request.param == "sqlite-file" else None
        database = open_database(path, audit_key=AUDIT_KEY, writer="node-1", randomness=os.urandom, demo=False)
        assert isinstance(database, SqliteDatabase)
        opened.append(SqliteStore(database))
        return opened[-1]

    yield open_store
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
