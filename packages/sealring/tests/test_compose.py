import asyncio
import os
import shutil
import socket
from contextlib import AsyncExitStack, closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import asyncpg
import httpx
import pytest
import structlog

from sealring import compose, config
from sealring.clocks import ServiceClockReading
from sealring.compose.unlocking import clock_problem
from sealring.compose.upkeep import _keep_service_clock
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.device_token import find_known_device, mint_device_token
from sealring.protocol.instant import Instant, ServiceInstant
from sealring.services.audit import VerifyAudit, verify_audit
from sealring.services.key_admin import KeysRotated, RotateKeys, rotate_keys
from sealring.services.master_key import KeysRewrapped, RewrapKeys, rewrap_keys
from sealring.services.store_state import recover_store
from sealring.signing.master_key import MasterKey, generate_master_key, load_master_key, write_master_key
from sealring.signing.sealing import derive
from sealring.storage.sqlite.database import open_database
from sealring.storage.sqlite.store import SqliteStore


def make(folder: Path, **written: object) -> config.Settings:
    cheap = {"memory": 8, "passes": 1, "threads": 1}
    settings = config.make_settings(
        {"issuer": "http://localhost:8799", "password": cheap} | written, folder=folder, source="tests"
    )
    assert isinstance(settings, config.Settings), settings
    return settings


def write_key(folder: Path) -> None:
    assert write_master_key(folder / "secrets/master.key", generate_master_key(randomness=os.urandom)) is None


async def problem_of(settings: config.Settings) -> str:
    with pytest.raises(compose.ComposeProblem) as raised:
        async with compose.open_house(settings):
            pass
    assert str(raised.value).endswith((".", "sealring.toml)."))
    return str(raised.value)


async def test_what_was_given_out_before_a_restart_is_good_after_it(open_site: Any) -> None:  # noqa: ANN401 -- a fixture
    async with open_site() as site:
        body = (await site.sign_in()).json()
        key_set = (await site.http.get("/jwks")).content
    async with open_site() as site:
        assert (await site.http.get("/jwks")).content == key_set
        assert (await site.inspect(body["access_token"]))["active"]
        assert (await site.refresh(body["refresh_token"])).status_code == 200


async def test_a_missing_master_key_is_a_sentence(tmp_path: Path) -> None:
    assert "master.key" in await problem_of(make(tmp_path))


async def test_the_wrong_master_key_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    async with compose.open_house(make(tmp_path)):
        pass
    shutil.rmtree(tmp_path / "secrets")
    write_key(tmp_path)
    assert "does not open the key" in await problem_of(make(tmp_path))


async def test_a_data_directory_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    (tmp_path / "data").write_text("a file is in the way")
    assert "cannot be written" in await problem_of(make(tmp_path))


async def test_a_second_process_on_the_same_store_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    async with compose.open_house(make(tmp_path)):
        assert "Another Sealring process" in await problem_of(make(tmp_path))


async def test_a_server_does_not_open_the_demos_database(tmp_path: Path) -> None:
    write_key(tmp_path)
    path = tmp_path / "data/sealring.db"
    database: Any = open_database(path, audit_key=b"k" * 32, writer="w", randomness=os.urandom, demo=True)
    await database.close()
    assert "the demo's database" in await problem_of(make(tmp_path))


async def test_another_issuer_does_not_open_the_store(tmp_path: Path) -> None:
    write_key(tmp_path)
    async with compose.open_house(make(tmp_path)):
        pass
    assert "issuer" in await problem_of(make(tmp_path, issuer="https://other.example"))


async def test_a_database_that_is_none_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data/sealring.db").write_bytes(b"this is no database" * 1000)
    assert "cannot be opened" in await problem_of(make(tmp_path))


def set_back_to_before_standing_keys(folder: Path) -> None:
    """Make the store one of the time when audit and device key were derived from the master key."""
    with closing(apsw.Connection(str(folder / "data/sealring.db"))) as connection:
        connection.execute("DROP TABLE standing_keys")
        connection.execute("DELETE FROM keys WHERE purpose = 'cookie'")
        connection.execute("DELETE FROM migrations WHERE number = 5")
        connection.execute("DELETE FROM audit_events")
        connection.execute("DELETE FROM audit_links")


