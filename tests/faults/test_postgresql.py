"""An installation on PostgreSQL, set up and kept by the command line, and a database that goes away under it."""

import asyncio
import json
import signal
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from conftest import Installation, PostgresqlServer


async def test_an_installation_is_set_up_on_postgresql_and_kept(
    installation: "Installation", postgresql_server: "PostgresqlServer"
) -> None:
    installation.configuration.unlink()
    (installation.folder / "secrets" / "master.key").unlink()
    url, key = postgresql_server.url("set_up"), str(installation.folder / "secrets" / "master.key")
    init = ["init", "--yes", "--api", "orders", "--issuer", installation.issuer, "--database", url]
    missing = await installation.run(*init, "--master-key-file", key)
    assert (missing.status, "There is no database set_up" in missing.err) == (2, True)
    maker = await asyncpg.connect(postgresql_server.url())
    await maker.execute("CREATE DATABASE set_up")
    await maker.close()
    made = await installation.run(*init, "--master-key-file", key)
    assert made.status == 0, made.err
    await installation.start()
    added = await installation.run("users", "add", "ada", "--passphrase", "--json")
    assert added.status == 0, added.err
    assert await installation.stop() == 0
    listed = await installation.run("users", "list", "--json")  # by the database itself
    assert [user["username"] for user in json.loads(listed.out)["users"]] == ["ada"]
    assert (await installation.run("audit", "verify")).status == 0


async def test_every_client_goes_on_when_the_database_itself_is_killed(
    installation: "Installation", fragile: "PostgresqlServer"
) -> None:
    installation.database = fragile.url()
    installation.configure()
    await installation.furnish()
    await installation.start()
    tokens = await installation.open_sessions(40)
    refused = 0

    async def go_on(number: int) -> None:
        nonlocal refused
        for _ in range(25):
            reply = await installation.refresh(tokens[number])
            if reply.status == 503:
                assert reply.headers["retry-after"]
                refused += 1
                await asyncio.sleep(0.1)
                continue
            tokens[number] = reply.refresh_token

    clients = asyncio.gather(*(go_on(number) for number in range(len(tokens))))
    await asyncio.sleep(0.2)
    fragile.stop(signal.SIGQUIT)
    await asyncio.sleep(0.3)
    fragile.start()
    await clients
    assert refused > 0
    replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
    assert {reply.status for reply in replies} == {200}
    verdict = await installation.run("audit", "verify", "--json")
    assert json.loads(verdict.out)["holds"], verdict.out


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
async def test_copies_are_left_to_the_databases_own_tools(installation: "Installation") -> None:
    await installation.furnish()
    copied = await installation.run("backup", str(installation.folder / "copy.db"))
    assert (copied.status, "pg_dump" in copied.err) == (1, True)
    assert not (installation.folder / "copy.db").exists()
    restored = await installation.run("restore", "--yes", str(installation.folder / "copy.db"))
    assert (restored.status, "pg_restore" in restored.err) == (2, True)
    recovered = await installation.run("recover", "--yes", "--json")
    assert recovered.status == 0
    await installation.start()
