import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from sealring.ports import FeedGap, FeedPage, NewSession, RenewedSession, Store
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, later
from sealring.protocol.revocation import FIRST_DIGEST, FeedEntry, Revocation, extend_digest
from sealring_verify.revocation_feed import revocation_id

NOW = Instant(1_700_000_000_000)
ORDERS = Api(identifier="orders", scopes={"orders:read": ""}, created_at=NOW)
BILLING = msgspec.structs.replace(ORDERS, identifier="billing", access_token_lifetime=3600)

OpenSession = Callable[..., Awaitable[NewSession]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="token_revoked", at=3000, actor="cli:test", client_id="shop")


@pytest.fixture
async def feed(shop: Store) -> Store:
    """Open one store with the APIs `orders` (10 minutes) and `billing` (an hour)."""
    await shop.apis.add(ORDERS, events=[])
    await shop.apis.add(BILLING, events=[])
    return shop


async def entries(store: Store, audience: str = "orders", *, after: int = 0) -> tuple[FeedEntry, ...]:
    page = await store.revocations.read_after(after, audience=audience, now=NOW, limit=10_000)
    assert isinstance(page, FeedPage)
    return page.entries


async def end_token(store: Store, jti: str, *, audience: str = "orders") -> bool:
    revocation = Revocation(kind="jti", value=jti, at=NOW, audiences=frozenset({audience}), client_id="shop")
    return await store.revocations.end_token(revocation, most=1000, now=NOW, events=[])


async def test_the_end_of_a_session_is_told_to_the_apis_that_its_tokens_may_name(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1, resources=frozenset({"orders", "billing"}))
    await open_session(2)
    assert await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    assert await feed.sessions.end("sid-2", reason="logged_out", now=NOW, events=[])
    assert [(entry.kind, entry.id) for entry in await entries(feed)] == [
        ("sid", revocation_id("sid", "sid-1")),
        ("sid", revocation_id("sid", "sid-2")),
    ]
    assert [entry.id for entry in await entries(feed, "billing")] == [revocation_id("sid", "sid-1")]
    assert await entries(feed, "unknown") == ()


async def test_an_entry_lives_as_long_as_any_token_of_its_audience_and_five_minutes(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1, resources=frozenset({"orders", "billing"}))
    await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    (to_orders,), (to_billing,) = await entries(feed), await entries(feed, "billing")
    assert (to_orders.at, to_orders.until) == (NOW, later(NOW, 600 + 300))
    assert to_billing.until == later(NOW, 3600 + 300)


async def test_a_subject_that_is_ended_is_one_entry_with_its_new_epoch(feed: Store, open_session: OpenSession) -> None:
    for number in range(1, 4):
        await open_session(number)
    assert await feed.sessions.end_all_of("ada", reason="ended_by_user", now=NOW, events=[]) == 3
    ada = await feed.users.find("ada")
    assert ada is not None
    (entry,) = await entries(feed)
    assert (entry.kind, entry.id, entry.epoch) == ("sub", revocation_id("sub", "ada"), ada.epoch)


