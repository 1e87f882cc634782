"""A site with sessions, keys and an audit outgrows its SQLite file: everything goes on over PostgreSQL."""

import asyncio
import json
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw
import asyncpg
import httpx
import pytest

from sealring.compose import open_house
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.consent import Consent
from sealring.protocol.sso_session import SsoSession
from sealring.services.audit_retention import AuditRetention
from sealring.storage.postgresql.database import DatabasePool, open_pool
from sealring.storage.sql.table import IS_BEGUN, TABLES
from sealring_verify import Verifier

if TYPE_CHECKING:
    from conftest import Installation, PostgresqlServer, Reply

LONG_AGO = 1_600_000_000_000
FAR = 10**14
WAIT_SECONDS = 20
SEALRING = Path(sys.executable).with_name("sealring")


@pytest.fixture
async def target(postgresql_server: "PostgresqlServer") -> str:
    """Name a fresh PostgreSQL database with nothing in it."""
    name = f"target_{os.urandom(8).hex()}"
    await execute(postgresql_server.url(), f"CREATE DATABASE {name}")
    return postgresql_server.url(name)


async def command(installation: "Installation", *arguments: str) -> Any:  # noqa: ANN401 -- JSON
    ran = await installation.run(*arguments, "--json")
    assert ran.status == 0, ran.err
    return ran.value()


async def add_symmetric_api(installation: "Installation") -> Verifier:
    """Register `parcels`, whose tokens are made with a secret of its own, for `shop`."""
    adding = ("apis", "add", "parcels", "--scope", "parcels:read", "See parcels", "--symmetric")
    made = await command(installation, *adding)
    allowed = ("--allow", "orders", "orders:read orders:write", "--allow", "parcels", "parcels:read")
    await command(installation, "clients", "update", "shop", *allowed)
    secrets = (made["symmetric"]["symmetric_secret"],)
    return Verifier(installation.issuer, "parcels", api_key=made["api_key"], symmetric_secrets=secrets)


async def remember_much(installation: "Installation") -> None:
    """Let the audit have events that retention has removed, and the closing that stands for them."""
    async with open_house(installation.settings()) as opened:
        for number in range(5):
            await opened.desk.store.audit.record([AuditEvent(event="sign_in", at=LONG_AGO + number, actor="user:old")])
        retention = AuditRetention(
            store=opened.desk.store, audit_key=opened.desk.audit_key, clock=opened.desk.clock, days=30
        )
        assert await retention.apply() is not None


async def end(installation: "Installation", token: str) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{installation.port}", trust_env=False) as client:
        auth = ("shop", "slc_of_the_tests")
        ended = await client.request("DELETE", "/session", json={"refresh_token": token}, auth=auth)
    assert ended.status_code == 204


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


async def tables_of(url: str) -> dict[str, int]:
    connection = await asyncpg.connect(url)
    counts = {table.name: len(await connection.fetch(table.read_from_postgresql)) for table in TABLES}
    await connection.close()
    return counts


async def is_empty(url: str) -> bool:
    connection = await asyncpg.connect(url)
    begun = await connection.fetchval(IS_BEGUN)
    await connection.close()
    return not begun


async def make_tables(url: str) -> None:
    pool = await open_pool(url, randomness=os.urandom, demo=False)
    assert isinstance(pool, DatabasePool)
    await pool.close()


def database_of(installation: "Installation") -> Path:
    return installation.folder / "data" / "sealring.db"


def digest_of(installation: "Installation") -> str:
    return sha256(database_of(installation).read_bytes()).hexdigest()


