import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import msgspec
import pytest

from sealring.admin.acts import ACTS
from sealring.ports import KeyChange, KeyStock, MasterKeyChange, MasterKeyPlaced, MasterKeyRefusal
from sealring.protocol.audit_event import EVENTS
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.services.audit import AuditVerdict, VerifyAudit, verify_audit
from sealring.services.key_admin import KeyDesk, KeysRotated, RotateKeys, rotate_keys
from sealring.services.master_key import KeysRewrapped, RewrapKeys, change_event, rewrap_keys, settlement_event
from sealring.services.store_state import BackUpStore
from sealring.signing.master_key import MasterKey, load_master_key
from sealring.signing.master_key_file import former_file, next_file, stock_sealing_ids, unused_file


class LosingChange:
    """A change that comes too late a number of times, as if a key had turned each time."""

    def __init__(self, change: MasterKeyChange, losses: int) -> None:
        self._change = change
        self._losses = losses
        self.former_id, self.key_id = change.former_id, change.key_id

    def reseal(self, stock: KeyStock) -> KeyChange:
        self._losses -= 1
        change = self._change.reseal(stock)
        return change if self._losses < 0 else msgspec.structs.replace(change, version=change.version - 1)

    def finish(self) -> MasterKeyPlaced:
        return self._change.finish()

    def abandon(self) -> None:
        self._change.abandon()


def losing(desk: KeyDesk, losses: int) -> KeyDesk:
    def begin_change(stock: KeyStock, *, to: Path | None) -> LosingChange | MasterKeyRefusal:
        change = desk.master_key.begin_change(stock, to=to)
        return change if isinstance(change, MasterKeyRefusal) else LosingChange(change, losses)

    keeper = SimpleNamespace(changing=desk.master_key.changing, begin_change=begin_change)
    return msgspec.structs.replace(desk, master_key=keeper)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets/master.key"


async def rewrap(site: SimpleNamespace, *, to: Path | None = None, losses: int = 0) -> KeysRewrapped | OAuthError:
    desk = losing(site.opened.desk.keys, losses)
    return await rewrap_keys(RewrapKeys(to=None if to is None else str(to)), desk=desk, actor="cli:ada")


async def sealed_under(site: SimpleNamespace) -> frozenset[str]:
    return stock_sealing_ids(await site.store.keys.stock())


def key_at(path: Path) -> MasterKey:
    key = load_master_key(path)
    assert isinstance(key, MasterKey), key
    return key


async def audit_holds(site: SimpleNamespace) -> bool:
    desk = site.opened.desk
    verdict = await verify_audit(VerifyAudit(), store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key)
    assert isinstance(verdict, AuditVerdict)
    return verdict.holds


async def test_everything_goes_on_under_another_master_key(open_site: Any, path: Path) -> None:  # noqa: ANN401 -- a fixture
    async with open_site() as site:
        former, signed_in = key_at(path), (await site.sign_in()).json()
        key_set = (await site.http.get("/jwks")).content
        done = await rewrap(site)
        assert isinstance(done, KeysRewrapped)
        assert (done.former_id, done.id) == (former.id, key_at(path).id)
        assert (done.file, done.former_file) == (str(path), str(former_file(path, former.id)))
        assert (done.unfinished, done.keys) == (None, 10)
        assert await sealed_under(site) == {done.id}
        token = (await site.refresh(signed_in["refresh_token"])).json()["refresh_token"]
    async with open_site() as site:
        assert (await site.http.get("/jwks")).content == key_set
        assert (await site.inspect(signed_in["access_token"]))["active"]
        assert (await site.refresh(token)).status_code == 200
        turned = await rotate_keys(RotateKeys(force=True), desk=site.opened.desk.keys, actor="cli:ada")
        assert isinstance(turned, KeysRotated)
        assert await sealed_under(site) == {done.id}
        assert await audit_holds(site)
        (event,) = [event for event in await site.events() if event.event == "master_key_changed"]
        assert (event.actor, event.details) == ("cli:ada", {"former": former.id, "master_key": done.id})
        known = signed_in["device_token"]
        assert (await site.sign_in(device_token=known)).json()["device_token"]


