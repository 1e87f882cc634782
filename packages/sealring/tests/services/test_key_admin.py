import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from sealring.ports import FeedPage, KeyChange
from sealring.protocol.errors import OAuthError
from sealring.protocol.key_schedule import KeyPurpose, KeyState, StoredKey
from sealring.protocol.report import Report
from sealring.services.acknowledgement import Readers
from sealring.services.key_admin import (
    KeyDesk,
    KeysRevoked,
    KeysRotated,
    RevokeKey,
    RotateKeys,
    list_keys,
    revoke_key,
    rotate_keys,
)
from sealring.services.key_schedule import turn_due_keys
from sealring.services.report import ReportBoard
from sealring_verify.revocation_feed import revocation_id

READY_MS = 301_000


async def key(site: SimpleNamespace, state: KeyState, purpose: KeyPurpose = "access_token") -> StoredKey:
    keys = (await site.store.keys.stock()).keys
    (found,) = (key for key in keys if (key.state, key.purpose) == (state, purpose))
    return found


async def desk_at(site: SimpleNamespace, after_ms: int) -> KeyDesk:
    """Give the desk, its clock standing so long after the waiting key was published."""
    now = (await key(site, "pending")).created_at + after_ms
    return replace(site.opened.desk.keys, clock=lambda: now)


async def revoke(site: SimpleNamespace, kid: str, *, compromised: bool = False) -> KeysRevoked | OAuthError:
    desk = replace(site.opened.desk.keys, clock=lambda: site.now)
    return await revoke_key(RevokeKey(kid=kid, compromised=compromised), desk=desk, actor="cli:ada")


async def told(site: SimpleNamespace) -> set[tuple[str, bytes]]:
    page = await site.store.revocations.read_after(0, audience="orders", now=site.now, limit=100)
    assert isinstance(page, FeedPage)
    return {(entry.kind, entry.id) for entry in page.entries}


async def test_the_list_says_when_the_waiting_key_is_ready_and_who_holds_it(site: SimpleNamespace) -> None:
    active, pending = await key(site, "active"), await key(site, "pending")
    board = ReportBoard()
    said = Report(
        verifier="v" * 22, incarnation=None, position=None, age_ms=None, keys=(pending.kid,), counts={}, uses=()
    )
    desk = site.opened.desk.keys
    board.take("orders", said, now=desk.clock())
    listed = await list_keys(desk=desk, readers=Readers(feed=site.opened.house.feed, reports=board))
    seen = {each.kid: each for each in listed.keys}
    assert len(seen) == 8
    assert seen[active.kid].ready_at is None
    assert seen[pending.kid].ready_at == pending.created_at + READY_MS
    assert seen[pending.kid].known_to == ("orders",)
    assert seen[pending.kid].unknown_to == ("bills",)


async def test_a_turn_that_comes_too_early_is_refused_with_the_time_to_wait(site: SimpleNamespace) -> None:
    version = await site.store.keys.version()
    refused = await rotate_keys(RotateKeys(), desk=await desk_at(site, READY_MS - 1500), actor="cli:ada")
    assert isinstance(refused, OAuthError)
    assert (refused.code, refused.retry_after) == ("key_not_ready", 2)
    assert await site.store.keys.version() == version


@pytest.mark.parametrize(("after_ms", "force"), [(READY_MS, False), (0, True)])
async def test_a_turn_takes_the_waiting_key_when_it_is_ready_or_by_force(
    site: SimpleNamespace, after_ms: int, *, force: bool
) -> None:
    active, pending = await key(site, "active"), await key(site, "pending")
    desk = await desk_at(site, after_ms)
    turned = await rotate_keys(RotateKeys(force=force), desk=desk, actor="cli:ada")
    assert isinstance(turned, KeysRotated)
    assert (turned.kid, turned.retiring) == (pending.kid, active.kid)
    assert (await key(site, "retiring")).leaves_at == turned.leaves_at
    assert (await key(site, "pending")).kid != pending.kid