async def test_a_subject_whose_session_ended_before_is_still_told_to_its_apis(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    await feed.users.set_disabled("ada", disabled=True, now=NOW, events=[])
    assert [entry.kind for entry in await entries(feed)] == ["sid", "sub"]


async def test_a_password_change_is_told_with_the_epoch_of_the_session_that_goes_on(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    keep = RenewedSession(sid="sid-1", key=b"new!" + bytes(16), mac_key_id=0, auth_time=NOW, amr=("pwd",))
    epoch = await feed.users.set_password("ada", password_hash="hash-2", proven_epoch=5, keep=keep, now=NOW, events=[])
    assert [(entry.kind, entry.epoch) for entry in await entries(feed)] == [("sub", epoch)]


async def test_a_deleted_user_is_told(feed: Store, open_session: OpenSession) -> None:
    await open_session(1)
    await feed.users.delete("ada", now=NOW, events=[])
    assert [(entry.kind, entry.id) for entry in await entries(feed)] == [("sub", revocation_id("sub", "ada"))]


@pytest.mark.parametrize("act", ["disable", "delete", "compromise"])
async def test_a_client_that_is_ended_is_told_to_every_api(feed: Store, open_session: OpenSession, act: str) -> None:
    await open_session(1)
    client = await feed.clients.find("shop")
    assert client is not None
    if act == "disable":
        assert await feed.clients.set_disabled("shop", disabled=True, now=NOW, events=[]) == 1
    elif act == "delete":
        assert await feed.clients.delete("shop", now=NOW, events=[]) == 1
    else:
        changed = msgspec.structs.replace(client, secret_digests=(b"d" * 32,))
        assert await feed.clients.compromise(changed, read=client, now=NOW, events=[]) == 1
        after = await feed.clients.find("shop")
        assert after is not None
        assert (after.secret_digests, after.epoch > client.epoch) == ((b"d" * 32,), True)
    for audience in ("orders", "billing"):
        (entry,) = await entries(feed, audience)
        assert (entry.kind, entry.id, entry.audience) == ("client", revocation_id("client", "shop"), None)


async def test_ending_everything_is_one_entry_for_each_client(feed: Store, open_session: OpenSession) -> None:
    await open_session(1)
    assert await feed.sessions.end_everything(reason="ended_by_operator", now=NOW, events=[]) == 1
    assert [entry.kind for entry in await entries(feed)] == ["client"]


async def test_a_new_incarnation_goes_on_with_the_numbers_and_ends_every_token(
    feed: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    before = await feed.revocations.head()
    await feed.state.recover(b"n" * 16, now=NOW, events=[])
    after = await feed.revocations.head()
    assert (after.incarnation, after.number > before.number) == (b"n" * 16, True)
    assert [entry.kind for entry in await entries(feed, after=before.number)] == ["client"]


async def test_what_changed_nothing_is_not_told(feed: Store, open_session: OpenSession) -> None:
    await open_session(1)
    assert await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    head = await feed.revocations.head()
    assert not await feed.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    assert await feed.users.set_disabled("nobody", disabled=True, now=NOW, events=[]) is None
    assert await feed.revocations.head() == head


async def test_an_end_that_no_registered_api_need_know_of_still_takes_a_number(
    shop: Store, open_session: OpenSession
) -> None:
    await open_session(1)
    await shop.sessions.end("sid-1", reason="logged_out", now=NOW, events=[])
    assert (await shop.revocations.head()).number == 1


async def test_the_running_digest_joins_all_entries_of_all_audiences(feed: Store) -> None:
    assert await feed.revocations.head() == msgspec.structs.replace(
        await feed.revocations.head(), number=0, digest=FIRST_DIGEST
    )
    for number in range(6):
        await end_token(feed, f"jti-{number}", audience=("orders", "billing")[number % 2])
    told = {entry.number: entry for name in ("orders", "billing") for entry in await entries(feed, name)}
    digest = FIRST_DIGEST
    for number in range(1, 7):
        digest = extend_digest(digest, told[number])
        page = await feed.revocations.read_after(number, audience="orders", now=NOW, limit=10)
        assert isinstance(page, FeedPage)
        assert page.previous == digest
    assert (await feed.revocations.head()).digest == digest


async def test_a_page_that_is_full_ends_at_its_last_entry(feed: Store) -> None:
    for number in range(5):
        await end_token(feed, f"jti-{number}")
    first = await feed.revocations.read_after(0, audience="orders", now=NOW, limit=3)
    assert isinstance(first, FeedPage)
    assert (first.head.number, len(first.entries)) == (3, 3)
    second = await feed.revocations.read_after(3, audience="orders", now=NOW, limit=3)
    assert isinstance(second, FeedPage)
    assert (second.previous, second.head.number, len(second.entries)) == (first.head.digest, 5, 2)


async def test_a_position_that_the_store_never_had_is_a_gap(feed: Store) -> None:
    await end_token(feed, "jti-1")
    assert isinstance(await feed.revocations.read_after(2, audience="orders", now=NOW, limit=10), FeedGap)


async def test_entries_that_expired_are_not_told_and_forgotten_later(feed: Store) -> None:
    await end_token(feed, "jti-1")
    await end_token(feed, "jti-2", audience="billing")
    await end_token(feed, "jti-3", audience="billing")
    expired = later(NOW, 900)
    page = await feed.revocations.read_after(0, audience="orders", now=expired, limit=10)
    assert isinstance(page, FeedPage)
    assert (page.entries, page.head.number) == ((), 3)
    assert (await feed.revocations.snapshot(audience="orders", now=expired)).entries == ()
    assert await feed.revocations.forget_expired(before=expired, limit=10) == 1
    # Its number went with it: which history a reader at that place was in cannot be told any more.
    assert isinstance(await feed.revocations.read_after(1, audience="orders", now=NOW, limit=10), FeedGap)
    assert isinstance(await feed.revocations.read_after(2, audience="orders", now=NOW, limit=10), FeedPage)


async def test_a_snapshot_has_all_that_lives_for_one_audience(feed: Store, open_session: OpenSession) -> None:
    await open_session(1)
    await end_token(feed, "jti-1")
    await end_token(feed, "jti-2", audience="billing")
    await feed.clients.set_disabled("shop", disabled=True, now=NOW, events=[])
    snapshot = await feed.revocations.snapshot(audience="orders", now=NOW)
    assert [entry.kind for entry in snapshot.entries] == ["jti", "client"]
    assert snapshot.head == await feed.revocations.head()


async def test_a_client_has_a_bounded_number_of_ended_tokens(feed: Store) -> None:
    revocation = Revocation(kind="jti", value="jti", at=NOW, audiences=frozenset({"orders"}), client_id="shop")
    ended = [
        await feed.revocations.end_token(
            msgspec.structs.replace(revocation, value=f"jti-{number}"), most=3, now=NOW, events=[]
        )
        for number in range(4)
    ]
    assert ended == [True, True, True, False]
    assert await feed.revocations.has_ended("jti-2", now=NOW)
    assert not await feed.revocations.has_ended("jti-3", now=NOW)


async def test_a_token_that_has_ended_is_not_told_again_and_does_not_count(feed: Store, recorded: Recorded) -> None:
    revocation = Revocation(kind="jti", value="jti-1", at=NOW, audiences=frozenset({"orders"}), client_id="shop")
    ended = [await feed.revocations.end_token(revocation, most=1, now=NOW, events=[EVENT]) for _ in range(3)]
    assert ended == [True, True, True]
    assert (await feed.revocations.head()).number == 1
    assert await recorded() == [EVENT]


async def test_what_a_clients_epoch_step_ended_as_well_counts_no_more(feed: Store) -> None:
    revocation = Revocation(kind="jti", value="", at=NOW, audiences=frozenset({"orders"}), client_id="shop")

    async def end(number: int, client_id: str = "shop") -> bool:
        named = msgspec.structs.replace(revocation, value=f"jti-{number}", client_id=client_id)
        return await feed.revocations.end_token(named, most=2, now=NOW, events=[])

    assert [await end(number) for number in range(3)] == [True, True, False]
    assert [await end(number, "other") for number in range(10, 13)] == [True, True, False]
    await feed.clients.set_disabled("shop", disabled=True, now=NOW, events=[])
    assert [await end(number) for number in range(3, 6)] == [True, True, False]
    assert not await end(13, "other")


async def test_a_client_that_steps_again_and_again_has_a_bounded_number_of_entries_all_the_same(feed: Store) -> None:
    revocation = Revocation(kind="jti", value="", at=NOW, audiences=frozenset({"orders"}), client_id="shop")
    for number in range(100):
        named = msgspec.structs.replace(revocation, value=f"jti-{number}")
        if not await feed.revocations.end_token(named, most=2, now=NOW, events=[]):
            await feed.clients.raise_epoch("shop", now=NOW, events=[])
    assert [entry.kind for entry in await entries(feed)].count("jti") == 20
    other = msgspec.structs.replace(revocation, value="jti-other", client_id="other")
    assert await feed.revocations.end_token(other, most=2, now=NOW, events=[])
    until = (await entries(feed))[0].until
    assert until is not None
    assert await feed.revocations.end_token(revocation, most=2, now=until, events=[])


async def test_the_audiences_beyond_a_number_are_named(feed: Store) -> None:
    await end_token(feed, "jti-1", audience="billing")
    assert await feed.revocations.audiences_after(0) == {"billing"}
    await feed.clients.set_disabled("shop", disabled=True, now=NOW, events=[])
    assert await feed.revocations.audiences_after(1) == {None}
    assert await feed.revocations.audiences_after(2) == frozenset()


async def test_whoever_waits_is_woken_by_the_next_end_and_else_by_the_time(feed: Store) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await feed.revocations.wait_beyond(0, seconds=0.05)
    assert loop.time() - began >= 0.04
    waiting = [asyncio.create_task(feed.revocations.wait_beyond(0, seconds=30)) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await end_token(feed, "jti-1")
    await asyncio.wait_for(asyncio.gather(*waiting[1:]), timeout=5)


async def test_fifty_writers_that_stall_and_fail_leave_no_gap_for_three_tailers(
    feed: Store, open_session: OpenSession
) -> None:
    dice = random.Random(5)  # noqa: S311 -- stalls
    committed: set[bytes] = set()

    async def write(writer: int) -> None:
        for number in range(10):
            await asyncio.sleep(dice.random() / 100)
            sid = f"sid-{writer}-{number}"
            # Every third act fails in its transaction: the session's row is there already.
            if number % 3 == 2:
                with pytest.raises(Exception, match=r"UNIQUE|unique"):
                    await open_session(writer * 1000 + number + 1, sid=f"sid-{writer}-{number - 1}")
                continue
            await open_session(writer * 1000 + number + 1, sid=sid)
            await asyncio.sleep(dice.random() / 100)
            assert await feed.sessions.end(sid, reason="logged_out", now=NOW, events=[])
            committed.add(revocation_id("sid", sid))

    async def tail(seen: list[FeedEntry], done: asyncio.Event) -> None:
        position, digest = 0, FIRST_DIGEST
        while not done.is_set() or position < (await feed.revocations.head()).number:
            await feed.revocations.wait_beyond(position, seconds=0.02)
            await asyncio.sleep(dice.random() / 200)
            page = await feed.revocations.read_after(position, audience="orders", now=NOW, limit=dice.randint(1, 40))
            assert isinstance(page, FeedPage)
            assert (page.after, page.previous) == (position, digest)
            seen.extend(page.entries)
            position, digest = page.head.number, page.head.digest

    done = asyncio.Event()
    seen: list[list[FeedEntry]] = [[], [], []]
    tailers = [asyncio.create_task(tail(each, done)) for each in seen]
    await asyncio.gather(*(write(writer) for writer in range(1, 51)))
    done.set()
    await asyncio.gather(*tailers)
    for each in seen:
        assert [entry.number for entry in each] == list(range(1, len(committed) + 1))
        assert {entry.id for entry in each} == committed
