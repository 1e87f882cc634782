import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sealring.ports import KeyStock
from sealring.protocol.api import Api
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import HOUSE_SCHEDULES, Schedule, StoredKey
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.services.key_schedule import KeyTerms, adopt_keys, complete_key_stock, turn_due_keys
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import generate_master_key
from sealring.signing.master_key_file import MasterKeyFile
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore
from sealring_verify.jose.jws import verify_compact

ISSUER = "https://auth.example"
START = Instant(1_700_000_000_000)
DAY = 24 * 3600 * 1000
LINE = Schedule("access_token", "ES256")


class Node(SimpleNamespace):
    """One node over a store in memory; `now` is in the test's hand."""

    store: SqliteStore
    terms: KeyTerms
    now: int

    async def complete(self) -> tuple[StoredKey, ...]:
        return (await complete_key_stock(store=self.store, terms=self.terms, now=self.now)).keys

    async def open(self) -> Keyring:
        realm = TokenRealm(issuer=ISSUER, incarnation=bytes(16))
        keys = await self.complete()
        keyring = open_keyring(keys, master_key=self.master_key, realm=realm)
        assert isinstance(keyring, Keyring)
        return keyring

    async def turn(self, signer: Keyring, *, holder: str = "one") -> None:
        await turn_due_keys(store=self.store, signer=signer, terms=self.terms, holder=holder, now=self.now)

    async def line(self, schedule: Schedule = LINE) -> dict[str, StoredKey]:
        """Read a line's keys by state."""
        return {key.state: key for key in (await self.store.keys.stock()).keys if key.schedule == schedule}

    async def events(self) -> list[str]:
        return [each.event.event for _, each in await self.store.audit.list_events(after=0, limit=1000)]


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    database = open_database(None, audit_key=bytes(32), writer="node", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase)
    store = SqliteStore(database)
    await store.apis.add(Api(identifier="orders", scopes={"read": ""}, created_at=START), events=[])
    master_key = MasterKeyFile(Path("/nowhere/master.key"), generate_master_key(randomness=os.urandom))
    forge = make_key_forge(master_key=master_key, issuer=ISSUER, randomness=os.urandom)
    yield Node(store=store, terms=KeyTerms(forge=forge), master_key=master_key, now=START)
    await store.close()


def signed_by(keyring: Keyring) -> str | None:
    token = keyring.sign_access_token(b"{}")
    keys = keyring.verification_keys()
    return verify_compact(token, keys=keys, algorithms=frozenset({"ES256"})).header.kid


async def test_an_empty_store_gets_an_active_and_a_waiting_key_of_each_line_and_no_more(node: Node) -> None:
    keys = await node.complete()
    wanted = {(schedule, state) for schedule in HOUSE_SCHEDULES for state in ("active", "pending")}
    assert {(key.schedule, key.state) for key in keys} == wanted
    assert len(keys) == len(wanted)
    assert await node.complete() == keys
    assert await node.events() == ["key_added"] * len(wanted)


async def test_a_key_that_takes_its_time_stops_nobody_else_meanwhile(node: Node) -> None:
    forge = node.terms.forge

    class Slow:
        make_secret = forge.make_secret

        def __call__(self, *arguments: Any, **beside: Any) -> StoredKey:  # noqa: ANN401 -- passed on as they come
            time.sleep(0.2)
            return forge(*arguments, **beside)

    node.terms = KeyTerms(forge=Slow())
    making = asyncio.create_task(node.complete())
    longest, last = 0.0, time.monotonic()
    while not making.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert len(await making) == 2 * len(HOUSE_SCHEDULES)
    assert longest < 0.15


async def test_nodes_that_start_at_once_agree_on_the_same_keys(node: Node) -> None:
    stocks = await asyncio.gather(*(node.complete() for _ in range(5)))
    assert all(stock == stocks[0] for stock in stocks)
    assert len(stocks[0]) == 2 * len(HOUSE_SCHEDULES)


async def test_a_key_passes_through_its_states_by_itself(node: Node) -> None:
    keyring = await node.open()
    first, second = (await node.line())["active"].kid, (await node.line())["pending"].kid
    node.now = START + 30 * DAY - 1
    await node.turn(keyring)
    assert signed_by(keyring) == first
    node.now += 1
    await node.turn(keyring)
    line = await node.line()
    assert (line["active"].kid, line["retiring"].kid, line["retiring"].sealed) == (second, first, b"")
    assert line["pending"].created_at == node.now
    assert signed_by(keyring) == second
    assert first in {key.kid for key in keyring.verification_keys().keys}
    leaves_at = line["retiring"].leaves_at
    assert leaves_at == node.now + (600 + 60 + 1) * 1000
    node.now = leaves_at - 1
    await node.turn(keyring)
    assert "retired" not in await node.line()
    node.now = leaves_at
    await node.turn(keyring)
    assert (await node.line())["retired"].kid == first
    assert first not in {key.kid for key in keyring.verification_keys().keys}


async def test_a_year_of_days_leaves_two_keys_of_each_line_at_work(node: Node) -> None:
    keyring = await node.open()
    for _ in range(365):
        node.now += DAY
        await node.turn(keyring)
        assert set(await node.line()) >= {"active", "pending"}
    keys = (await node.store.keys.stock()).keys
    for schedule in HOUSE_SCHEDULES:
        states = [key.state for key in keys if key.schedule == schedule]
        assert (states.count("active"), states.count("pending")) == (1, 1)
    assert all(not key.sealed for key in keys if key.state == "retired")
    assert sum(key.state == "retired" and key.schedule == LINE for key in keys) in {11, 12}


async def test_nothing_is_done_while_another_node_has_the_lease(node: Node) -> None:
    keyring = await node.open()
    node.now = START + 30 * DAY
    assert await node.store.leases.take("key_schedule", holder="two", now=node.now, expires_at=node.now + 30_000)
    version = await node.store.keys.version()
    await node.turn(keyring)
    assert await node.store.keys.version() == version
    node.now += 30_000
    await node.turn(keyring)
    assert "retiring" in await node.line()


async def test_a_node_adopts_the_keys_that_another_turned(node: Node) -> None:
    one, two = await node.open(), await node.open()
    node.now = START + 30 * DAY
    await node.turn(one)
    assert signed_by(two) != signed_by(one)
    await adopt_keys(store=node.store, signer=two)
    assert signed_by(two) == signed_by(one)


async def test_an_adoption_that_read_the_keys_before_another_one_does_not_bring_them_back(node: Node) -> None:
    one, two = await node.open(), await node.open()
    go_on = asyncio.Event()

    async def read_late() -> KeyStock:
        stock = await node.store.keys.stock()
        await go_on.wait()
        return stock

    late = SimpleNamespace(keys=SimpleNamespace(stock=read_late, version=node.store.keys.version))
    adopting = asyncio.create_task(adopt_keys(store=late, signer=two))
    await asyncio.sleep(0)
    node.now = START + 30 * DAY
    await node.turn(one)
    await adopt_keys(store=node.store, signer=two)
    go_on.set()
    await adopting
    assert signed_by(two) == signed_by(one)