async def chain_of_before(folder: Path, key: MasterKey) -> None:
    """Write events to such a store as the program of that time did."""
    path, audit_key = folder / "data/sealring.db", derive(key.reveal(), "audit")
    database: Any = open_database(path, audit_key=audit_key, writer="before", randomness=os.urandom, demo=False)
    await SqliteStore(database).audit.record([AuditEvent(event="node_started", at=1, actor="sealring")] * 3)
    await database.close()


async def test_a_store_from_before_standing_keys_goes_on_with_its_audit_and_its_devices(tmp_path: Path) -> None:
    write_key(tmp_path)
    key = load_master_key(tmp_path / "secrets/master.key")
    assert isinstance(key, MasterKey)
    async with compose.open_house(make(tmp_path)):
        pass
    set_back_to_before_standing_keys(tmp_path)
    await chain_of_before(tmp_path, key)
    for _ in range(2):
        async with compose.open_house(make(tmp_path)) as opened:
            desk = opened.desk
            assert desk.audit_key == derive(key.reveal(), "audit")
            assert opened.house.signer.device_keys()[0] == derive(key.reveal(), "device")
            rewrapped = await rewrap_keys(RewrapKeys(), desk=desk.keys, actor="cli:root")
            assert isinstance(rewrapped, KeysRewrapped), rewrapped
            verdict: Any = await verify_audit(
                VerifyAudit(), store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key
            )
            assert (verdict.holds, verdict.problems) == (True, ())
            assert "before" in await desk.store.audit.heads()


async def test_the_device_key_of_a_store_from_before_is_the_first_of_its_line_and_leaves_in_time(
    tmp_path: Path,
    open_site: Any,  # noqa: ANN401 -- a fixture's callable
) -> None:
    async with open_site() as site:
        pass
    key = load_master_key(tmp_path / "secrets/master.key")
    assert isinstance(key, MasterKey)
    secret = derive(key.reveal(), "device")
    set_back_to_before_standing_keys(tmp_path)
    async with open_site() as site:
        desk = site.opened.desk.keys
        stock = await site.store.keys.stock()
        assert [each.purpose for each in stock.standing] == ["audit", "pairwise"]
        (former,) = (each for each in stock.keys if each.purpose == "cookie" and each.state == "active")
        assert (former.kid, former.created_at) == ("cookie-device", min(each.created_at for each in stock.keys))
        assert site.opened.house.signer.device_keys()[0] == secret
        assert isinstance(await rewrap_keys(RewrapKeys(), desk=desk, actor="cli:root"), KeysRewrapped)
        device_id, issuer = b"d" * 15, site.opened.house.issuer
        token = mint_device_token(
            device_key=secret, issuer=issuer, sub="u1", device_id=device_id, now=site.now
        ).reveal()
        turned = await rotate_keys(RotateKeys(purpose="cookie", force=True), desk=desk, actor="cli:root")
        assert isinstance(turned, KeysRotated)
    async with open_site() as site:
        signer = site.opened.house.signer
        assert signer.device_keys()[0] != secret
        known = find_known_device(token, device_keys=signer.device_keys(), issuer=issuer, sub="u1", now=site.now)
        assert known == device_id
        (former,) = (each for each in (await site.store.keys.stock()).keys if each.kid == "cookie-device")
        assert (former.state, former.leaves_at) == ("retiring", turned.leaves_at)


@pytest.mark.parametrize("wrong", ["master key", "issuer"])
async def test_nothing_is_sealed_into_a_store_from_before_by_a_start_with_the_wrong(tmp_path: Path, wrong: str) -> None:
    write_key(tmp_path)
    async with compose.open_house(make(tmp_path)):
        pass
    set_back_to_before_standing_keys(tmp_path)
    kept = tmp_path / "secrets/master.key"
    content = kept.read_bytes()
    if wrong == "issuer":
        assert "issuer" in await problem_of(make(tmp_path, issuer="https://other.example"))
    else:
        kept.unlink()
        write_key(tmp_path)
        assert "does not open the key" in await problem_of(make(tmp_path))
        kept.write_bytes(content)
    async with compose.open_house(make(tmp_path)):
        pass


async def test_the_wrong_master_key_is_told_the_id_of_the_right_one(tmp_path: Path) -> None:
    write_key(tmp_path)
    key = load_master_key(tmp_path / "secrets/master.key")
    assert isinstance(key, MasterKey)
    async with compose.open_house(make(tmp_path)):
        pass
    (tmp_path / "secrets/master.key").rename(tmp_path / f"secrets/master.key.former-{key.id}")
    write_key(tmp_path)
    sentence = await problem_of(make(tmp_path))
    assert f"sealed under the master key {key.id}" in sentence
    assert f"master.key.former-{key.id}" in sentence


