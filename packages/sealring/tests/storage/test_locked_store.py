import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Union

import pytest
from msgspec.structs import replace

from sealring.ports import KeyChange, KeyStock
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.standing_key import StandingKey
from sealring.storage.locked_store import LockedStore
from sealring.storage.postgresql.database import DatabasePool, open_pool
from sealring.storage.postgresql.store import LockedPostgresqlStore
from sealring.storage.sqlite.database import DatabaseFile, open_file
from sealring.storage.sqlite.store import LockedSqliteStore

if TYPE_CHECKING:
    from storage.conftest import Databases

AUDIT = StandingKey(purpose="audit", sealed=b"audit")
COOKIE = StoredKey(
    kid="cookie-1",
    purpose="cookie",
    alg="HS256",
    state="active",
    mac_key_id=None,
    sealed=b"cookie",
    public_jwk=None,
    created_at=Instant(1000),
)
EVENT = AuditEvent(event="sign_in", at=1000, actor="user:ada")
AUDIT_KEY = b"k" * 32

OpenLocked = Callable[[], Awaitable[LockedStore]]


async def open_file_at(path: Path | None) -> LockedStore:
    file = open_file(path, randomness=os.urandom, demo=False)
    assert isinstance(file, DatabaseFile)
    return LockedSqliteStore(file)


async def open_pool_at(url: str) -> LockedStore:
    pool = await open_pool(url, randomness=os.urandom, demo=False)
    assert isinstance(pool, DatabasePool), pool
    return LockedPostgresqlStore(pool)


@pytest.fixture
async def open_locked(engine: Union[str, "Databases"], tmp_path: Path) -> AsyncIterator[OpenLocked]:
    """Open one and the same store, again and again; a store in memory is another one each time."""
    if isinstance(engine, str):
        path = tmp_path / "sealring.db" if engine == "sqlite-file" else None
        yield lambda: open_file_at(path)
    else:
        async with engine.lend() as lend:
            url = await lend()
            yield lambda: open_pool_at(url)


async def test_standing_keys_are_added_before_the_audit_begins_unless_the_keys_were_changed(
    open_locked: OpenLocked,
) -> None:
    locked = await open_locked()
    stock = await locked.key_stock()
    assert stock.standing == ()
    assert await locked.add_standing_keys([AUDIT], beside=[COOKIE], version=stock.version) is None
    other = StandingKey(purpose="audit", sealed=b"other")
    assert await locked.add_standing_keys([other], beside=[replace(COOKIE, kid="other")], version=stock.version) is None
    given = await locked.key_stock()
    assert given == KeyStock(version=stock.version + 1, keys=(COOKIE,), standing=(AUDIT,))
    store = locked.begin(audit_key=AUDIT_KEY, writer="node", randomness=os.urandom)
    assert await store.keys.stock() == given
    assert await store.audit.list_events(after=0, limit=10) == ()
    await store.close()


async def test_a_store_that_is_begun_is_the_one_that_was_locked_and_is_written_under_the_key(
    open_locked: OpenLocked,
) -> None:
    locked = await open_locked()
    identity = await locked.identity()
    assert await locked.former_issuer() is None
    store = locked.begin(audit_key=AUDIT_KEY, writer="node", randomness=os.urandom)
    assert await store.state.identity() == identity
    await store.audit.record([EVENT])
    verification = AuditVerification(audit_key=AUDIT_KEY)
    await store.audit.walk(verification.take, limit=10)
    assert verification.problems() == ()
    await store.close()


async def test_standing_keys_that_a_change_of_keys_seals_anew_take_the_place_of_the_former(
    open_locked: OpenLocked,
) -> None:
    locked = await open_locked()
    await locked.add_standing_keys([AUDIT], version=0)
    store = locked.begin(audit_key=AUDIT_KEY, writer="node", randomness=os.urandom)
    anew = StandingKey(purpose="audit", sealed=b"anew")
    change = KeyChange(version=1, keys=(), standing=(anew,))
    assert await store.keys.change(change, now=Instant(1000), events=[EVENT]) == 0
    assert (await store.keys.stock()).standing == (anew,)
    await store.state.destroy_keys([AUDIT], events=[])
    assert (await store.keys.stock()).standing == (AUDIT,)
    await store.close()


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
async def test_of_nodes_that_start_at_once_one_gives_the_standing_keys_and_all_read_them(
    open_locked: OpenLocked,
) -> None:
    nodes = await asyncio.gather(*(open_locked() for _ in range(6)))
    stocks = [await node.key_stock() for node in nodes]
    made = [StandingKey(purpose="audit", sealed=bytes([number])) for number in range(len(nodes))]
    added = await asyncio.gather(
        *(
            node.add_standing_keys([key], version=stock.version)
            for node, key, stock in zip(nodes, made, stocks, strict=True)
        )
    )
    assert set(added) == {None}
    found = [await node.key_stock() for node in nodes]
    assert {stock.version for stock in found} == {1}
    assert len({stock.standing for stock in found}) == 1
    assert len(found[0].standing) == 1
    for node in nodes:
        await node.close()
