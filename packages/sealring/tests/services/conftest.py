"""A desk over a store in memory, its clock standing still and its hashes cheap."""

import os
from collections.abc import AsyncIterator

import pytest

from sealring.credentials.password_hash import PasswordHashParameters
from sealring.credentials.password_policy import PasswordPolicy
from sealring.hashing.password_hash import HashingThreads
from sealring.protocol.instant import Instant
from sealring.services.desk import Desk
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    audit_key = b"the audit key of the tests (32 o)"
    database = open_database(None, audit_key=audit_key, writer="node", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase)
    store = SqliteStore(database)
    cheap = PasswordHashParameters(memory=8, passes=1, lanes=1)
    hashing = HashingThreads(parameters=cheap, threads=1, queue=4, randomness=os.urandom)
    yield Desk(
        store=store,
        hashing=hashing,
        password_policy=PasswordPolicy(),
        clock=lambda: Instant(1_700_000_000_000),
        randomness=os.urandom,
        issuer="https://auth.example",
        audit_key=audit_key,
    )
    hashing.close()
    await store.close()
