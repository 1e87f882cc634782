"""Nodes over one empty database of the tests' PostgreSQL; in the end the audit of all of them must hold."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

import pytest

from sealring.ports import Store
from sealring.protocol.audit_verification import AuditVerification

if TYPE_CHECKING:
    from storage.conftest import Databases

    from sealring.storage.postgresql.database import PostgresqlDatabase
    from sealring.storage.postgresql.store import PostgresqlStore

AUDIT_KEY = b"the audit key of the tests (32 o)"
OpenNode = Callable[..., Awaitable["PostgresqlStore"]]


@pytest.fixture
async def url(databases: "Databases") -> AsyncIterator[str]:
    """Name an empty database."""
    async with databases.lend() as lend:
        yield await lend()


@pytest.fixture
async def open_node(url: str, open_postgresql: OpenNode) -> AsyncIterator[OpenNode]:
    """Open nodes over the one database, each under a name of its own in the audit."""
    opened: list[PostgresqlStore] = []

    async def open_one() -> "PostgresqlStore":
        opened.append(await open_postgresql(url, writer=f"node-{len(opened) + 1}"))
        return opened[-1]

    yield open_one
    verification = AuditVerification(audit_key=AUDIT_KEY)
    await opened[0].audit.walk(verification.take, limit=100)
    assert verification.problems() == ()
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_node: OpenNode) -> Store:
    """Open the first node; the fixtures of the conformance suite furnish it."""
    return await open_node()


@pytest.fixture
def database(store: "PostgresqlStore") -> "PostgresqlDatabase":
    """Look inside the first node."""
    return store._database
