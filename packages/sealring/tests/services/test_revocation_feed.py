import asyncio
import itertools
import json
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from sealring.ports import RevocationStore, StoreUnavailable
from sealring.protocol.errors import OAuthError
from sealring.protocol.revocation_feed import FeedRequest
from sealring.services.client_authentication import AuthenticatedApi
from sealring.services.feed_channel import Push, SignedMessage
from sealring.services.key_admin import KeysRevoked, RevokeKey, revoke_key
from sealring.services.revocation_feed import FeedPolicy, RevocationFeed
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.jose.jws import verify_compact
from sealring_verify.revocation_feed import revocation_id

START = FeedRequest(after=0, wait=0, nonce=None)


def claims(message: SignedMessage | OAuthError) -> dict[str, Any]:
    assert isinstance(message, SignedMessage)
    return claims_of(message.token.encode())


def claims_of(said: bytes) -> dict[str, Any]:
    payload = said.split(b".")[1].decode()
    members: dict[str, Any] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return members


def feed_of(site: SimpleNamespace, **policy: float) -> RevocationFeed:
    house = site.opened.house
    quick = FeedPolicy(checkpoint_seconds=0.05, pace_seconds=0)
    return RevocationFeed(
        store=house.store,
        signer=house.signer,
        clock=house.clock,
        policy=msgspec.structs.replace(quick, **policy),
    )


async def reader_of(site: SimpleNamespace, identifier: str = "orders") -> AuthenticatedApi:
    api = await site.store.apis.find(identifier)
    return AuthenticatedApi(api=api, secret_digest=api.secret_digests[0])


async def open_stream(
    feed: RevocationFeed, reader: AuthenticatedApi, request: FeedRequest = START, push: Push | None = None
) -> AsyncIterator[SignedMessage]:
    following = await feed.stream(reader, request)
    assert not isinstance(following, OAuthError)
    return following(push)


async def end_session(site: SimpleNamespace) -> str:
    sid = (await site.sign_in()).json()["sid"]
    assert await site.store.sessions.end(sid, reason="logged_out", now=site.now, events=[])
    return str(sid)


