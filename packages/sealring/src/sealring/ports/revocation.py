"""The revocation feed, as the store keeps it."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import FeedEntry, Revocation


class FeedHead(msgspec.Struct, frozen=True, kw_only=True):
    """How far the feed has come: the last number, and the running digest up to it (32 octets)."""

    incarnation: bytes
    number: int
    digest: bytes


class FeedPage(msgspec.Struct, frozen=True, kw_only=True):
    """What one audience must know of (`after`, `head.number`]. `previous`: the running digest at `after`."""

    after: int
    previous: bytes
    head: FeedHead
    entries: tuple[FeedEntry, ...]


class FeedSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """All live entries of one audience, up to `head`."""

    head: FeedHead
    entries: tuple[FeedEntry, ...]


class FeedGap(msgspec.Struct, frozen=True):
    """The feed cannot go on from that position: it is ahead of the store, or too far behind."""


class RevocationStore(Protocol):
    """What was ended before it expired. Acts on sessions, users, clients and keys add to it in their own commit."""

    async def head(self) -> FeedHead:
        """Say how far the feed has come."""
        ...

    async def read_after(self, after: int, *, audience: str, now: Instant, limit: int) -> FeedPage | FeedGap:
        """Read what follows a position, at most `limit` entries; the page's head is then the last one read."""
        ...

    async def snapshot(self, *, audience: str, now: Instant) -> FeedSnapshot:
        """Read all that lives; never on the event loop, since it may be a million rows."""
        ...

    async def audiences_after(self, after: int) -> frozenset[str | None]:
        """Name the audiences of the entries beyond a number; None among them stands for every API."""
        ...

    async def wait_beyond(self, number: int, *, seconds: float) -> None:
        """Return once the feed is beyond `number`, or after so many seconds; spurious returns are allowed."""
        ...

    async def end_token(self, revocation: Revocation, *, most: int, now: Instant, events: Sequence[AuditEvent]) -> bool:
        """End one token (kind `jti`), unless its client has `most` ended ones that live: then False (SECURITY B5).

        Those that ended before the client's last epoch step do not count, up to `MOST_STEPS` times as many. Where the
        token has ended before nothing is written: whoever repeats himself does not fill the feed.
        """
        ...

    async def has_ended(self, jti: str, *, now: Instant) -> bool:
        """Say whether a token was ended by its `jti`."""
        ...

    async def forget_expired(self, *, before: Instant, limit: int) -> int:
        """Delete entries that nobody needed any more `before` an instant; return how many."""
        ...