async def test_known_devices_stay_known(open_site: Any) -> None:  # noqa: ANN401 -- as above
    async with open_site() as site:
        before = site.opened.house.signer.device_keys()
        await rewrap(site)
    async with open_site() as site:
        assert site.opened.house.signer.device_keys() == before


@pytest.mark.parametrize("losses", [1, 7])
async def test_a_key_that_turns_meanwhile_makes_the_change_try_again(site: SimpleNamespace, losses: int) -> None:
    done = await rewrap(site, losses=losses)
    assert isinstance(done, KeysRewrapped)
    assert await sealed_under(site) == {done.id}


async def test_keys_that_turn_at_the_same_time_are_all_sealed_under_one_master_key(site: SimpleNamespace) -> None:
    desk = site.opened.desk.keys
    for _ in range(20):
        done, turned = await asyncio.gather(
            rewrap(site), rotate_keys(RotateKeys(force=True), desk=desk, actor="cli:ada")
        )
        assert isinstance(done, KeysRewrapped)
        assert isinstance(turned, KeysRotated)
        assert await sealed_under(site) == {done.id}


async def test_a_change_that_always_comes_too_late_leaves_nothing(site: SimpleNamespace, path: Path) -> None:
    before = key_at(path)
    refused = await rewrap(site, losses=1000)
    assert isinstance(refused, OAuthError)
    assert refused.code == "store_unavailable"
    assert not next_file(path).exists()
    assert await sealed_under(site) == {before.id} == {key_at(path).id}


async def test_two_changes_at_once_are_made_one_after_the_other(site: SimpleNamespace, path: Path) -> None:
    first = key_at(path)
    done = await asyncio.gather(rewrap(site), rewrap(site))
    assert all(isinstance(each, KeysRewrapped) for each in done)
    assert {each.former_id for each in done if isinstance(each, KeysRewrapped)} > {first.id}
    assert await sealed_under(site) == {key_at(path).id}
    assert len([event for event in await site.events() if event.event == "master_key_changed"]) == 2