async def remember_browsers(installation: "Installation") -> None:
    """Leave behind what people who sign in through the pages do: a browser session, a code, a consent, an assertion."""
    sso = SsoSession(
        id="sso-1",
        sub="sub-0",
        subject_epoch=1,
        auth_time=LONG_AGO,
        amr=("pwd",),
        created_at=LONG_AGO,
        last_used_at=LONG_AGO,
        idle_expires_at=FAR,
        absolute_expires_at=FAR,
    )
    code = AuthorizationCode(
        digest=bytes(32),
        client_id="shop",
        redirect_uri="https://shop.example/callback",
        code_challenge=None,
        sub="sub-0",
        subject_epoch=1,
        client_epoch=1,
        sso_id="sso-1",
        scope=frozenset({"openid"}),
        resource="orders",
        nonce=None,
        requested_claims=None,
        auth_time=LONG_AGO,
        amr=("pwd",),
        acr=None,
        created_at=LONG_AGO,
        expires_at=FAR,
    )
    consent = Consent(
        sub="sub-0",
        client_id="shop",
        redirect_uri="https://shop.example/callback",
        scope=frozenset({"openid"}),
        resources=frozenset({"orders"}),
        metadata_digest=bytes(32),
        granted_at=LONG_AGO,
    )
    async with open_house(installation.settings()) as opened:
        store = opened.house.store
        assert await store.sso_sessions.create(sso, digest=bytes(32), now=LONG_AGO, events=[])
        assert await store.authorization_codes.add(code, now=LONG_AGO, events=[])
        await store.consents.keep(consent, events=[])
        assert await store.client_assertions.spend(AcceptedAssertion(digest=bytes(32), expires_at=FAR))


async def test_sessions_keys_feed_and_audit_go_on_over_postgresql(installation: "Installation", target: str) -> None:
    await installation.furnish(users=2)
    await remember_much(installation)
    await installation.start()
    symmetric = await add_symmetric_api(installation)
    await command(installation, "users", "link")
    await command(installation, "initial-access-tokens", "make")
    replies: list[Reply] = [await installation.sign_in(number % 2) for number in range(4)]
    ended = replies.pop().refresh_token
    await end(installation, ended)
    replies = [await installation.refresh(reply.refresh_token) for reply in replies]
    parcels = await installation.post(
        "/session",
        {"username": "user-1", "password": "a passphrase of the tests", "scope": "parcels:read", "resource": "parcels"},
    )
    assert await installation.stop() == 0
    await remember_browsers(installation)
    before = await command(installation, "status")
    file = digest_of(installation)

    moved = await command(installation, "migrate-store", "sqlite:", target)
    assert digest_of(installation) == file
    assert moved["feed_number"] == before["feed_number"] > 0
    counts = await tables_of(target)
    assert counts == moved["rows"] | {
        "audit_events": moved["rows"]["audit_events"] + 1,
        "audit_links": moved["rows"]["audit_links"] + 1,
    }
    assert [name for name, count in counts.items() if count == 0] == []

    installation.database = target
    installation.configure()
    await installation.start()
    verifier = Verifier(installation.issuer, "orders", api_key="sla_of_the_tests")
    for reply in replies:
        assert (await verifier.verify_async(reply.json()["access_token"])).aud == ("orders",)
        refreshed = await installation.refresh(reply.refresh_token)
        assert (await verifier.verify_async(refreshed.json()["access_token"])).aud == ("orders",)
    assert (await symmetric.verify_async(parcels.json()["access_token"])).aud == ("parcels",)
    refreshed = await installation.refresh(parcels.refresh_token)
    assert (await symmetric.verify_async(refreshed.json()["access_token"])).aud == ("parcels",)
    assert (await installation.refresh(ended)).status == 400
    await end(installation, refreshed.refresh_token)
    after = await command(installation, "status")
    assert after["incarnation"] == before["incarnation"]
    assert after["feed_number"] == before["feed_number"] + 1
    await command(installation, "keys", "rotate", "--force")
    assert (await installation.sign_in()).status == 200
    verdict = await command(installation, "audit", "verify")
    assert verdict["holds"]
    assert verdict["removed"] == 4  # the newest event of all stays
    tail = (await command(installation, "audit", "tail", "--limit", "1000"))["events"]
    (event,) = [row["recorded"]["event"] for row in tail if row["recorded"]["event"]["event"] == "store_migrated"]
    assert event["details"] == {"from": "sqlite", "feed_number": before["feed_number"]}
    assert len({row["position"] for row in tail}) == len(tail)