async def test_an_old_copy_of_the_database_halts_the_house_until_it_is_recovered(
    open_site: Any,  # noqa: ANN401 -- a fixture's callable
    tmp_path: Path,
) -> None:
    data = tmp_path / "data"
    async with open_site() as site:
        body = (await site.sign_in()).json()
    shutil.copytree(data, tmp_path / "copy")
    async with open_site() as site:
        ended = await site.http.request("DELETE", "/session", json={"refresh_token": body["refresh_token"]})
        assert ended.status_code == 204
    shutil.rmtree(data)
    shutil.copytree(tmp_path / "copy", data)
    for _ in range(2):  # starting again mends nothing
        async with open_site() as site:
            assert site.opened.house.halted
            refused = await site.refresh(body["refresh_token"])
            assert (refused.status_code, refused.json()["code"]) == (503, "store_rolled_back")
            assert (await site.http.get("/readyz")).status_code == 503
    async with compose.open_desk(make(tmp_path)) as desk:
        await recover_store(
            store=desk.store, remember=desk.remember, clock=desk.clock, randomness=desk.randomness, actor="cli:root"
        )
    async with open_site() as site:
        assert not site.opened.house.halted
        assert (await site.refresh(body["refresh_token"])).json()["code"] == "refresh_refused"
        assert await site.inspect(body["access_token"]) == {"active": False}
        assert (await site.sign_in()).status_code == 200


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def serve(settings: config.Settings, *, stop: asyncio.Event) -> asyncio.Task[None]:
    ready = asyncio.Event()
    serving = asyncio.create_task(compose.serve_house(settings, until=stop, announce=ready.set))
    waiting = asyncio.create_task(ready.wait())
    await asyncio.wait({serving, waiting}, return_when="FIRST_COMPLETED")
    waiting.cancel()
    return serving


async def test_a_served_house_answers_on_its_port_and_its_socket_and_stops_in_order(tmp_path: Path) -> None:
    write_key(tmp_path)
    port, stop = free_port(), asyncio.Event()
    settings = make(tmp_path, issuer=f"http://localhost:{port}", server={"port": port})
    before = structlog.get_config()
    try:
        serving = await serve(settings, stop=stop)
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://localhost:{port}/readyz")).json() == {"status": "ready"}
            assert (tmp_path / "run/control.sock").is_socket()
            second = await serve(make(tmp_path / "b", server={"port": port}), stop=stop)
            with pytest.raises(compose.ComposeProblem):
                await second
        stop.set()
        await serving
    finally:
        structlog.configure(**before)
    async with compose.open_desk(settings) as desk:
        events = [event.event.event for _, event in await desk.store.audit.list_events(after=-1, limit=20)]
    assert events[-2:] == ["node_started", "node_stopped"]


async def test_a_port_that_is_taken_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    before = structlog.get_config()
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            settings = make(tmp_path, server={"port": taken.getsockname()[1]})
            with pytest.raises(compose.ComposeProblem, match=str(taken.getsockname()[1])):
                await compose.serve_house(settings, until=asyncio.Event())
    finally:
        structlog.configure(**before)


async def test_a_known_device_signs_in_through_a_flood_of_strangers(
    open_site: Any,  # noqa: ANN401 -- a fixture's callable
    tmp_path: Path,
) -> None:
    port, stop = free_port(), asyncio.Event()
    slow = {"memory": 65_536, "passes": 6, "threads": 1, "queue": 4, "reserved_for_known": 1}
    settings = make(tmp_path, issuer=f"http://localhost:{port}", server={"port": port}, password=slow)
    before = structlog.get_config()
    try:
        async with open_site(settings.issuer):
            pass
        serving = await serve(settings, stop=stop)
        limits = httpx.Limits(max_connections=40)
        async with httpx.AsyncClient(
            base_url=settings.issuer, auth=("shop", "slc_shop"), limits=limits, timeout=60
        ) as http:
            message = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
            known = message | {"device_token": (await http.post("/session", json=message)).json()["device_token"]}

            async def be_a_stranger(number: int) -> None:
                while True:
                    await http.post("/session", json=message | {"username": f"stranger{number}"})
                    await asyncio.sleep(0.01)

            strangers = [asyncio.create_task(be_a_stranger(number)) for number in range(12)]
            await asyncio.sleep(0.5)
            for _ in range(3):
                refused = await http.post("/session", json=message)
                assert (refused.status_code, refused.json()["code"]) == (503, "sign_in_busy")
                assert (await http.post("/session", json=known)).status_code == 200
            for stranger in strangers:
                stranger.cancel()
            await asyncio.gather(*strangers, return_exceptions=True)
        stop.set()
        await serving
    finally:
        structlog.configure(**before)


