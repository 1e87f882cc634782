"""The readers of one API's revocation feed on this node, and how each of them gets what is published."""

import asyncio
from collections.abc import Callable

import msgspec

from sealring.protocol.api import Api

Push = Callable[[bytes], bool]
"""Hand an event to a reader's connection now; False where it cannot take one without waiting."""


class SignedMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it travels: a compact JWS about (`after`, `number`]. `event`: the same as a Server-Sent Event.

    `empty`: a checkpoint. `more`: it was full, and more follows at once.
    """

    token: str
    event: bytes
    incarnation: bytes
    after: int
    number: int
    empty: bool
    more: bool = False


class KeptSnapshot(msgspec.Struct, frozen=True):
    """A snapshot that goes to all who ask soon after. `made_at`: seconds of the loop."""

    made_at: float
    feed_key_set: bytes
    message: SignedMessage


class FeedPlace:
    """A reader that waits for what comes after `position`; without `push` it is woken for it."""

    def __init__(self, position: int = 0, secret_digest: bytes = b"", push: Push | None = None) -> None:
        self.position = position
        self.secret_digest = secret_digest
        self.push = push
        # One for each reader: whoever goes away cancels its own and no other's.
        self.future: asyncio.Future[SignedMessage | None] = asyncio.get_running_loop().create_future()


class FeedChannel:
    """The readers of one API on this node, told by one task."""

    def __init__(self, api: Api) -> None:
        self.api: Api | None = api
        self.readers = 0
        self.task: asyncio.Task[None] | None = None
        self.snapshot: KeptSnapshot | None = None
        self.snapshot_lock = asyncio.Lock()
        self.snapshots_given: tuple[float, int] = (0.0, 0)
        self._waiting: set[FeedPlace] = set()

    def publish(self, message: SignedMessage | None) -> None:
        """Hand a message to all who wait, and wake those who cannot take it so; None tells all to go."""
        # Most readers are level and idle. Waking the task of each took four times as long as writing to its socket.
        woken = [place for place in self._waiting if message is None or not self._hand_over(message, place)]
        self._waiting.difference_update(woken)
        for place in woken:
            if not place.future.done():
                place.future.set_result(message)

    async def next_message(self, place: FeedPlace) -> SignedMessage | None:
        """Wait for a message that was not handed over; `place.position` says how far those went that were."""
        self._waiting.add(place)
        try:
            return await place.future
        finally:
            self._waiting.discard(place)

    def holds(self, secret_digest: bytes) -> bool:
        """Say whether a secret is still one of the API's."""
        return self.api is not None and secret_digest in self.api.secret_digests

    def _hand_over(self, message: SignedMessage, place: FeedPlace) -> bool:
        if place.push is None or message.after != place.position or not self.holds(place.secret_digest):
            return False
        if not place.push(message.event):
            return False
        place.position = message.number
        return True
