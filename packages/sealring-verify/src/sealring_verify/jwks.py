"""What a verifier knows of its issuer's keys: a state machine without clock, socket or lock.

    empty ── fetched ──> fresh ── max-age over ──> stale ── an hour more ──> expired
                           ^                         │ usable, fetch due       │ not usable
                           └──────── fetched ────────┴─────────────────────────┘

The last part of `fresh` has a fetch due as well, so that keys in use are new before they must be.

`now` is monotonic seconds throughout, so a step of the wall clock neither ages nor refreshes keys.
"""

from typing import Literal

import msgspec

from sealring_verify.http_caching import CachingHeaders, fresh_seconds
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.jose.jwks import KeySet, parse_jwks

Freshness = Literal["empty", "fresh", "stale", "expired"]
# Of the time for which keys are fresh; after it they are fetched anew off everybody's way.
_REFRESHED_AFTER = 0.8


class JwksPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long keys are believed, in seconds.

    `kept_while_down` counts from the end of freshness: tokens live an hour at most, so a set that is older, from an
    issuer that nobody reaches, would serve forged tokens alone.
    """

    fresh_by_default: int = 300
    fresh_at_least: int = 30
    fresh_at_most: int = 3600
    kept_while_down: int = 3600
    pause_after_failure: int = 5
    pause_for_unknown_key: int = 10


class FetchedJwks(msgspec.Struct, frozen=True, kw_only=True):
    """A key set as the issuer sent it, with what HTTP says of its freshness, and the metadata that led there."""

    metadata: IssuerMetadata
    document: bytes
    cache_control: str | None
    age: str | None = None
    date: str | None = None
    expires: str | None = None


NO_KEYS = b'{"keys":[]}'
"""A key set without keys: what stands for one where none is wanted."""


class JwksState(msgspec.Struct, frozen=True, kw_only=True):
    """One state of knowledge; `fetched` and `failed` give the next one."""

    keys: KeySet | None = None
    metadata: IssuerMetadata | None = None
    document: bytes = b""
    fetched_at: float = 0.0
    fresh_until: float = 0.0
    attempted_at: float | None = None
    last_error: str | None = None

    def freshness(self, *, policy: JwksPolicy, now: float) -> Freshness:
        """Name the state that the diagram above shows."""
        if self.keys is None:
            return "empty"
        if now < self.fresh_until:
            return "fresh"
        return "stale" if now < self.fresh_until + policy.kept_while_down else "expired"

    def usable_keys(self, *, policy: JwksPolicy, now: float) -> KeySet | None:
        """Give the keys unless there are none, or they are older than the policy allows."""
        return self.keys if self.freshness(policy=policy, now=now) in {"fresh", "stale"} else None

    def fetch_is_due(self, *, unknown_key: bool, policy: JwksPolicy, now: float) -> bool:
        """Say whether to ask the issuer now; `unknown_key`: a token names a key that this set lacks.

        Garbage that names random keys makes one fetch per pause, not one per request; nor does an issuer that is down
        get one per request.
        """
        since_attempt = now - self.attempted_at if self.attempted_at is not None else float("inf")
        if self.last_error is not None and since_attempt < policy.pause_after_failure:
            return False
        if self.keys is None or now >= self.fetched_at + _REFRESHED_AFTER * (self.fresh_until - self.fetched_at):
            return True
        return unknown_key and since_attempt >= policy.pause_for_unknown_key

    def fetched(self, answer: FetchedJwks, *, policy: JwksPolicy, now: float) -> "JwksState":
        """Take a fetched set. ValueError where it is no JWK set."""
        # The same document keeps the same KeySet, and with it whatever was verified under it.
        same = self.keys is not None and answer.document == self.document
        keys = self.keys if same else parse_jwks(answer.document)
        return JwksState(
            keys=keys,
            metadata=answer.metadata,
            document=answer.document,
            fetched_at=now,
            fresh_until=now + _fresh_seconds(answer, policy),
            attempted_at=now,
        )

    def failed(self, reason: str, *, now: float) -> "JwksState":
        """Note a failed fetch: the last good set stays as long as it would have."""
        return msgspec.structs.replace(self, attempted_at=now, last_error=reason)


def _fresh_seconds(answer: FetchedJwks, policy: JwksPolicy) -> int:
    headers = CachingHeaders(
        cache_control=answer.cache_control, age=answer.age, date=answer.date, expires=answer.expires
    )
    told = fresh_seconds(headers)
    wanted = policy.fresh_by_default if told is None else told
    return min(max(wanted, policy.fresh_at_least), policy.fresh_at_most)
