"""One verifier's view of the revocation feed: which tokens it lets pass, and what it says while it does not know."""

import logging
from collections.abc import Callable
from typing import Literal

import msgspec

from sealring_verify.errors import RevocationUnknown
from sealring_verify.feed_client import FeedClient, FeedMode, shared_feed
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.report import Use
from sealring_verify.revocation_check import check_revoked
from sealring_verify.verified_tokens import VerifiedToken

FeedChoice = Literal["stream", "poll", "off"]
OnStale = Literal["reject", "accept"]
FeedCondition = Literal["off", "waiting", "fresh", "stale"]

_MAX_STALENESS = 3600
_log = logging.getLogger("sealring_verify")
_said: set[str] = set()


class FeedPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier asks of the feed; `max_staleness` in seconds."""

    feed: FeedChoice
    max_staleness: int
    on_stale: OnStale
    reports: bool


class FeedStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the feed at this moment. `off`: it is not used; `waiting`: nothing was heard yet.

    `age_seconds`: how old the knowledge is at most. `stale` with `accepts_stale` means that ended tokens may pass.
    """

    condition: FeedCondition
    mode: FeedChoice
    position: int | None
    age_seconds: float | None
    entries: int
    accepts_stale: bool
    last_error: str | None


def checked_feed_policy(
    *,
    feed: FeedChoice,
    max_staleness: int,
    on_stale: OnStale,
    reports: bool,
) -> FeedPolicy:
    """Check what a caller asks for. ValueError, in a sentence."""
    if feed not in {"stream", "poll", "off"}:
        raise ValueError('feed must be "stream", "poll" or "off"')
    if on_stale not in {"reject", "accept"}:
        raise ValueError('on_stale must be "reject" or "accept"')
    if type(max_staleness) is not int or not 1 <= max_staleness <= _MAX_STALENESS:
        raise ValueError(f"max_staleness must be a whole number of seconds between 1 and {_MAX_STALENESS}")
    return FeedPolicy(feed=feed, max_staleness=max_staleness, on_stale=on_stale, reports=reports)


class RevocationGuard:
    """Decides for one verifier, by knowledge that it shares with others. `monotonic` gives seconds."""

    def __init__(
        self,
        issuer: str,
        audience: str,
        *,
        api_key: str | None,
        policy: FeedPolicy,
        monotonic: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._api_key = api_key
        self._policy = policy
        self._monotonic = monotonic
        self._client: FeedClient | None = None
        self._said_stale = False
        if api_key is None and policy.feed != "off":
            _say_once(
                "no api_key",
                "revocation is OFF: without api_key (SEALRING_API_KEY) ended sessions and revoked tokens are accepted "
                "until they expire",
            )

    @property
    def is_on(self) -> bool:
        """Say whether the feed is to be used where the issuer offers one."""
        return self._policy.feed != "off" and self._api_key is not None

    def prepare(self, metadata: IssuerMetadata | None, kids: tuple[str | None, ...]) -> None:
        """Make sure that the feed is followed, if the issuer offers one; waits for nothing."""
        if metadata is None:
            return
        if metadata.revocation_endpoint is None or metadata.revocation_jwks_uri is None:
            # Once offered, it stays in use: an answer that lost the member must not turn revocation off.
            if self._client is None:
                _say_once(self._issuer, f"revocation is off: the issuer {self._issuer} offers no revocation feed")
            return
        if self._client is None:
            self._client = self._joined()
        self._client.knowledge.access_token_kids = kids
        self._client.keep(metadata)

    def is_due_to_wait(self) -> bool:
        """Say whether a caller should wait for knowledge before it judges."""
        if self._client is None:
            return False
        knowledge = self._client.knowledge
        # Who accepts stale knowledge waits for the first word alone.
        waits = self._policy.on_stale == "reject" or knowledge.state.anchor is None
        return waits and knowledge.is_stale(self._policy.max_staleness)

    def wait(self) -> None:
        """Wait as long as news may come at once."""
        if self._client is not None:
            self._client.knowledge.wait(self._policy.max_staleness)

    async def wait_async(self) -> None:
        """Do what `wait` does, without blocking the event loop."""
        if self._client is not None:
            await self._client.knowledge.wait_async(self._policy.max_staleness)

    def check(self, verified: VerifiedToken, *, now: float) -> None:
        """Refuse a token that was ended, or all while it is unknown which were. `now`: seconds since 1970.

        Raises InvalidToken, RevocationUnknown.
        """
        client = self._client
        if client is None:
            return
        knowledge = client.knowledge
        # Read once, before the entries: what is added meanwhile belongs to a later version.
        state = knowledge.state
        if verified.looked_up != state.version and verified.ids is not None:
            check_revoked(
                verified.access_token,
                verified.ids,
                entries=knowledge.entries,
                max_access_token_lifetime=state.max_access_token_lifetime,
                now=now,
            )
            verified.looked_up = state.version
        if state.is_stale(max_staleness=self._policy.max_staleness, now=self._monotonic()):
            self._pass_or_refuse_stale()

    def note(self, verified: VerifiedToken | None, client_address: str | None, code: str) -> None:
        """Count how a request ended, for the report."""
        client = self._client
        if client is None or not self._policy.reports:
            return
        ids = None if verified is None else verified.ids
        jti, sid = (None, None) if ids is None else (ids.jti, ids.sid)
        client.knowledge.tally.note(Use(self._monotonic(), jti, sid, client_address, code))

    def status(self) -> FeedStatus:
        """Say what is known; it fetches nothing."""
        accepts = self._policy.on_stale == "accept"
        if self._client is None:
            waiting = self.is_on and self._issuer not in _said
            return FeedStatus(
                condition="waiting" if waiting else "off",
                mode=self._policy.feed,
                position=None,
                age_seconds=None,
                entries=0,
                accepts_stale=accepts,
                last_error=None,
            )
        knowledge = self._client.knowledge
        state = knowledge.state
        age = state.age(self._monotonic())
        stale = state.is_stale(max_staleness=self._policy.max_staleness, now=self._monotonic())
        known: FeedCondition = "stale" if stale else "fresh"
        return FeedStatus(
            condition="waiting" if age is None and not knowledge.hopeless else known,
            mode=self._policy.feed,
            position=state.position,
            age_seconds=age,
            entries=len(knowledge.entries),
            accepts_stale=accepts,
            last_error=knowledge.last_error,
        )

    def _joined(self) -> FeedClient:
        mode: FeedMode = "poll" if self._policy.feed == "poll" else "stream"
        client = shared_feed(
            issuer=self._issuer,
            audience=self._audience,
            api_key=self._api_key or "",
            mode=mode,
            reports=self._policy.reports,
            monotonic=self._monotonic,
        )
        knowledge = client.knowledge
        knowledge.shortest_staleness = min(knowledge.shortest_staleness, self._policy.max_staleness)
        return client

    def _pass_or_refuse_stale(self) -> None:
        if self._policy.on_stale == "reject":
            raise RevocationUnknown
        if not self._said_stale:
            self._said_stale = True
            _log.warning("the revocation feed is stale, and on_stale='accept': ended tokens may pass")


def _say_once(subject: str, sentence: str) -> None:
    if subject not in _said:
        _said.add(subject)
        _log.warning(sentence)