@pytest.mark.parametrize(
    ("database", "apart"),
    [(10_000, None), (11_050, None), (9_000, None), (11_051, "1.0 s"), (8_999, "1.0 s"), (70_050, "60.0 s")],
)
def test_a_clock_that_is_over_a_second_from_the_databases_is_told(database: int, apart: str | None) -> None:
    problem = clock_problem(Instant(database), before=Instant(10_000), after=Instant(10_050))
    assert (problem is None) is (apart is None)
    assert problem is None or f"are {apart} apart" in problem


async def test_nodes_of_one_store_tell_each_other_how_far_the_service_clock_has_come() -> None:
    kept: list[int] = [0]

    class State:
        async def beat(self, service_now: int) -> None:
            kept.append(max(kept[-1], service_now))

        async def identity(self) -> SimpleNamespace:
            return SimpleNamespace(service_now=kept[-1])

    house = SimpleNamespace(store=SimpleNamespace(state=State()))
    ahead, behind = (ServiceClockReading(ServiceInstant(reading), shared=True) for reading in (500_000, 0))
    for clock in (ahead, behind):
        # Neither was ever used: a node that nobody asks keeps it all the same.
        await _keep_service_clock(SimpleNamespace(house=house, service_clock=clock))
    assert 500_000 <= behind() < 501_000
    alone = ServiceClockReading(ServiceInstant(900_000))
    await _keep_service_clock(SimpleNamespace(house=house, service_clock=alone))
    assert kept[-1] < 501_000


async def test_nodes_that_start_at_once_over_an_empty_database_agree_on_all_keys(
    postgresql_server: Any,  # noqa: ANN401 -- conftest's own
    tmp_path: Path,
) -> None:
    maker = await asyncpg.connect(postgresql_server.url())
    await maker.execute("CREATE DATABASE started_at_once")
    await maker.close()
    url = postgresql_server.url("started_at_once")
    write_key(tmp_path)
    nodes = [make(tmp_path, database=url, incarnation_file=f"node-{number}") for number in range(4)]
    async with AsyncExitStack() as stack:
        houses = await asyncio.gather(*(stack.enter_async_context(compose.open_house(node)) for node in nodes))
        assert len({opened.desk.audit_key for opened in houses}) == 1
        assert len({opened.house.signer.device_keys() for opened in houses}) == 1
        assert len({opened.house.signer.key_set() for opened in houses}) == 1
        stock = await houses[0].house.store.keys.stock()
        assert [key.purpose for key in stock.standing] == ["audit", "pairwise"]
        assert len({(key.purpose, key.alg, key.state) for key in stock.keys}) == len(stock.keys)
        desk = houses[1].desk
        verdict: Any = await verify_audit(VerifyAudit(), store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key)
        assert (verdict.holds, verdict.problems) == (True, ())


@pytest.mark.parametrize("allowed", ["localhost", "*:443", "https://localhost:8443", "10.0.0.0/8:443", "LOCALHOST:1"])
async def test_what_may_be_called_is_a_host_and_a_port_and_nothing_wider(tmp_path: Path, allowed: str) -> None:
    write_key(tmp_path)
    with pytest.raises(compose.ComposeProblem, match=r"outgoing\.allow"):
        async with compose.open_house(make(tmp_path, outgoing={"allow": [allowed]})):
            pass


async def test_an_authority_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    write_key(tmp_path)
    assert "outgoing.ca_file" in await problem_of(make(tmp_path, outgoing={"ca_file": "missing.pem"}))


async def test_a_certificate_that_cannot_be_served_is_a_sentence_before_anything_listens(tmp_path: Path) -> None:
    write_key(tmp_path)
    pair = {"certificate_file": "missing.pem", "key_file": "missing.key"}
    settings = make(tmp_path, issuer="https://id.example", tls=pair, server={"port": 0})
    with pytest.raises(compose.ComposeProblem, match=r"missing\.pem"):
        await compose.serve_house(settings)