async def test_no_copy_is_written_to_where_the_new_key_lies(site: SimpleNamespace, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    async def back_up(path: Path) -> str:
        done = await ACTS["backup"].perform(BackUpStore(path=str(path)), site.opened.desk, "cli:ada")
        return done.code if isinstance(done, OAuthError) else "written"

    assert await back_up(elsewhere / "before.db") == "written"
    assert isinstance(await rewrap(site, to=elsewhere / "other.key", losses=8), OAuthError)
    # The change came to nothing, and its key was removed.
    assert await back_up(elsewhere / "between.db") == "written"
    assert isinstance(await rewrap(site, to=elsewhere / "other.key"), KeysRewrapped)
    assert await back_up(elsewhere / "after.db") == "backup_refused"
    assert await back_up(tmp_path / "secrets/after.db") == "backup_refused"
    assert await back_up(tmp_path / "after.db") == "written"


async def test_a_change_that_died_keeps_nobody_from_another_after_the_next_start(open_site: Any) -> None:  # noqa: ANN401 -- as above
    async with open_site() as site:
        now = site.opened.desk.keys.clock()
        assert await site.store.leases.take("master_key", holder="the dead", now=now, expires_at=now + 60_000)
    async with open_site() as site:
        assert isinstance(await rewrap(site), KeysRewrapped)


async def test_a_change_at_another_node_is_waited_for(site: SimpleNamespace) -> None:
    now = site.opened.desk.keys.clock()
    assert await site.store.leases.take("master_key", holder="elsewhere", now=now, expires_at=now + 60_000)
    refused = await rewrap(site)
    assert isinstance(refused, OAuthError)
    assert refused.code == "changed_meanwhile"


async def test_a_store_that_fails_leaves_the_new_key_to_the_next_opening(open_site: Any, path: Path) -> None:  # noqa: ANN401 -- as above
    async with open_site() as site:
        database, desk = site.store._database, losing(site.opened.desk.keys, 0)
        refusals = iter([True])
        database._writing.set_commit_hook(lambda: next_file(path).exists() and next(refusals, False))
        with pytest.raises(apsw.ConstraintError):
            await rewrap_keys(RewrapKeys(), desk=desk, actor="cli:ada")
        database._writing.set_commit_hook(None)
        former, coming = key_at(path), key_at(next_file(path))
        assert await sealed_under(site) == {former.id}
    async with open_site() as site:
        assert await sealed_under(site) == {former.id} == {key_at(path).id}
        assert key_at(unused_file(path, coming.id)) == coming
        (event,) = [event for event in await site.events() if event.event == "master_key_settled"]
        assert event.details == {"settlement": "put_aside", "master_key": former.id, "found": coming.id}
        assert isinstance(await rewrap(site), KeysRewrapped)


async def test_a_change_that_was_sealed_is_finished_at_the_next_opening(open_site: Any, path: Path) -> None:  # noqa: ANN401 -- as above
    async with open_site() as site:
        former_file(path, key_at(path).id).mkdir(mode=0o700)
        done = await rewrap(site)
        assert isinstance(done, KeysRewrapped)
        assert done.unfinished is not None
        assert done.file == str(next_file(path))
        assert (await site.sign_in()).status_code == 200
    former_file(path, done.former_id).rmdir()
    async with open_site() as site:
        assert key_at(path).id == done.id
        assert key_at(former_file(path, done.former_id)).id == done.former_id
        (event,) = [event for event in await site.events() if event.event == "master_key_settled"]
        assert event.details["settlement"] == "finished"


async def test_a_change_that_is_not_finished_yet_is_finished_before_the_next_one(
    site: SimpleNamespace, path: Path
) -> None:
    obstacle = former_file(path, key_at(path).id)
    obstacle.mkdir(mode=0o700)
    first = await rewrap(site)
    assert isinstance(first, KeysRewrapped)
    assert first.unfinished is not None
    refused = await rewrap(site)
    assert isinstance(refused, OAuthError)
    assert key_at(next_file(path)).id == first.id
    obstacle.rmdir()
    second = await rewrap(site)
    assert isinstance(second, KeysRewrapped)
    assert (second.former_id, second.unfinished) == (first.id, None)
    assert await sealed_under(site) == {second.id} == {key_at(path).id}
    for kept in (first.former_id, first.id):
        assert key_at(former_file(path, kept)).id == kept


async def test_a_new_file_is_taken_where_nothing_is_in_the_way(open_site: Any, path: Path, tmp_path: Path) -> None:  # noqa: ANN401 -- as above
    async with open_site() as site:
        present = key_at(path)
        done = await rewrap(site, to=tmp_path / "mount/new.key")
        assert isinstance(done, KeysRewrapped)
        assert (done.file, done.former_file) == (str(tmp_path / "mount/new.key"), str(path))
        assert key_at(path) == present
        again = await rewrap(site)
        assert isinstance(again, OAuthError)
        assert again.code == "rewrap_refused"
        assert done.id in again.description
    async with open_site(master_key_file="mount/new.key") as site:
        assert await sealed_under(site) == {done.id}


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("relative.key", "rewrap_refused"),
        ("{folder}/data/master.key", "rewrap_refused"),
        ("{folder}/data/../data/deep/master.key", "rewrap_refused"),
        ("{folder}/secrets/master.key", "master_key_exists"),
    ],
)
async def test_a_place_that_backups_copy_or_that_is_taken_is_refused(
    site: SimpleNamespace, tmp_path: Path, to: str, code: str
) -> None:
    before = await site.store.keys.version()
    request = RewrapKeys(to=to.format(folder=tmp_path))
    refused = await rewrap_keys(request, desk=site.opened.desk.keys, actor="cli:ada")
    assert isinstance(refused, OAuthError)
    assert refused.code == code
    assert await site.store.keys.version() == before
    assert sorted(each.name for each in (tmp_path / "secrets").iterdir()) == ["master.key", "master.key.incarnation"]


def test_the_events_of_a_change_are_in_the_list() -> None:
    changed = change_event(former="a", key_id="b", actor="cli:ada", now=Instant(1))
    settled = settlement_event("finished", key_id="b", found="b", now=Instant(1))
    assert {changed.event, settled.event} <= set(EVENTS)
