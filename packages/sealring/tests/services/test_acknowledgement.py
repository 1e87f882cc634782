import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace

import msgspec

from sealring.protocol.errors import refuse
from sealring.protocol.instant import later
from sealring.protocol.report import Report
from sealring.protocol.revocation_feed import FeedRequest
from sealring.services.acknowledgement import ApiKnowledge, Readers, perform_and_wait
from sealring.services.client_authentication import AuthenticatedApi
from sealring.services.report import ReportBoard

Act = Callable[[], Awaitable[object]]
START = FeedRequest(after=0, wait=0, nonce=None)
SAID = Report(verifier="v" * 22, incarnation=None, position=0, age_ms=0, keys=(), counts={}, uses=())


async def perform(site: SimpleNamespace, act: Act, *, readers: Readers | None) -> tuple[ApiKnowledge, ...]:
    house = site.opened.house
    _, known = await perform_and_wait(act, store=house.store, readers=readers, issuer=house.issuer, now=house.clock())
    return known


def ending(site: SimpleNamespace, sid: str) -> Act:
    return lambda: site.store.sessions.end(sid, reason="ended_by_operator", now=site.now, events=[])


async def follow(site: SimpleNamespace, board: ReportBoard, *, verifier: str, says: bool) -> None:
    """Read the feed as a verifier of `orders` does, and report on each message that asks for it."""
    api = await site.store.apis.find("orders")
    reader = AuthenticatedApi(api=api, secret_digest=api.secret_digests[0])
    following = await site.opened.house.feed.stream(reader, START)
    async for message in following(None):
        if says and not message.empty:
            report = msgspec.structs.replace(SAID, verifier=verifier, position=message.number)
            board.take("orders", report, now=site.now)


async def test_an_api_without_a_reader_is_named_with_the_end_of_its_last_token(site: SimpleNamespace) -> None:
    sid = (await site.sign_in()).json()["sid"]
    readers = Readers(feed=site.opened.house.feed, reports=ReportBoard())
    (known,) = await perform(site, ending(site, sid), readers=readers)
    assert (known.api, known.readers, known.knew_after_ms) == ("orders", 0, None)
    assert known.accepts_until == later(site.now, 600)


async def test_without_a_server_no_api_can_know(site: SimpleNamespace) -> None:
    sid = (await site.sign_in()).json()["sid"]
    (known,) = await perform(site, ending(site, sid), readers=None)
    assert known.accepts_until == later(site.now, 600)


async def test_the_slowest_of_an_apis_verifiers_says_when_it_knew(site: SimpleNamespace) -> None:
    sid = (await site.sign_in()).json()["sid"]
    board = ReportBoard()
    followers = [asyncio.create_task(follow(site, board, verifier=name * 22, says=True)) for name in ("v", "w")]
    await asyncio.sleep(0.1)
    readers = Readers(feed=site.opened.house.feed, reports=board)
    (known,) = await perform(site, ending(site, sid), readers=readers)
    assert (known.api, known.readers, known.silent, known.accepts_until) == ("orders", 2, 0, None)
    assert known.knew_after_ms is not None
    assert known.knew_after_ms < 2000
    for follower in followers:
        follower.cancel()


async def test_a_reader_that_says_nothing_is_counted_after_two_seconds(site: SimpleNamespace) -> None:
    sid = (await site.sign_in()).json()["sid"]
    board = ReportBoard()
    follower = asyncio.create_task(follow(site, board, verifier="v" * 22, says=False))
    await asyncio.sleep(0.1)
    readers = Readers(feed=site.opened.house.feed, reports=board)
    (known,) = await perform(site, ending(site, sid), readers=readers)
    assert (known.readers, known.silent, known.knew_after_ms) == (1, 1, None)
    follower.cancel()


async def test_what_was_refused_concerns_nobody(site: SimpleNamespace) -> None:
    async def refused() -> object:
        return refuse("unknown_user")

    readers = Readers(feed=site.opened.house.feed, reports=ReportBoard())
    assert await perform(site, refused, readers=readers) == ()
