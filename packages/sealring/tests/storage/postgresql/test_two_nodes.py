"""Two nodes over one database: what one decides the other one sees, and of two who race one wins (SECURITY A5, B1)."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import asyncpg
import msgspec
import pytest

from sealring.ports import FeedPage, KeyChange, NewSession, Store, StoreUnavailable
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.refresh_token import (
    PresentedRefreshToken,
    RefreshPolicy,
    Repeat,
    decide_refresh,
)
from sealring.protocol.revocation import FIRST_DIGEST, FeedEntry, Revocation
from sealring.protocol.user import User
from sealring_verify.revocation_feed import revocation_id

if TYPE_CHECKING:
    from sealring.storage.postgresql.store import PostgresqlStore

NOW = Instant(3000)
EVENT = AuditEvent(event="user_changed", at=NOW, actor="cli:test", sub="ada", personal={"name": "Ada"})
ORDERS = Api(identifier="orders", scopes={"orders:read": "Read"}, created_at=NOW)
DICE = random.Random(7)  # noqa: S311 -- orders and stalls
OpenSession = Callable[..., Awaitable[NewSession]]
Pair = tuple[Store, Store]


@pytest.fixture
async def pair(shop: Store, open_node: Callable[[], Awaitable["PostgresqlStore"]]) -> Pair:
    """Two nodes, furnished with ada and the shop."""
    return shop, await open_node()


async def advance(store: Store, session: NewSession, generation: int = 0) -> bool:
    presented = PresentedRefreshToken(key=session.key, generation=generation, client_id="shop")
    grant = await store.sessions.advance(
        presented, mac_key_id=0, idle_lifetime=Seconds(100), now=NOW, service_now=ServiceInstant(50)
    )
    return grant is not None


async def test_of_two_nodes_that_are_shown_one_assertion_one_takes_it(pair: Pair) -> None:
    for number in range(20):
        assertion = AcceptedAssertion(digest=bytes([number] * 32), expires_at=NOW)
        taken = await asyncio.gather(*(node.client_assertions.spend(assertion) for node in DICE.sample(pair, 2)))
        assert sorted(taken) == [False, True]


async def test_of_two_nodes_that_race_for_one_refresh_token_one_rotates_and_the_other_may_repeat(
    pair: Pair, open_session: OpenSession
) -> None:
    sessions = [await open_session(number) for number in range(1, 41)]
    for generation in range(5):
        rotated = await asyncio.gather(
            *(advance(node, session, generation) for session in sessions for node in DICE.sample(pair, 2))
        )
        assert [first + second for first, second in zip(rotated[::2], rotated[1::2], strict=True)] == [1] * 40
    family = await pair[1].sessions.find_family(sessions[0].key)
    assert family is not None
    assert family.generation == 5
    late = PresentedRefreshToken(key=family.key, generation=4, client_id="shop", network=family.network)
    policy = RefreshPolicy(grace_window=Seconds(10))
    assert isinstance(decide_refresh(family, late, now=NOW, service_now=ServiceInstant(60), policy=policy), Repeat)
    assert await pair[1].sessions.repeat(family, shared_generation=None, now=NOW, events=[]) is not None
    assert await pair[0].sessions.repeat(family, shared_generation=None, now=NOW, events=[]) is None


async def test_a_batch_takes_its_families_in_the_order_of_their_keys_wherever_they_lie(
    pair: Pair, open_session: OpenSession, url: str
) -> None:
    stranger = await asyncpg.connect(url)
    last, middle, first = [await open_session(number) for number in (9, 5, 1)]
    hold = "SELECT 1 FROM sessions WHERE key = $1 FOR UPDATE NOWAIT"
    async with stranger.transaction():
        await stranger.execute(hold, middle.key)
        batch = asyncio.gather(*(advance(pair[1], session) for session in (last, middle, first)))
        await asyncio.sleep(0.2)
        # It waits for the middle one, has the first one and does not yet hold the last one.
        await stranger.execute(hold, last.key)
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with stranger.transaction():
                await stranger.execute(hold, first.key)
    assert await batch == [True, True, True]
    await stranger.close()


async def test_the_feed_is_seen_in_one_order_by_both_nodes_whoever_ended(pair: Pair, open_session: OpenSession) -> None:
    await pair[0].apis.add(ORDERS, events=[])
    sids = [(await open_session(number)).sid for number in range(1, 61)]

    async def end(sid: str) -> None:
        await asyncio.sleep(DICE.random() / 20)
        assert await DICE.choice(pair).sessions.end(sid, reason="logged_out", now=NOW, events=[EVENT])

    async def tail(node: Store) -> list[FeedEntry]:
        seen: list[FeedEntry] = []
        position, digest = 0, FIRST_DIGEST
        while len(seen) < len(sids):
            await node.revocations.wait_beyond(position, seconds=1)
            page = await node.revocations.read_after(position, audience="orders", now=NOW, limit=7)
            assert isinstance(page, FeedPage)
            assert page.previous == digest
            seen += page.entries
            position, digest = page.head.number, page.head.digest
        return seen

    first, second, *_ = await asyncio.gather(tail(pair[0]), tail(pair[1]), *map(end, sids))
    assert first == second
    assert [entry.number for entry in first] == list(range(1, 61))
    # The audit too: positions are dense, and each node's events lie in its own chain.
    listed = await pair[1].audit.list_events(after=0, limit=100)
    assert [position for position, _ in listed] == list(range(1, 61))
    assert {recorded.writer for _, recorded in listed} == {"node-1", "node-2"}


async def test_whoever_waits_on_one_node_is_woken_by_the_other(pair: Pair, open_session: OpenSession) -> None:
    await open_session(1)
    waiting = asyncio.create_task(pair[1].revocations.wait_beyond(0, seconds=30))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    await pair[0].sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    await asyncio.wait_for(waiting, timeout=0.5)


async def test_one_of_two_key_changes_wins_and_both_nodes_read_it(pair: Pair) -> None:
    key = StoredKey(
        kid="a", purpose="mac", alg="HS256", state="active", mac_key_id=1, sealed=b"s", public_jwk=None, created_at=NOW
    )
    changes = [
        KeyChange(version=0, keys=(msgspec.structs.replace(key, kid=kid, mac_key_id=number),))
        for number, kid in enumerate("ab")
    ]
    ended = await asyncio.gather(
        *(node.keys.change(change, now=NOW, events=[EVENT]) for node, change in zip(pair, changes, strict=True))
    )
    assert sorted(ended, key=str) == [0, None]
    assert await pair[0].keys.stock() == await pair[1].keys.stock()
    assert len((await pair[0].keys.stock()).keys) == 1


async def test_a_lease_is_held_by_one_of_two_nodes(pair: Pair) -> None:
    taken = await asyncio.gather(
        *(
            node.leases.take("work", holder=f"{number}", now=NOW, expires_at=Instant(NOW + 100))
            for number in range(10)
            for node in pair
        )
    )
    assert sum(taken) >= 2
    holders = {number // 2 for number, took in enumerate(taken) if took}
    assert len(holders) == 1


async def test_of_two_password_changes_on_two_nodes_one_holds(pair: Pair) -> None:
    changes = [
        node.users.set_password("ada", password_hash="new", proven_epoch=5, keep=None, now=NOW, events=[EVENT])
        for node in pair
    ]
    assert sorted(await asyncio.gather(*changes), key=str) == [6, None]


async def test_an_administrator_link_is_spent_on_one_of_two_nodes(pair: Pair) -> None:
    await pair[0].users.add_link(b"d" * 32, expires_at=Instant(4000), events=[])

    async def spend(node: Store, sub: str) -> bool | None:
        user = User(sub=sub, claims={}, administrator=True, epoch=1, created_at=1)
        return await node.users.spend_link(
            b"d" * 32, user=user, username_key=sub, email_key=None, password_hash="h", now=NOW, events=[]
        )

    assert sorted(await asyncio.gather(*map(spend, pair, ("one", "two"))), key=str) == [None, True]


async def test_of_a_person_and_a_client_who_are_given_one_id_on_two_nodes_one_gets_it(pair: Pair) -> None:
    shop = await pair[0].clients.find("shop")
    assert shop is not None
    for number in range(40):
        name = f"name-{number}"
        person = User(sub=name, claims={}, epoch=1, created_at=1)
        one, other = DICE.sample(pair, 2)
        client, user, subject = await asyncio.gather(
            one.clients.add(msgspec.structs.replace(shop, client_id=name), events=[]),
            other.users.add(person, username_key=None, email_key=None, password_hash=None, events=[]),
            DICE.choice(pair).users.add_subject(person, events=[]),
        )
        assert client is (subject is None)
        assert not (client and user)
        assert (await pair[0].clients.find(name) is None) is (await pair[1].users.find(name) is not None)


async def test_a_client_that_is_deleted_and_registered_anew_on_two_nodes_ends_in_one_of_both_ways(pair: Pair) -> None:
    shop = await pair[0].clients.find("shop")
    assert shop is not None
    for _ in range(20):
        deleted, added = await asyncio.gather(
            pair[0].clients.delete("shop", now=NOW, events=[]), pair[1].clients.add(shop, events=[])
        )
        assert deleted is not None
        present = await pair[1].clients.find("shop")
        assert (present is not None) is added
        if present is None:
            assert await pair[0].clients.add(shop, events=[])


async def test_of_two_nodes_that_end_tokens_of_a_client_neither_ends_one_twice_or_more_than_are_allowed(
    pair: Pair,
) -> None:
    await pair[0].apis.add(ORDERS, events=[])

    async def end(node: Store, jti: str) -> bool:
        token = Revocation(kind="jti", value=jti, at=NOW, client_id="shop")
        return await node.revocations.end_token(token, most=10, now=NOW, events=[EVENT])

    asked = [(node, f"token-{number}") for number in range(14) for node in pair]
    ended = await asyncio.gather(*(end(node, jti) for node, jti in asked))
    assert ended[::2] == ended[1::2]
    assert sum(ended[::2]) == 10
    assert (await pair[1].revocations.head()).number == 10
    assert len(await pair[0].audit.list_events(after=0, limit=100)) == 10


@pytest.mark.parametrize("noun", ["clients", "apis"])
async def test_of_two_registrations_that_were_read_alike_one_is_replaced(pair: Pair, noun: str) -> None:
    await pair[0].apis.add(ORDERS, events=[])
    rooms: list[Any] = [getattr(node, noun) for node in pair]
    read = await rooms[0].find({"clients": "shop", "apis": "orders"}[noun])
    member = {"clients": "grace_window", "apis": "byte_budget"}[noun]
    for number in range(10):
        changes = [msgspec.structs.replace(read, **{member: 100 + 2 * number + node}) for node in (0, 1)]
        done = await asyncio.gather(
            *(room.replace(change, read=read, events=[]) for room, change in zip(rooms, changes, strict=True))
        )
        assert sorted(done) == [False, True]
        read = changes[done.index(True)]
        assert await rooms[0].find({"clients": "shop", "apis": "orders"}[noun]) == read


async def test_a_log_in_on_one_node_that_races_a_password_change_on_the_other_leaves_no_session_untold(
    pair: Pair, new_session: NewSession
) -> None:
    await pair[0].apis.add(ORDERS, events=[])
    for number in range(1, 41):
        user = await pair[0].users.find("ada")
        assert user is not None
        session = msgspec.structs.replace(
            new_session, key=number.to_bytes(20, "big"), sid=f"race-{number}", subject_epoch=user.epoch
        )
        before = (await pair[0].revocations.head()).number
        opened, epoch = await asyncio.gather(
            pair[number % 2].sessions.create(session, now=NOW, events=[]),
            pair[1 - number % 2].users.set_password(
                "ada", password_hash="new", proven_epoch=user.epoch, keep=None, now=NOW, events=[]
            ),
        )
        assert epoch == user.epoch + 1
        assert await pair[0].sessions.find(session.sid, now=NOW) is None
        if not opened:
            continue
        family = await pair[0].sessions.find_family(session.key)
        assert family is not None
        assert (family.ended_reason, family.subject_epoch) == ("password_changed", user.epoch)
        # Its access token names `orders`, which therefore must have been told of the epoch.
        page = await pair[1].revocations.read_after(before, audience="orders", now=NOW, limit=10)
        assert isinstance(page, FeedPage)
        assert [entry.audience for entry in page.entries] == ["orders"]


async def test_a_deletion_erases_what_both_nodes_recorded_about_its_subject(pair: Pair) -> None:
    async def record(node: Store) -> None:
        for _ in range(10):
            await node.audit.record([EVENT])

    async def delete() -> None:
        await asyncio.sleep(0.01)
        await pair[0].users.delete("ada", now=NOW, events=[msgspec.structs.replace(EVENT, event="user_deleted")])

    await asyncio.gather(record(pair[0]), record(pair[1]), delete())
    listed = [recorded.event for _, recorded in await pair[0].audit.list_events(after=0, limit=100)]
    deleted = [event.event for event in listed].index("user_deleted")
    assert all(event.personal == {} for event in listed[:deleted])
    assert len(listed) == 21


async def test_the_service_clock_is_the_furthest_that_any_node_has_kept(pair: Pair) -> None:
    readings = DICE.sample(range(1000), 40)
    await asyncio.gather(*(pair[reading % 2].state.beat(ServiceInstant(reading)) for reading in readings))
    for node in pair:
        assert (await node.state.identity()).service_now == max(readings)


async def test_a_client_that_one_node_changes_is_the_other_nodes_next_answer(pair: Pair) -> None:
    await pair[0].clients.set_disabled("shop", disabled=True, now=NOW, events=[])
    client = await pair[1].clients.find("shop")
    assert client is not None
    assert client.disabled_at == NOW


async def test_connections_that_are_cut_at_random_lose_nothing_that_was_answered(
    pair: Pair, new_session: NewSession, url: str
) -> None:
    await pair[0].apis.add(ORDERS, events=[])
    server = await asyncpg.connect(url)
    told: set[bytes] = set()
    unavailable = 0
    cut = """SELECT pg_terminate_backend(pid) FROM
      (SELECT pid FROM pg_stat_activity WHERE application_name = 'sealring' ORDER BY random() LIMIT 2) AS some"""

    async def live(number: int) -> None:
        nonlocal unavailable
        session = msgspec.structs.replace(new_session, key=number.to_bytes(20, "big"), sid=f"sid-{number}")
        try:
            assert await DICE.choice(pair).sessions.create(session, now=NOW, events=[EVENT])
            assert await advance(DICE.choice(pair), session)
            if await DICE.choice(pair).sessions.end(session.sid, reason="test", now=NOW, events=[EVENT]):
                told.add(revocation_id("sid", session.sid))
        except StoreUnavailable:
            unavailable += 1

    async def live_on(first: int) -> None:
        for number in range(first, first + 15):
            await live(number)

    async def keep_cutting() -> None:
        while True:
            await asyncio.sleep(DICE.random() / 20)
            await server.execute(cut)

    cutting = asyncio.create_task(keep_cutting())
    await asyncio.gather(*(live_on(100 * client) for client in range(1, 33)))
    cutting.cancel()
    await asyncio.wait([cutting])
    assert unavailable < 32 * 15
    page = await pair[1].revocations.read_after(0, audience="orders", now=NOW, limit=1000)
    assert isinstance(page, FeedPage)
    assert [entry.number for entry in page.entries] == list(range(1, page.head.number + 1))
    assert told <= {entry.id for entry in page.entries}
    listed = await pair[0].audit.list_events(after=0, limit=10_000)
    assert [position for position, _ in listed] == list(range(1, len(listed) + 1))
    server.terminate()