async def test_a_line_that_nobody_has_is_refused(site: SimpleNamespace) -> None:
    refused = await rotate_keys(RotateKeys(alg="EdDSA"), desk=await desk_at(site, READY_MS), actor="cli:ada")
    assert isinstance(refused, OAuthError)
    assert refused.code == "unknown_key_id"


@pytest.mark.parametrize("state", ["active", "pending"])
async def test_a_withdrawn_key_leaves_the_set_and_is_told(site: SimpleNamespace, state: KeyState) -> None:
    gone, pending = await key(site, state), await key(site, "pending")
    revoked = await revoke(site, gone.kid)
    assert isinstance(revoked, KeysRevoked)
    assert revoked.kids == (gone.kid,)
    assert revoked.successors == ((pending.kid,) if state == "active" else ())
    assert await told(site) == {("kid", revocation_id("kid", gone.kid))}
    assert gone.kid not in site.opened.house.signer.key_set().decode()
    assert (await key(site, "retired")).sealed == b""
    await key(site, "active")
    assert (await key(site, "pending")).kid != gone.kid
    again = await revoke(site, gone.kid)
    assert isinstance(again, OAuthError)
    assert again.code == "unknown_key_id"


async def test_a_refresh_token_of_a_withdrawn_mac_key_is_refused_and_a_new_one_is_good(site: SimpleNamespace) -> None:
    token = (await site.sign_in()).json()["refresh_token"]
    revoked = await revoke(site, (await key(site, "active", "mac")).kid)
    assert isinstance(revoked, KeysRevoked)
    assert revoked.sessions == 1
    assert (await site.refresh(token)).status_code == 400
    fresh = (await site.sign_in()).json()["refresh_token"]
    assert (await site.refresh(fresh)).status_code == 200


async def pause_of_others(making: asyncio.Task[Any]) -> float:
    """Say for how many seconds at most nobody else had a turn while something was made."""
    longest, last = 0.0, time.monotonic()
    while not making.done():
        await asyncio.sleep(0.001)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


@pytest.mark.parametrize("compromised", [False, True])
async def test_a_successor_that_takes_its_time_to_be_made_stops_nobody_else_meanwhile(
    site: SimpleNamespace, *, compromised: bool
) -> None:
    # Without a waiting key a successor has to be made.
    gone = replace(await key(site, "pending"), state="retired", sealed=b"")
    stock = await site.store.keys.stock()
    assert await site.store.keys.change(KeyChange(version=stock.version, keys=(gone,)), now=site.now, events=[]) == 0
    desk = site.opened.desk.keys
    forge, made = desk.terms.forge, []

    class Slow:
        make_secret = forge.make_secret

        def __call__(self, *arguments: Any, **beside: Any) -> StoredKey:  # noqa: ANN401 -- passed on as they come
            time.sleep(0.2)
            made.append(forge(*arguments, **beside))
            return made[-1]

    slow = replace(desk, terms=replace(desk.terms, forge=Slow()))
    request = RevokeKey(kid=(await key(site, "active")).kid, compromised=compromised)
    revoking = asyncio.create_task(revoke_key(request, desk=slow, actor="cli:ada"))
    assert await pause_of_others(revoking) < 0.15
    revoked = await revoking
    assert isinstance(revoked, KeysRevoked)
    assert set(revoked.successors) <= {each.kid for each in made}
    assert len(made) >= 2


def shut_out(site: SimpleNamespace) -> None:
    """Let nobody in from the tests' network but devices that are known."""
    for number in range(100):
        site.opened.house.limit.count_failure(f"guess{number}", "127.0.0.0/24")


async def status_from(site: SimpleNamespace, device_token: str) -> int:
    return int((await site.sign_in(device_token=device_token)).status_code)


