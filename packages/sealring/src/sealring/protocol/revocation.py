"""What was ended before it expired, as the revocation feed tells it to APIs (SECURITY B)."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec

from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.instant import Instant, Seconds, later
from sealring_verify.revocation_feed import RevocationKind, revocation_id

UNTIL_MARGIN = Seconds(5 * 60)
"""How long an entry outlives the last token that it stops: clocks disagree, and verifiers grant leeway."""

MOST_STEPS = 10
"""How many times over a client may fill its share of the feed with ended tokens that live; verifiers keep them all."""

FIRST_DIGEST = bytes(32)
"""The running digest before the first entry."""


class Revocation(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an act ended. `audiences`: the APIs that must know, None for every one.

    `epoch`: for kinds `sub` and `client`, tokens below it have ended. `client_id`: whose token, for kind `jti`.
    """

    kind: RevocationKind
    value: str
    at: Instant
    audiences: frozenset[str] | None = None
    epoch: int | None = None
    client_id: str | None = None


class FeedEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of the feed. `id`: 16 octets; `audience` None: for every API; `until` None: for good.

    An end that no registered API need know of takes a number too, under an audience that nobody is ("").
    """

    number: int
    kind: RevocationKind
    id: bytes
    audience: str | None
    epoch: int | None
    at: Instant
    until: Instant | None
    client_id: str | None = None


def feed_entries(revocations: Iterable[Revocation], *, apis: tuple[Api, ...], after: int) -> tuple[FeedEntry, ...]:
    """Number what acts ended, one entry for each audience that is a registered API."""
    known = {api.identifier: api for api in apis}
    entries: list[FeedEntry] = []
    for revocation in revocations:
        audiences = [None] if revocation.audiences is None else sorted(revocation.audiences & known.keys()) or [""]
        for audience in audiences:
            readers = apis if audience is None else tuple(filter(None, [known.get(audience)]))
            entry = FeedEntry(
                number=after + len(entries) + 1,
                kind=revocation.kind,
                id=revocation_id(revocation.kind, revocation.value),
                audience=audience,
                epoch=revocation.epoch,
                at=revocation.at,
                until=_until(revocation, readers),
                client_id=revocation.client_id,
            )
            entries.append(entry)
    return tuple(entries)


def extend_digest(digest: bytes, entry: FeedEntry) -> bytes:
    """Give the running digest after `entry`: 32 octets that tell one history of the feed from another."""
    told = (entry.number, entry.kind, entry.id, entry.audience, entry.epoch, entry.at, entry.until)
    return sha256(digest + msgspec.json.encode(told)).digest()


def _until(revocation: Revocation, readers: tuple[Api, ...]) -> Instant | None:
    if revocation.kind == "kid":
        return None
    longest = max((longest_access_token_lifetime(api, now=revocation.at) for api in readers), default=Seconds(0))
    return later(revocation.at, longest + UNTIL_MARGIN)