async def test_whoever_dies_between_two_tables_leaves_the_target_empty_and_the_source_as_it_was(
    installation: "Installation", target: str
) -> None:
    await installation.furnish()
    file = digest_of(installation)
    await make_tables(target)
    await execute(
        target,
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$; "
        "CREATE TRIGGER slow BEFORE INSERT ON audit_links EXECUTE FUNCTION slow()",
    )
    process = await asyncio.create_subprocess_exec(
        SEALRING, "migrate-store", "sqlite:", target, "--config", installation.configuration
    )
    watching = await asyncpg.connect(target)
    others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    await wait_for(watching, others + " AND wait_event = 'PgSleep'", 1)
    process.kill()
    await process.wait()
    await wait_for(watching, others, 0)
    await watching.execute("DROP TRIGGER slow ON audit_links")
    await watching.close()
    assert await is_empty(target)
    assert digest_of(installation) == file
    await command(installation, "migrate-store", "sqlite:", target)


async def wait_for(watching: Any, asked: str, count: int) -> None:  # noqa: ANN401 -- asyncpg's connection
    deadline = time.monotonic() + WAIT_SECONDS
    while await watching.fetchval(asked) != count:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)


async def test_rows_that_read_back_differently_are_not_left_in_the_target(
    installation: "Installation", target: str
) -> None:
    await installation.furnish()
    await make_tables(target)
    await execute(
        target,
        "CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN NEW.epoch := NEW.epoch + 1; RETURN NEW; END $$; "
        "CREATE TRIGGER other BEFORE INSERT ON clients FOR EACH ROW EXECUTE FUNCTION other()",
    )
    refused = await installation.run("migrate-store", "sqlite:", target)
    assert (refused.status, refused.out) == (2, "")
    assert "The table clients reads differently" in refused.err
    assert await is_empty(target)


async def test_an_audit_that_does_not_hold_is_moved_only_where_it_is_said(
    installation: "Installation", target: str
) -> None:
    await installation.furnish()
    with apsw.Connection(str(database_of(installation))) as connection:
        connection.execute("UPDATE audit_events SET actor = 'cli:nobody' WHERE position = 1")
    refused = await installation.run("migrate-store", "sqlite:", target)
    assert refused.status == 2
    assert "audit of the source does not hold" in refused.err
    assert await is_empty(target)
    moved = await command(installation, "migrate-store", "sqlite:", target, "--keep-broken-audit")
    assert moved["broken_chains"] == 1


async def test_a_target_that_was_used_is_refused_and_stays_as_it_is(installation: "Installation", target: str) -> None:
    await installation.furnish()
    moved = await installation.run("migrate-store", "sqlite:", target)
    assert moved.status == 0, moved.err
    assert "1 user, 1 client, 2 APIs, 0 sessions" in moved.out
    assert f'\n  database = "{target}"\n' in moved.out
    counts = await tables_of(target)
    again = await installation.run("migrate-store", f"sqlite:{database_of(installation)}", target)
    assert (again.status, again.out) == (2, "")
    assert "not empty" in again.err
    assert await tables_of(target) == counts


async def test_another_issuer_moves_nothing(installation: "Installation", target: str) -> None:
    await installation.furnish()
    await make_tables(target)
    written = installation.configuration.read_text()
    installation.configuration.write_text(written.replace(installation.issuer, "https://other.example"))
    refused = await installation.run("migrate-store", "sqlite:", target, "--json")
    assert refused.status == 2, refused.out
    assert "does not open" in json.loads(refused.err)["error_description"]
    assert await is_empty(target)
