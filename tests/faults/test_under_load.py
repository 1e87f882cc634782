"""Each command of the operator against a running server that is busy refreshing (DESIGN §5)."""

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from conftest import Installation

BUSY_CLIENTS = 20
NEW_PASSWORD = "correct horse battery staple, again"


@asynccontextmanager
async def load(installation: "Installation") -> "AsyncIterator[list[int]]":
    """Keep sessions of user-0 refreshing; each refresh must succeed. Yields a count of them in its only element."""
    tokens = await installation.open_sessions(BUSY_CLIENTS)
    count = [0]
    stop = asyncio.Event()

    async def refresh(token: str) -> None:
        while not stop.is_set():
            token = (await installation.refresh(token)).refresh_token
            count[0] += 1

    async with asyncio.TaskGroup() as group:
        for token in tokens:
            group.create_task(refresh(token))
        yield count
        stop.set()


@pytest.fixture
async def busy(installation: "Installation") -> "AsyncIterator[Installation]":
    await installation.furnish(users=3)
    await installation.start()
    async with load(installation) as count:
        yield installation
        assert count[0] > 100
    assert "internal_error" not in installation.log()


async def done(installation: "Installation", *arguments: str, stdin: str = "") -> Any:  # noqa: ANN401 -- JSON
    ran = await installation.run(*arguments, "--json", stdin=stdin)
    assert ran.status == 0, (arguments, ran.err)
    return ran.value()


async def test_users_while_others_refresh(busy: "Installation") -> None:
    await done(busy, "users", "add", "grace", "--role", "clerk", "--password-stdin", stdin=NEW_PASSWORD + "\n")
    assert len((await done(busy, "users", "list"))["users"]) == 4
    assert (await done(busy, "users", "show", "grace"))["roles"] == ["clerk"]
    assert (await done(busy, "users", "roles", "grace", "boss"))["roles"] == ["boss"]
    assert (await done(busy, "users", "claims", "grace", "--set", '{"plan": "gold"}'))["claims"] == {"plan": "gold"}
    token = (await busy.sign_in(1)).refresh_token
    assert (await done(busy, "users", "disable", "user-1"))["sessions"] == 1
    assert (await busy.refresh(token)).status == 400
    await done(busy, "users", "enable", "user-1")
    assert (await busy.sign_in(1)).status == 200
    await done(busy, "users", "set-password", "user-1", "--password-stdin", stdin=NEW_PASSWORD + "\n")
    assert (await busy.sign_in(1)).status in {400, 401}
    await done(busy, "users", "delete", "user-1")
    assert (await done(busy, "users", "link"))["url"].startswith(busy.issuer)


async def test_clients_and_apis_while_others_refresh(busy: "Installation") -> None:
    await done(busy, "apis", "add", "stock", "--scope", "stock:read", "See the stock")
    assert {api["identifier"] for api in (await done(busy, "apis", "list"))["apis"]} == {"orders", "stock", busy.issuer}
    await done(busy, "apis", "update", "stock", "--lifetime", "300")
    assert (await done(busy, "apis", "show", "stock"))["access_token_lifetime"] == 300
    assert (await done(busy, "apis", "rotate-secret", "stock"))["api_key"].startswith("sla_")
    added = await done(busy, "clients", "add", "till", "--first-party", "--allow", "stock", "stock:read")
    assert added["client_secret"].startswith("slc_")
    assert len((await done(busy, "clients", "list"))["clients"]) == 2
    await done(busy, "clients", "update", "till", "--grace", "20")
    assert (await done(busy, "clients", "show", "till"))["grace_window"] == 20
    assert (await done(busy, "clients", "rotate-secret", "till"))["secrets"] == 2
    await done(busy, "clients", "disable", "till")
    await done(busy, "clients", "enable", "till")
    await done(busy, "clients", "delete", "till")
    await done(busy, "apis", "delete", "stock")


@pytest.mark.both_engines
async def test_sessions_and_audit_while_others_refresh(busy: "Installation") -> None:
    tokens = [(await busy.sign_in(2)).refresh_token for _ in range(3)]
    listed = (await done(busy, "sessions", "list", "--user", "user-2"))["sessions"]
    assert len(listed) == 3
    await done(busy, "sessions", "end", listed[0]["sid"])
    assert (await done(busy, "sessions", "end", "--user", "user-2"))["sessions"] == 2
    assert {(await busy.refresh(token)).status for token in tokens} == {400}
    assert (await done(busy, "status"))["sessions"] == BUSY_CLIENTS
    assert (await done(busy, "migrate"))["running"] is True
    assert (await done(busy, "audit", "tail"))["events"]
    anchor = busy.folder / "anchor.json"
    anchor.write_text((await busy.run("audit", "anchor", "--json")).out)
    assert (await done(busy, "audit", "verify", "--anchor", str(anchor)))["holds"] is True


@pytest.mark.both_engines
async def test_ending_all_sessions_ends_those_under_load_too(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    tokens = await installation.open_sessions(BUSY_CLIENTS)
    assert (await done(installation, "sessions", "end", "--all"))["sessions"] == BUSY_CLIENTS
    replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
    assert {(reply.status, reply.json()["error"]) for reply in replies} == {(400, "invalid_grant")}
