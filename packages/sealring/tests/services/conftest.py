"""A desk over a store in memory, its clock standing still and its hashes cheap."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sealring.credentials.password_hash import PasswordHashParameters
from sealring.credentials.password_policy import PasswordPolicy
from sealring.hashing.password_hash import HashingThreads
from sealring.ports import KeyForge
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import HOUSE_SCHEDULES
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.services.desk import Desk
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import KeyTerms
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import generate_master_key
from sealring.signing.master_key_change import MasterKeyBook
from sealring.signing.master_key_file import MasterKeyFile
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore


def make_keyring() -> tuple[Keyring, KeyForge, MasterKeyBook]:
    """Make keys that no store holds, since a desk only checks tokens with them."""
    issuer = "https://auth.example"
    master_key = MasterKeyFile(Path("/nowhere/master.key"), generate_master_key(randomness=os.urandom))
    forge = make_key_forge(master_key=master_key, issuer=issuer, randomness=os.urandom)
    keys = tuple(forge(schedule, "active", Instant(0)) for schedule in HOUSE_SCHEDULES)
    realm = TokenRealm(issuer=issuer, incarnation=bytes(16))
    keyring = open_keyring(keys, master_key=master_key, realm=realm)
    assert isinstance(keyring, Keyring)
    return keyring, forge, MasterKeyBook(master_key, issuer=issuer, randomness=os.urandom)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    audit_key = b"the audit key of the tests (32 o)"
    database = open_database(None, audit_key=audit_key, writer="node", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase)
    store = SqliteStore(database)
    cheap = PasswordHashParameters(memory=8, passes=1, lanes=1)
    hashing = HashingThreads(parameters=cheap, threads=1, queue=4, randomness=os.urandom)
    signer, forge, book = make_keyring()

    def clock() -> Instant:
        return Instant(1_700_000_000_000)

    yield Desk(
        store=store,
        signer=signer,
        hashing=hashing,
        password_policy=PasswordPolicy(),
        clock=clock,
        randomness=os.urandom,
        issuer="https://auth.example",
        audit_key=audit_key,
        keys=KeyDesk(
            store=store, signer=signer, terms=KeyTerms(forge=forge), clock=clock, holder="node", master_key=book
        ),
    )
    hashing.close()
    await store.close()
