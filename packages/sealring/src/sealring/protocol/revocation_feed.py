"""The messages of the revocation feed, as docs/reference/revocation-feed.md specifies them (SECURITY B)."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.form import parse_form
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.revocation import FeedEntry

LONGEST_WAIT = Seconds(25)
_LONGEST_QUERY = 1024  # octets
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")
_NONCE = re.compile(r"[A-Za-z0-9_-]{16,64}")


class FeedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Where a reader goes on: after which number, how long it waits for news, and what its first message must echo."""

    after: int
    wait: Seconds
    nonce: str | None


class FeedTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What every message for one audience states. `incarnation`: 16 octets."""

    issuer: str
    audience: str
    incarnation: bytes
    max_access_token_lifetime: Seconds


def parse_feed_request(query: bytes) -> FeedRequest | OAuthError:
    """Parse the query of `GET /revocations`. Nothing in it is a credential."""
    form = parse_form(query, maximum_bytes=_LONGEST_QUERY)
    if isinstance(form, OAuthError):
        return form
    after, wait, nonce = form.get("after", ""), form.get("wait", "0"), form.get("nonce")
    if not _NUMBER.fullmatch(after):
        return refuse("invalid_parameter", description="Send `after`, the number of the last entry that is known.")
    if not _NUMBER.fullmatch(wait) or int(wait) > LONGEST_WAIT:
        return refuse("invalid_parameter", description=f"`wait` is 0 to {LONGEST_WAIT} seconds.")
    if nonce is not None and not _NONCE.fullmatch(nonce):
        return refuse("invalid_parameter", description="A nonce is 16 to 64 characters out of A-Z a-z 0-9 _ -")
    return FeedRequest(after=int(after), wait=Seconds(int(wait)), nonce=nonce)


def page_message(
    terms: FeedTerms,
    entries: Iterable[FeedEntry],
    *,
    after: int,
    previous: bytes,
    number: int,
    digest: bytes,
    now: Instant,
    nonce: str | None = None,
    ack: bool = False,
) -> bytes:
    """Write the payload of a message about (`after`, `number`]; without entries it is a checkpoint."""
    members = _members(terms, entries, number=number, digest=digest, now=now)
    members |= {"after": after, "previous": _text(previous)}
    if nonce is not None:
        members["nonce"] = nonce
    if ack:
        members["ack"] = True
    return msgspec.json.encode(members)


def snapshot_message(
    terms: FeedTerms, entries: Iterable[FeedEntry], *, number: int, digest: bytes, now: Instant
) -> bytes:
    """Write the payload of a snapshot."""
    return msgspec.json.encode(_members(terms, entries, number=number, digest=digest, now=now))


def _members(
    terms: FeedTerms, entries: Iterable[FeedEntry], *, number: int, digest: bytes, now: Instant
) -> dict[str, object]:
    return {
        "iss": terms.issuer,
        "aud": terms.audience,
        "inc": terms.incarnation.hex(),
        "n": number,
        "digest": _text(digest),
        "time": now,
        "max_access_token_lifetime": terms.max_access_token_lifetime,
        "entries": [_entry(entry) for entry in entries],
    }


def _entry(entry: FeedEntry) -> list[object]:
    # Rounded so that no entry ends early: `until` up, `at` down.
    until = None if entry.until is None else -(-entry.until // 1000)
    members: list[object] = [entry.number, entry.kind, _text(entry.id), entry.at // 1000, until]
    return members if entry.epoch is None else [*members, entry.epoch]


def _text(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def feed_etag(*, incarnation: bytes, number: int) -> str:
    """Name a position of one history, for `ETag` and `If-None-Match`."""
    return f'"{incarnation.hex()[:8]}-{number}"'
