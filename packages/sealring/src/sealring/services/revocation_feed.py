"""The revocation feed as one node serves it: signed messages for each API, on streams, by waiting, as snapshots.

One task for each API that has readers waits for the store, signs once, and wakes them all; whoever has fallen behind
reads for itself until it is level again, so a slow reader holds up nobody and fills no memory (SECURITY B5).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final

import msgspec
import structlog

from sealring.ports import Clock, FeedGap, FeedHead, FeedPage, Signer, Store
from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.revocation_feed import FeedRequest, FeedTerms, page_message, snapshot_message
from sealring.services.client_authentication import AuthenticatedApi
from sealring.services.feed_channel import FeedChannel, FeedPlace, KeptSnapshot, Push, SignedMessage

_SNAPSHOT_SECONDS: Final = 1.0
_log = structlog.get_logger()

Following = Callable[[Push | None], AsyncIterator[SignedMessage]]
"""Follow a stream: gives the messages that could not be handed over, in their place among those that were."""


class FeedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """`streams_per_api`: readers at a time on this node. `snapshots_per_minute`: of one API, on this node.

    `checkpoint_seconds`: how often a reader hears that nothing happened. `pace_seconds`: for each thousand readers, how
    long news gathers before the next message; the first goes out at once. Whoever is further behind than
    `entries_per_message` takes a snapshot.
    """

    streams_per_api: int = 1024
    snapshots_per_minute: int = 3000
    checkpoint_seconds: float = 1.0
    pace_seconds: float = 0.2
    entries_per_message: int = 5000


class RevocationFeed:
    """What this node says of the feed, and to how many."""

    def __init__(self, *, store: Store, signer: Signer, clock: Clock, policy: FeedPolicy) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._policy = policy
        self._channels: dict[str, FeedChannel] = {}
        self._asking = 0
        self._closed = False

    def readers(self, audience: str) -> int:
        """Say how many streams of an API are open on this node."""
        channel = self._channels.get(audience)
        return 0 if channel is None else channel.readers

    @contextmanager
    def asking_for_acknowledgement(self) -> Iterator[None]:
        """Ask readers to report at once on what is published meanwhile: an operator waits to hear who knows."""
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    async def snapshot(self, reader: AuthenticatedApi) -> SignedMessage | OAuthError:
        """Give all that lives for an API; made at most once a second, however many ask."""
        channel, now = self._channel(reader.api), asyncio.get_running_loop().time()
        since, given = channel.snapshots_given
        if now - since > 60:
            since, given = now, 0
        if given >= self._policy.snapshots_per_minute:
            return refuse("feed_busy", retry_after=5)
        channel.snapshots_given = (since, given + 1)
        async with channel.snapshot_lock:
            head = await self._store.revocations.head()
            kept, key_set = channel.snapshot, self._signer.feed_key_set()
            # What a key signed that has left since is believed by nobody, however little happened.
            holds = kept is not None and kept.feed_key_set == key_set
            if kept and holds and (kept.message.number == head.number or now - kept.made_at < _SNAPSHOT_SECONDS):
                return kept.message
            made_at = asyncio.get_running_loop().time()
            channel.snapshot = KeptSnapshot(made_at, key_set, await self._make_snapshot(reader.api))
            return channel.snapshot.message

    async def message_after(self, reader: AuthenticatedApi, request: FeedRequest) -> SignedMessage | OAuthError:
        """Give what follows a position: at once where there is something, else when there is, or after `wait`."""
        channel = self._channel(reader.api)
        message = await self._answer_after(reader.api, request)
        if isinstance(message, OAuthError) or not message.empty or request.wait == 0:
            return message
        if channel.readers >= self._policy.streams_per_api:
            return refuse("feed_busy", retry_after=5)
        with self._joined(channel):
            await self._wait_for_news(channel, request.wait)
            if not channel.holds(reader.secret_digest):
                return refuse("client_authentication_failed")
        return await self._answer_after(reader.api, request)

    async def stream(self, reader: AuthenticatedApi, request: FeedRequest) -> Following | OAuthError:
        """Give messages from a position on, until the feed is closed or the credential ends."""
        channel = self._channel(reader.api)
        if channel.readers >= self._policy.streams_per_api or self._closed:
            return refuse("feed_busy", retry_after=5)
        first = await self._answer_after(reader.api, request)
        return first if isinstance(first, OAuthError) else partial(self._follow, channel, reader, first)

    def close(self) -> None:
        """End all streams now, so that a node that stops is not held up by them."""
        self._closed = True
        for channel in self._channels.values():
            if channel.task is not None:
                channel.task.cancel()
            channel.publish(None)

    async def _follow(
        self, channel: FeedChannel, reader: AuthenticatedApi, first: SignedMessage, push: Push | None = None
    ) -> AsyncIterator[SignedMessage]:
        with self._joined(channel):
            message: SignedMessage | OAuthError | None = first
            while not isinstance(message, OAuthError) and message is not None and not self._closed:
                yield message
                position = message.number
                if message.more:
                    message = await self._signed_after(reader.api, position)
                    continue
                place = FeedPlace(position, reader.secret_digest, push)
                message = await channel.next_message(place)
                while message is not None and message.number <= place.position and not message.empty:
                    place = FeedPlace(place.position, reader.secret_digest, push)
                    message = await channel.next_message(place)
                if message is None or not channel.holds(reader.secret_digest):
                    return
                if message.after != place.position:
                    message = await self._signed_after(reader.api, place.position)

    async def _wait_for_news(self, channel: FeedChannel, seconds: Seconds) -> None:
        try:
            async with asyncio.timeout(seconds):
                while True:
                    message = await channel.next_message(FeedPlace())
                    if message is None or not message.empty:
                        return
        except TimeoutError:
            return

    @contextmanager
    def _joined(self, channel: FeedChannel) -> Iterator[None]:
        channel.readers += 1
        if channel.task is None or channel.task.done():
            channel.task = asyncio.get_running_loop().create_task(self._tell(channel))
        try:
            yield
        finally:
            channel.readers -= 1

    async def _tell(self, channel: FeedChannel) -> None:
        """Publish what happens, and a checkpoint each second, while anybody reads."""
        head: FeedHead | None = None
        while channel.readers and channel.api is not None:
            try:
                head = await self._publish_next(channel, head or await self._store.revocations.head())
            except Exception:  # noqa: BLE001 -- no checkpoint goes out, so readers know that they know nothing
                _log.exception("revocation_feed_failed", api=channel.api.identifier)
                head = None
                await asyncio.sleep(self._policy.checkpoint_seconds)
        channel.publish(None)

    async def _publish_next(self, channel: FeedChannel, head: FeedHead) -> FeedHead:
        """Wait for news of this API or for the next checkpoint, publish it, and return how far that tells."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._policy.checkpoint_seconds
        seen = head.number
        while True:
            await self._store.revocations.wait_beyond(seen, seconds=max(0.0, due - loop.time()))
            page = await self._page(channel, head.number)
            if isinstance(page, FeedGap):
                return await self._store.revocations.head()
            if page.entries or loop.time() >= due:
                break
            seen = page.head.number
        api = channel.api = None if channel.api is None else await self._store.apis.find(channel.api.identifier)
        if api is None:
            return head
        channel.publish(self._signed(api, page, nonce=None))
        await asyncio.sleep(self._policy.pace_seconds * channel.readers / 1000)
        return page.head

    async def _page(self, channel: FeedChannel, after: int) -> FeedPage | FeedGap:
        audience = "" if channel.api is None else channel.api.identifier
        return await self._store.revocations.read_after(
            after, audience=audience, now=self._clock(), limit=self._policy.entries_per_message
        )

    async def _answer_after(self, api: Api, request: FeedRequest) -> SignedMessage | OAuthError:
        message = await self._signed_after(api, request.after, nonce=request.nonce)
        # Half of what is missing, with a nonce on it, would pass for all of it.
        return refuse("feed_gap") if isinstance(message, SignedMessage) and message.more else message

    async def _signed_after(self, api: Api, after: int, *, nonce: str | None = None) -> SignedMessage | OAuthError:
        page = await self._store.revocations.read_after(
            after, audience=api.identifier, now=self._clock(), limit=self._policy.entries_per_message
        )
        return refuse("feed_gap") if isinstance(page, FeedGap) else self._signed(api, page, nonce=nonce)

    def _signed(self, api: Api, page: FeedPage, *, nonce: str | None) -> SignedMessage:
        now = self._clock()
        payload = page_message(
            self._terms(api, page.head, now=now),
            page.entries,
            after=page.after,
            previous=page.previous,
            number=page.head.number,
            digest=page.head.digest,
            now=now,
            nonce=nonce,
            ack=self._asking > 0 and bool(page.entries),
        )
        token = self._signer.sign_feed_message(payload)
        return SignedMessage(
            token=token,
            # Written here, once for all who read it.
            event=b"id: %d\ndata: %s\n\n" % (page.head.number, token.encode()),
            incarnation=page.head.incarnation,
            after=page.after,
            number=page.head.number,
            empty=not page.entries,
            more=len(page.entries) == self._policy.entries_per_message,
        )

    async def _make_snapshot(self, api: Api) -> SignedMessage:
        now = self._clock()
        snapshot = await self._store.revocations.snapshot(audience=api.identifier, now=now)
        head = snapshot.head

        def sign() -> str:
            terms = self._terms(api, head, now=now)
            payload = snapshot_message(terms, snapshot.entries, number=head.number, digest=head.digest, now=now)
            return self._signer.sign_feed_message(payload)

        token = await asyncio.to_thread(sign)
        return SignedMessage(
            token=token, event=b"", incarnation=head.incarnation, after=0, number=head.number, empty=False
        )

    def _terms(self, api: Api, head: FeedHead, *, now: Instant) -> FeedTerms:
        return FeedTerms(
            issuer=self._signer.realm.issuer,
            audience=api.identifier,
            incarnation=head.incarnation,
            max_access_token_lifetime=longest_access_token_lifetime(api, now=now),
        )

    def _channel(self, api: Api) -> FeedChannel:
        channel = self._channels.setdefault(api.identifier, FeedChannel(api))
        channel.api = api
        return channel
