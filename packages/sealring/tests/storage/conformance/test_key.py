import asyncio
from collections.abc import Awaitable, Callable

import pytest
from msgspec.structs import replace

from sealring.ports import FeedPage, KeyChange, NewSession, Store
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.standing_key import StandingKey
from sealring_verify.revocation_feed import revocation_id

NOW = Instant(1_700_000_000_000)
EVENT = AuditEvent(event="key_added", at=NOW, actor="sealring")
SIGNING = StoredKey(
    kid="signing",
    purpose="access_token",
    alg="ES256",
    state="active",
    mac_key_id=None,
    sealed=b"\x00sealed",
    public_jwk=b'{"kty":"EC"}',
    created_at=2000,
    activated_at=2500,
)
MAC = replace(SIGNING, kid="mac-7-x", purpose="mac", alg="HS256", mac_key_id=7, public_jwk=None, created_at=1000)
SECRET = replace(SIGNING, kid="hs-one", alg="HS256", public_jwk=None, api="orders", created_at=3000, leaves_at=9000)

Recorded = Callable[[], Awaitable[list[AuditEvent]]]
OpenSession = Callable[..., Awaitable[NewSession]]


@pytest.fixture
async def feed(shop: Store) -> Store:
    """Open one store with the API `orders`, which reads the feed."""
    await shop.apis.add(Api(identifier="orders", scopes={"orders:read": ""}, created_at=NOW), events=[])
    return shop


async def told(store: Store) -> list[tuple[str, bytes]]:
    page = await store.revocations.read_after(0, audience="orders", now=NOW, limit=100)
    assert isinstance(page, FeedPage)
    return [(entry.kind, entry.id) for entry in page.entries]


async def change(store: Store, change: KeyChange) -> int | None:
    return await store.keys.change(change, now=NOW, events=[EVENT])


async def test_keys_are_read_back_oldest_first_and_a_change_raises_the_version(store: Store) -> None:
    before = await store.keys.version()
    assert (await store.keys.stock()).keys == ()
    assert await change(store, KeyChange(version=before, keys=(SECRET, SIGNING, MAC))) == 0
    stock = await store.keys.stock()
    assert stock.keys == (MAC, SIGNING, SECRET)
    assert stock.version == await store.keys.version() == before + 1


async def test_a_change_that_was_decided_on_older_keys_leaves_no_trace(
    feed: Store, recorded: Recorded, open_session: OpenSession
) -> None:
    await open_session(1, mac_key_id=7)
    read = await feed.keys.version()
    assert await change(feed, KeyChange(version=read, keys=(SIGNING,))) == 0
    late = KeyChange(version=read, keys=(MAC,), withdrawn=("signing",), ended_mac_key_ids=(7,), ends_everything=True)
    assert await change(feed, late) is None
    assert (await feed.keys.stock()).keys == (SIGNING,)
    assert await feed.keys.version() == read + 1
    assert await told(feed) == []
    assert await feed.sessions.count_live(sub="ada", now=NOW) == 1
    assert await recorded() == [EVENT]


async def test_of_two_changes_at_once_one_is_written(store: Store) -> None:
    read = await store.keys.version()
    made = [KeyChange(version=read, keys=(key,)) for key in (SIGNING, MAC)]
    assert sorted(map(str, await asyncio.gather(*(change(store, each) for each in made)))) == ["0", "None"]
    assert len((await store.keys.stock()).keys) == 1


async def test_a_key_changes_its_state_and_loses_its_secret_but_never_its_line(store: Store) -> None:
    await change(store, KeyChange(version=await store.keys.version(), keys=(MAC,)))
    gone = replace(MAC, state="retired", sealed=b"", mac_key_id=None, leaves_at=NOW)
    await change(store, KeyChange(version=await store.keys.version(), keys=(replace(gone, alg="ES256"),)))
    assert (await store.keys.stock()).keys == (gone,)


async def test_standing_keys_are_kept_apart_from_those_that_turn_and_are_replaced_with_them(store: Store) -> None:
    audit = StandingKey(purpose="audit", sealed=b"one")
    read = await store.keys.version()
    assert await change(store, KeyChange(version=read, keys=(MAC,), standing=(audit,))) == 0
    stock = await store.keys.stock()
    assert (stock.keys, stock.standing) == ((MAC,), (audit,))
    assert set(stock.sealed) == {MAC.sealed, b"one"}
    anew = replace(audit, sealed=b"three")
    assert await change(store, KeyChange(version=read, keys=(), standing=(anew,))) is None
    assert await change(store, KeyChange(version=read + 1, keys=(), standing=(anew,))) == 0
    assert (await store.keys.stock()).standing == (anew,)


async def test_a_withdrawn_key_is_told_to_every_api_and_ends_no_session(feed: Store, open_session: OpenSession) -> None:
    await open_session(1, mac_key_id=7)
    withdrawal = KeyChange(version=await feed.keys.version(), keys=(SIGNING,), withdrawn=("signing",))
    assert await change(feed, withdrawal) == 0
    assert await told(feed) == [("kid", revocation_id("kid", "signing"))]
    assert await feed.revocations.audiences_after(0) == {None}
    assert await feed.sessions.count_live(sub="ada", now=NOW) == 1


async def test_the_sessions_of_a_withdrawn_mac_key_end_and_are_told_and_no_others(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1, mac_key_id=7)
    await open_session(2, mac_key_id=8)
    await open_session(3, mac_key_id=7)
    withdrawal = KeyChange(version=await feed.keys.version(), keys=(MAC,), ended_mac_key_ids=(7,))
    assert await change(feed, withdrawal) == 2
    assert set(await told(feed)) == {("sid", revocation_id("sid", sid)) for sid in ("sid-1", "sid-3")}
    assert await feed.sessions.count_live(sub="ada", now=NOW) == 1


async def test_a_change_that_ends_everything_raises_every_epoch(feed: Store, open_session: OpenSession) -> None:
    await open_session(1, mac_key_id=7)
    await open_session(2, mac_key_id=8)
    everything = KeyChange(version=await feed.keys.version(), keys=(MAC,), withdrawn=("old",), ends_everything=True)
    assert await change(feed, everything) == 2
    assert await told(feed) == [("kid", revocation_id("kid", "old")), ("client", revocation_id("client", "shop"))]
    ada, shop = await feed.users.find("ada"), await feed.clients.find("shop")
    assert ada is not None
    assert shop is not None
    assert ada.epoch > 5
    assert shop.epoch > 7
    assert await feed.sessions.count_live(sub="ada", now=NOW) == 0