async def test_a_device_stays_known_over_two_turns_of_the_cookie_keys_until_its_token_expires(
    site: SimpleNamespace,
) -> None:
    site.now = (await key(site, "active", "cookie")).created_at
    device_token = (await site.sign_in()).json()["device_token"]
    shut_out(site)
    desk = replace(site.opened.desk.keys, clock=lambda: site.now)
    turned_away = set()
    for _ in range(2):
        site.pass_time(2)
        active = await key(site, "active", "cookie")
        turned_away.add(active.kid)
        turned = await rotate_keys(RotateKeys(purpose="cookie"), desk=desk, actor="cli:ada")
        assert isinstance(turned, KeysRotated), turned
        assert turned.retiring == active.kid
        assert turned.leaves_at == site.now + (90 * 86_400 + 1) * 1000
        assert await status_from(site, device_token) == 200
    site.pass_time(90 * 86_400 - 5)
    assert await status_from(site, device_token) == 200
    site.pass_time(1)
    assert await status_from(site, device_token) == 429
    site.pass_time(10)
    await turn_due_keys(store=desk.store, signer=desk.signer, terms=desk.terms, holder=desk.holder, now=site.now)
    line = [each for each in (await site.store.keys.stock()).keys if each.purpose == "cookie"]
    assert {each.kid for each in line if each.state == "retired"} == turned_away
    assert all(bool(each.sealed) == (each.state != "retired") for each in line)


@pytest.mark.parametrize("compromised", [False, True])
async def test_devices_of_a_withdrawn_cookie_key_are_strangers_and_those_of_the_next_are_known(
    site: SimpleNamespace, *, compromised: bool
) -> None:
    signed_in = (await site.sign_in()).json()
    gone, pending = await key(site, "active", "cookie"), await key(site, "pending", "cookie")
    revoked = await revoke(site, gone.kid, compromised=compromised)
    assert isinstance(revoked, KeysRevoked)
    later_token = (await site.sign_in()).json()["device_token"]
    shut_out(site)
    assert await status_from(site, signed_in["device_token"]) == 429
    assert await status_from(site, later_token) == 200
    if not compromised:
        # What it made opens nothing: no session ends, and no API has to know.
        assert (revoked.kids, revoked.successors, revoked.sessions) == ((gone.kid,), (pending.kid,), 0)
        assert await told(site) == set()
        assert (await site.refresh(signed_in["refresh_token"])).status_code == 200


async def test_a_compromise_replaces_every_key_and_ends_everything(site: SimpleNamespace) -> None:
    signed_in = (await site.sign_in()).json()
    before = {each.kid for each in (await site.store.keys.stock()).keys}
    active = await key(site, "active")
    revoked = await revoke(site, active.kid, compromised=True)
    assert isinstance(revoked, KeysRevoked)
    assert set(revoked.kids) == before
    assert revoked.sessions == 1
    assert before.isdisjoint(each.kid for each in (await site.store.keys.stock()).keys if each.state != "retired")
    assert ("kid", revocation_id("kid", active.kid)) in await told(site)
    assert (await site.refresh(signed_in["refresh_token"])).status_code == 400
    assert await site.inspect(signed_in["access_token"]) == {"active": False}
    assert (await site.sign_in()).status_code == 200


@pytest.mark.parametrize("lifetime", [60, 90 * 86_400], ids=["shortened", "lengthened"])
async def test_no_session_ends_early_when_an_idle_lifetime_changes_about_a_turn_of_mac_keys(
    site: SimpleNamespace, lifetime: int
) -> None:
    async def change_clients() -> None:
        for client in await site.store.clients.list_all():
            assert await site.store.clients.replace(replace(client, idle_lifetime=lifetime), read=client, events=[])

    site.now = (await key(site, "pending", "mac")).created_at
    token = (await site.sign_in()).json()["refresh_token"]
    desk = replace(site.opened.desk.keys, clock=lambda: site.now)
    if lifetime == 60:
        await change_clients()
    site.pass_time(2)
    rotated = await rotate_keys(RotateKeys(purpose="mac"), desk=desk, actor="cli:ada")
    assert isinstance(rotated, KeysRotated)
    await change_clients()
    # A second before the session has been idle for the thirty days that it was opened with.
    site.pass_time(30 * 86_400 - 3)
    await turn_due_keys(store=desk.store, signer=desk.signer, terms=desk.terms, holder=desk.holder, now=site.now)
    answer = await site.refresh(token)
    assert answer.status_code == 200, answer.text