async def test_a_message_is_signed_under_the_feeds_key_and_names_its_audience(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    sid = await end_session(site)
    message = await feed.message_after(reader, msgspec.structs.replace(START, nonce="n" * 16))
    assert isinstance(message, SignedMessage)
    keys = parse_jwks(site.opened.house.signer.feed_key_set())
    signed = verify_compact(message.token, keys=keys, algorithms=frozenset({"ES256"}))
    assert signed.header.typ == "sealring-revocations+jwt"
    said = claims(message)
    assert (said["iss"], said["aud"], said["nonce"], said["after"], said["n"]) == (
        site.opened.house.issuer,
        "orders",
        "n" * 16,
        0,
        1,
    )
    assert urlsafe_b64decode(said["entries"][0][2] + "==") == revocation_id("sid", sid)
    assert "ack" not in said


async def test_another_apis_entries_are_not_told_but_their_numbers_are_covered(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site, "bills")
    await end_session(site)
    said = claims(await feed.message_after(reader, START))
    assert (said["n"], said["entries"]) == (1, [])


async def test_whoever_waits_hears_an_end_at_once_and_else_a_checkpoint(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    waiting = asyncio.create_task(feed.message_after(reader, msgspec.structs.replace(START, wait=20)))
    await asyncio.sleep(0.02)
    await end_session(site)
    assert len(claims(await asyncio.wait_for(waiting, 5))["entries"]) == 1
    place = FeedRequest(after=1, wait=1, nonce=None)
    assert claims(await feed.message_after(reader, place))["entries"] == []


async def test_a_stream_goes_on_without_a_gap_whatever_happens_between(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    await end_session(site)
    stream = await open_stream(feed, reader, msgspec.structs.replace(START, nonce="n" * 16))
    position, digest, entries = 0, None, 0
    async for message in stream:
        said = claims(message)
        assert (said["after"], said["previous"]) == (position, digest or said["previous"])
        assert ("nonce" in said) == (position == 0)
        position, digest, entries = said["n"], said["digest"], entries + len(said["entries"])
        if entries == 5:
            break
        await end_session(site)
        if entries == 2:
            await asyncio.sleep(0.2)  # a slow reader: the channel goes on without it
    assert position == 5


async def test_a_reader_hears_each_second_that_nothing_happened(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    stream = await open_stream(feed, reader)
    heard = [await anext(stream) for _ in range(4)]
    assert all(message.empty for message in heard)


async def test_a_place_that_never_was_is_a_gap(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    for outcome in (
        await feed.message_after(reader, FeedRequest(after=9, wait=0, nonce=None)),
        await feed.stream(reader, FeedRequest(after=9, wait=0, nonce=None)),
    ):
        assert isinstance(outcome, OAuthError)
        assert outcome.code == "feed_gap"


async def test_an_operator_who_waits_is_told_to_the_readers(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    with feed.asking_for_acknowledgement():
        await end_session(site)
        assert claims(await feed.message_after(reader, START))["ack"]
    assert "ack" not in claims(await feed.message_after(reader, START))


async def test_streams_of_one_api_are_bounded(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site, streams_per_api=1), await reader_of(site)
    stream = await open_stream(feed, reader)
    await anext(stream)
    assert feed.readers("orders") == 1
    refused = await feed.stream(reader, START)
    assert isinstance(refused, OAuthError)
    assert refused.code == "feed_busy"
    assert not isinstance(await feed.stream(await reader_of(site, "bills"), START), OAuthError)


async def test_snapshots_of_one_api_are_bounded_and_made_once_a_second(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site, snapshots_per_minute=3), await reader_of(site)
    await end_session(site)
    given = [await feed.snapshot(reader) for _ in range(4)]
    assert given[0] is given[1] is given[2]
    assert len(claims(given[0])["entries"]) == 1
    assert isinstance(given[3], OAuthError)


async def test_ending_the_credential_ends_its_streams(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    stream = await open_stream(feed, reader)
    await anext(stream)
    await site.store.apis.replace(
        msgspec.structs.replace(reader.api, secret_digests=(b"d" * 32,)), read=reader.api, events=[]
    )
    async with asyncio.timeout(5):
        async for message in stream:
            assert message.empty
    assert feed.readers("orders") == 0


async def test_whoever_waited_learns_nothing_once_its_credential_has_ended(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site, checkpoint_seconds=0.05), await reader_of(site)
    waiting = asyncio.create_task(feed.message_after(reader, msgspec.structs.replace(START, wait=25)))
    await asyncio.sleep(0.02)
    await site.store.apis.replace(
        msgspec.structs.replace(reader.api, secret_digests=(b"d" * 32,)), read=reader.api, events=[]
    )
    await end_session(site)
    answer = await asyncio.wait_for(waiting, 5)
    assert isinstance(answer, OAuthError)
    assert answer.code == "client_authentication_failed"


@pytest.mark.parametrize("waits", [True, False])
async def test_closing_the_feed_lets_everybody_go_at_once(site: SimpleNamespace, *, waits: bool) -> None:
    feed, reader = feed_of(site, checkpoint_seconds=30), await reader_of(site)
    if waits:
        waiting: Any = asyncio.create_task(feed.message_after(reader, msgspec.structs.replace(START, wait=25)))
    else:
        stream = await open_stream(feed, reader)
        await anext(stream)
        waiting = asyncio.create_task(anext(stream, None))
    await asyncio.sleep(0.02)
    feed.close()
    await asyncio.wait_for(waiting, 5)
    assert isinstance(await feed.stream(reader, START), OAuthError)


async def test_no_snapshot_is_kept_whose_key_was_withdrawn(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    signer, desk = site.opened.house.signer, site.opened.desk.keys
    before = await feed.snapshot(reader)
    assert isinstance(before, SignedMessage)
    keys = parse_jwks(signer.feed_key_set())
    kid = verify_compact(before.token, keys=keys, algorithms=frozenset({"ES256"})).header.kid
    assert isinstance(await revoke_key(RevokeKey(kid=str(kid)), desk=desk, actor="cli:root"), KeysRevoked)
    # Nothing was ended since, and no second has passed.
    after = await feed.snapshot(reader)
    assert isinstance(after, SignedMessage)
    keys = parse_jwks(signer.feed_key_set())
    assert verify_compact(after.token, keys=keys, algorithms=frozenset({"ES256"})).header.kid != kid


async def test_whoever_is_too_far_behind_takes_a_snapshot(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site, entries_per_message=2), await reader_of(site)
    for _ in range(3):
        await end_session(site)
    for outcome in (await feed.message_after(reader, START), await feed.stream(reader, START)):
        assert isinstance(outcome, OAuthError)
        assert outcome.code == "feed_gap"
    assert len(claims(await feed.snapshot(reader))["entries"]) == 3


class Away:
    """The store's feed, which is out of reach for the first few questions."""

    def __init__(self, revocations: RevocationStore, failures: int) -> None:
        self._revocations = revocations
        self.failures = failures

    def __getattr__(self, name: str) -> object:
        if name == "head" and self.failures:
            self.failures -= 1
            raise StoreUnavailable("gone")
        return getattr(self._revocations, name)


async def test_a_stream_lives_through_a_store_that_is_away_for_a_while(site: SimpleNamespace) -> None:
    reader = await reader_of(site)
    away = Away(site.store.revocations, failures=3)
    house = site.opened.house
    feed = RevocationFeed(
        store=SimpleNamespace(revocations=away, apis=site.store.apis),
        signer=house.signer,
        clock=house.clock,
        policy=FeedPolicy(checkpoint_seconds=0.05, pace_seconds=0),
    )
    stream = await open_stream(feed, reader)
    async with asyncio.timeout(5):
        await anext(stream)
        assert (await anext(stream)).empty
        await end_session(site)
        while (message := await anext(stream)).empty:
            pass
    assert (len(claims(message)["entries"]), away.failures) == (1, 0)


async def test_what_is_pushed_and_what_is_given_make_one_chain(site: SimpleNamespace) -> None:
    feed, reader = feed_of(site), await reader_of(site)
    events = list[bytes]()

    def push(event: bytes) -> bool:
        # Every third finds the connection full, and must come by the slow way in its place.
        if len(events) % 3 == 2:
            return False
        events.append(event)
        return True

    async def follow() -> None:
        async for message in await open_stream(feed, reader, push=push):
            events.append(message.event)

    following = asyncio.create_task(follow())
    for _ in range(12):
        await end_session(site)
        await asyncio.sleep(0.03)
    feed.close()
    await asyncio.wait_for(following, 5)
    places = [claims_of(event) for event in events]
    assert all(before["n"] == after["after"] for before, after in itertools.pairwise(places))
    assert all(before["digest"] == after["previous"] for before, after in itertools.pairwise(places))
    assert (places[0]["after"], places[-1]["n"], len(places) > 8) == (0, 12, True)
