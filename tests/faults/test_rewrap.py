"""A server that is killed while the master key is changed: the next start finds its way, and nobody is signed out."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from sealring.signing.master_key import MasterKey, load_master_key
from sealring.signing.sealing import sealing_key_id

if TYPE_CHECKING:
    from conftest import Installation

READ_ONLY_FOLDER = 'mount --bind "$1/secrets" "$1/secrets" && mount -o remount,ro,bind "$1/secrets"'
FILE_OF_ITS_OWN = 'mount --bind "$1/secrets/master.key" "$1/secrets/master.key"'
SEALRING = Path(sys.executable).with_name("sealring")


async def begin_rewrap(installation: "Installation") -> None:
    transport = httpx.AsyncHTTPTransport(uds=str(installation.folder / "run/control.sock"))
    async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
        with suppress(httpx.TransportError):
            await client.post("/acts/keys.rewrap", json={})


def sealed_under(installation: "Installation") -> set[str | None]:
    with closing(sqlite3.connect(installation.folder / "data/sealring.db")) as connection:
        rows = connection.execute("SELECT sealed FROM keys UNION ALL SELECT sealed FROM standing_keys").fetchall()
    return {sealing_key_id(sealed) for (sealed,) in rows if sealed}


def there_is_a_next_key(secrets: Path) -> bool:
    return (secrets / "master.key.next").exists()


def a_change_has_begun(secrets: Path) -> bool:
    # On a busy machine the whole change can pass between two looks.
    return there_is_a_next_key(secrets) or there_is_a_former_key(secrets)


def there_is_a_former_key(secrets: Path) -> bool:
    return any(secrets.glob("master.key.former-*"))


async def kill_when(installation: "Installation", reached: Callable[[Path], bool], *, later: float) -> None:
    def watch() -> None:
        until = time.monotonic() + 10
        while not reached(installation.folder / "secrets"):
            assert time.monotonic() < until
        time.sleep(later)

    rewrapping = asyncio.create_task(begin_rewrap(installation))
    await asyncio.to_thread(watch)
    await installation.kill()
    await rewrapping


@pytest.mark.parametrize("later", [0, 0.001, 0.003, 0.008], ids=["at_once", "1ms", "3ms", "8ms"])
@pytest.mark.parametrize("reached", [a_change_has_begun, there_is_a_former_key])
async def test_a_kill_in_the_middle_of_a_change_leaves_one_master_key_and_every_session(
    installation: "Installation", reached: Callable[[Path], bool], later: float
) -> None:
    await installation.furnish()
    await installation.start()
    tokens = await installation.open_sessions(5)
    async with httpx.AsyncClient(base_url=installation.issuer) as http:
        key_set = (await http.get("/jwks")).content
    await kill_when(installation, reached, later=later)
    await installation.start()
    key = load_master_key(installation.folder / "secrets/master.key")
    assert isinstance(key, MasterKey)
    assert sealed_under(installation) == {key.id}
    assert not there_is_a_next_key(installation.folder / "secrets")
    async with httpx.AsyncClient(base_url=installation.issuer) as http:
        assert (await http.get("/jwks")).content == key_set
    replies = await asyncio.gather(*(installation.refresh(token) for token in tokens))
    assert {reply.status for reply in replies} == {200}
    again = await installation.run("keys", "rewrap")
    assert again.status == 0, again.err
    verdict = await installation.run("audit", "verify", "--json")
    assert verdict.status == 0, verdict


def may_mount() -> bool:
    """Say whether this machine lets us mount something that nobody else sees."""
    try:
        trying = subprocess.run(["unshare", "-m", "mount", "--bind", "/tmp", "/tmp"], check=False, capture_output=True)  # noqa: S108 -- nothing is written there
    except FileNotFoundError:
        return False
    return trying.returncode == 0


@pytest.mark.skipif(not may_mount(), reason="needs mounts of its own")
@pytest.mark.parametrize("mount", [READ_ONLY_FOLDER, FILE_OF_ITS_OWN], ids=["read_only_folder", "file_of_its_own"])
async def test_a_master_key_on_a_mount_is_not_replaced_and_nothing_is_changed(
    installation: "Installation", mount: str
) -> None:
    await installation.furnish()
    before = sealed_under(installation)
    script = f'{mount} && exec "$2" keys rewrap --json --config "$1/sealring.toml"'
    process = await asyncio.create_subprocess_exec(
        "unshare", "-m", "sh", "-c", script, "sh", installation.folder, SEALRING, stderr=subprocess.PIPE
    )
    _, err = await process.communicate()
    refused = json.loads(err)
    assert (process.returncode, refused["code"]) == (1, "master_key_unwritable")
    assert "--to FILE" in refused["error_description"]
    assert sealed_under(installation) == before
    names = {file.name for file in (installation.folder / "secrets").iterdir()}
    assert names == {"master.key", "master.key.incarnation"}
