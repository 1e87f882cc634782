from pathlib import Path

from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.services.desk import Desk
from sealring.services.store_state import (
    BackUpStore,
    StoreBackedUp,
    StoreRecovered,
    back_up_store,
    read_status,
    recover_store,
    restore_store,
)


async def test_the_status_names_the_store_and_counts_what_is_in_it(desk: Desk) -> None:
    status = await read_status(store=desk.store, issuer=desk.issuer, clock=desk.clock)
    identity = await desk.store.state.identity()
    assert status.incarnation == identity.incarnation.hex()
    assert (status.issuer, status.sessions, status.clients, status.apis) == (desk.issuer, 0, 0, 0)


async def test_recovering_begins_an_incarnation_that_is_remembered_outside(desk: Desk) -> None:
    remembered: list[tuple[bytes, int]] = []
    before = await desk.store.state.identity()
    recovered = await recover_store(
        store=desk.store,
        remember=lambda incarnation, feed_number: remembered.append((incarnation, feed_number)),
        clock=desk.clock,
        randomness=desk.randomness,
        actor="cli:root",
    )
    after = await desk.store.state.identity()
    assert recovered == StoreRecovered(incarnation=after.incarnation.hex(), sessions=0)
    assert after.incarnation != before.incarnation
    assert remembered == [(after.incarnation, after.feed_number)]
    (_, recorded), *_ = await desk.store.audit.list_events(after=0, limit=10)
    assert recorded.event.event == "store_recovered"


async def test_a_running_server_is_not_recovered_under_its_own_feet(desk: Desk) -> None:
    before = await desk.store.state.identity()
    refused = await recover_store(
        store=desk.store, remember=None, clock=desk.clock, randomness=desk.randomness, actor="cli:root"
    )
    assert isinstance(refused, OAuthError)
    assert refused.code == "server_running"
    assert await desk.store.state.identity() == before


async def test_a_copy_is_written_where_an_absolute_path_says_and_is_an_event(desk: Desk, tmp_path: Path) -> None:
    async def back_up(path: str) -> StoreBackedUp | OAuthError:
        return await back_up_store(
            BackUpStore(path=path), store=desk.store, key_folders=folders, clock=desk.clock, actor="cli:root"
        )

    folders = (tmp_path / "other keys", tmp_path / "keys")
    (tmp_path / "keys/inner").mkdir(parents=True)
    (tmp_path / "other keys").mkdir()
    for path in (
        "copy.db",
        f"{tmp_path}/keys/copy.db",
        f"{tmp_path}/keys/inner/copy.db",
        f"{tmp_path}/other keys/copy.db",
        f"{tmp_path}/none/copy.db",
    ):
        refused = await back_up(path)
        assert isinstance(refused, OAuthError)
        assert refused.code == "backup_refused"
    assert await desk.store.audit.list_events(after=0, limit=10) == ()
    copy = tmp_path / "copy.db"
    assert await back_up(str(copy)) == StoreBackedUp(path=str(copy))
    assert copy.stat().st_size > 0
    (_, recorded), *_ = await desk.store.audit.list_events(after=0, limit=10)
    assert (recorded.event.event, recorded.event.details) == ("store_backed_up", {"file": "copy.db"})


async def test_a_copy_takes_the_name_of_its_new_issuer_and_loses_its_keys(desk: Desk) -> None:
    own = Api(identifier="https://old.example", scopes={"sessions": "x"}, created_at=Instant(1))
    added = AuditEvent(event="api_added", at=1, actor="sealring", api=own.identifier)
    await desk.store.apis.add(own, events=[added])
    client = Client(
        client_id="site",
        name="site",
        type="public",
        allowed={"orders": frozenset({"orders:read"}), own.identifier: frozenset({"sessions"})},
        epoch=3,
        created_at=Instant(1),
    )
    await desk.store.clients.add(client, events=[])
    before = await desk.store.state.identity()
    restored = await restore_store(
        store=desk.store,
        issuer=desk.issuer,
        as_copy=True,
        clock=desk.clock,
        randomness=desk.randomness,
        actor="cli:root",
    )
    assert (restored.former_issuer, restored.sessions) == (own.identifier, 0)
    assert [api.identifier for api in await desk.store.apis.list_all()] == [desk.issuer]
    after = await desk.store.clients.find("site")
    assert after is not None
    assert after.allowed == {"orders": frozenset({"orders:read"}), desk.issuer: frozenset({"sessions"})}
    assert after.epoch > client.epoch
    assert (await desk.store.keys.stock()).keys == ()
    assert (await desk.store.state.identity()).incarnation != before.incarnation
    assert await desk.store.state.former_issuer() == desk.issuer
