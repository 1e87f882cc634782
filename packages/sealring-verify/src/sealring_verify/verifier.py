"""The verifier: joins keys, the pure check, its memory and introspection behind two calls."""

import hashlib
import importlib
import time
from collections.abc import Callable, Collection
from typing import Self

from sealring_verify.claims import AccessToken
from sealring_verify.cutoffs import Cutoffs
from sealring_verify.decryption import Decryption, signed_token
from sealring_verify.errors import (
    InsufficientScope,
    KeysUnavailable,
    RevocationUnknown,
    TokenRefused,
)
from sealring_verify.introspection import ACTIVE_COUNTS_FOR, IntrospectionClient, require_active
from sealring_verify.issuer_answers import IssuerAnswers
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import MAX_TOKEN_LENGTH
from sealring_verify.jwks import JwksPolicy
from sealring_verify.opaque_tokens import OpaqueTokens
from sealring_verify.provider_profile import ProviderProfile
from sealring_verify.revocation_guard import (
    FeedChoice,
    OnStale,
    RevocationGuard,
    checked_feed_policy,
)
from sealring_verify.several_issuers import SeveralIssuers, TokenFormat
from sealring_verify.signed_tokens import SignedTokens
from sealring_verify.static_keys import KeySource, key_document
from sealring_verify.step_up import StepUp, check_step_up
from sealring_verify.symmetric_secret import symmetric_key_set
from sealring_verify.verified_tokens import VerifiedToken
from sealring_verify.verifier_options import (
    check_options,
    checked_algorithms,
    checked_audience,
    checked_leeway,
    options_from_environment,
    parsed_jwks,
)
from sealring_verify.verifier_status import VerifierStatus

_Scopes = Collection[str]
# Linux stops CLOCK_MONOTONIC while the host is suspended; knowledge that slept must have aged.
_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


_NO_DIGEST = b""


def seconds_awake_or_asleep() -> float:
    """Give monotonic seconds that go on while the host sleeps, where the system has such a clock."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class Verifier:
    """Verifies the access tokens (RFC 9068) of one issuer for one API; any number of threads and event loops share one.

    `issuer` is its identifier, exactly; `audience` this API's identifier, which a token must name. `jwks`, a JWK set,
    public keys in PEM, or the `Path` of a file of either, takes the place of fetching one. `algorithms` narrows the
    list of asymmetric ones. `leeway` is in seconds, 0 to 300. `symmetric_secrets`: this API's own, one or, while they
    turn, two, as `bytes` if another issuer made them; then tokens of HS256 under these are accepted and no others, and
    no keys are fetched. Without them HS256 is never accepted.
    `api_key` is the API's secret: with it the issuer's revocation feed is followed (`feed`: "stream", "poll" for hosts
    that sleep, "off"). Where nothing was heard of it for `max_staleness` seconds, 1 to 3600, tokens are answered
    RevocationUnknown; `on_stale="accept"` lets them pass instead. `reports=False`: the issuer is told nothing of this
    verifier. `introspect=True` asks the issuer about each token as well. `opaque=True`, for an API of that format:
    opaque tokens are accepted and no others; the issuer is asked, and its answer counts for 10 s. `decryption_jwks`,
    this API's private keys as a JWK set: tokens encrypted to one of them are accepted and no others. `profile`: what
    another issuer than Sealring does otherwise than RFC 9068; `sealring_verify.providers` has those of many.
    `introspection`: as which client such an issuer is asked, by `introspect` or `opaque`. What cannot work is a
    ValueError here.
    """

    def __init__(  # noqa: PLR0913 - all that a verifier can be told; only two need be
        self,
        issuer: str,
        audience: str,
        *,
        api_key: str | None = None,
        jwks: KeySource | None = None,
        algorithms: Collection[str] | None = None,
        symmetric_secrets: Collection[str | bytes] = (),
        leeway: int = 30,
        max_staleness: int = 30,
        on_stale: OnStale = "reject",
        feed: FeedChoice = "stream",
        reports: bool = True,
        introspect: bool = False,
        opaque: bool = False,
        decryption_jwks: KeySource | None = None,
        profile: ProviderProfile | None = None,
        introspection: IntrospectionClient | None = None,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = seconds_awake_or_asleep,
    ) -> None:
        self.issuer = parse_issuer(issuer)
        self.audience = checked_audience(audience)
        check_options(
            api_key=api_key,
            jwks=jwks,
            algorithms=algorithms,
            symmetric_secrets=symmetric_secrets,
            introspect=introspect,
            opaque=opaque,
            decryption_jwks=decryption_jwks,
            profile=profile,
            introspection=introspection,
        )
        self._profile = profile
        self._clock = clock
        self._monotonic = monotonic
        self._leeway = checked_leeway(leeway)
        allowed = frozenset({"HS256"}) if symmetric_secrets else checked_algorithms(algorithms, profile)
        self._static_keys = symmetric_key_set(symmetric_secrets) if symmetric_secrets else parsed_jwks(jwks, allowed)
        self._decryption = None if decryption_jwks is None else Decryption(key_document(decryption_jwks))
        self._issuer_keys = IssuerKeys(
            self.issuer,
            monotonic=monotonic,
            policy=JwksPolicy(),
            metadata_only=opaque or bool(symmetric_secrets),
            discovery=None if profile is None else profile.discovery,
        )
        # Nobody but Sealring has a feed.
        feed = feed if profile is None and introspection is None else "off"
        policy = checked_feed_policy(feed=feed, max_staleness=max_staleness, on_stale=on_stale, reports=reports)
        self._guard = RevocationGuard(self.issuer, self.audience, api_key=api_key, policy=policy, monotonic=monotonic)
        self._cutoffs = Cutoffs()
        asking = introspection or (IntrospectionClient(client_id=audience, client_secret=api_key) if api_key else None)
        self._tokens: SignedTokens | OpaqueTokens = (
            self._opaque_tokens(asking, is_sealring=introspection is None)
            if opaque and asking is not None
            else self._signed_tokens(allowed)
        )
        self._active = self._active_tokens(asking) if introspect and asking is not None else None
        self._is_watched = self._guard.is_on or self._active is not None
        self._import_the_client()

    @classmethod
    def from_environment(cls) -> Self:
        """Make one from SEALRING_ISSUER and SEALRING_AUDIENCE.

        If set, SEALRING_API_KEY, SEALRING_SYMMETRIC_SECRETS and SEALRING_ACCESS_TOKEN_FORMAT count as well.
        """
        issuer, audience, options = options_from_environment()
        return cls(issuer, audience, **options)

    @staticmethod
    def any_of(first: "Verifier", second: "Verifier", *others: "Verifier") -> SeveralIssuers:
        """Join verifiers of different issuers in one, as while an API moves; it takes the tokens of each of them.

        ValueError where it would be open which of them a token is meant for.
        """
        return SeveralIssuers((first, second, *others))

    @property
    def authorization_servers(self) -> tuple[str, ...]:
        """Where a client gets tokens for this API, as a metadata document tells it (RFC 9728 §2)."""
        return (self.issuer,)

    @property
    def issuers(self) -> frozenset[str]:
        """What a token's `iss` may be: the issuer, and other spellings that its provider uses."""
        spellings = frozenset() if self._profile is None else self._profile.issuers
        return spellings | {self.issuer}

    @property
    def token_format(self) -> TokenFormat:
        """Of which form this verifier's tokens are."""
        if isinstance(self._tokens, OpaqueTokens):
            return "opaque"
        return "signed" if self._decryption is None else "encrypted"

    def verify(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Verify a token, and that it has all `scopes` and comes of a sign-in as `step_up` demands.

        Raises InvalidToken, InsufficientScope, InsufficientAuthentication, and of the IssuerUnavailable all three.
        `client_address`: the caller's, if it is known, for the report. It may wait for the network, so a coroutine
        awaits `verify_async`.
        """
        digest, verified = _digest(token), None
        try:
            verified = self._tokens.obtain(token, digest)
            if self._is_watched:
                self._watch(verified, token, digest)
            if scopes or step_up is not None:
                self.check_demands(verified.access_token, scopes, step_up)
        except TokenRefused as refusal:
            self._guard.note(verified, client_address, refusal.code)
            raise
        if self._is_watched:
            self._guard.note(verified, client_address, "accepted")
        return verified.access_token

    async def verify_async(
        self, token: str, *, scopes: _Scopes = (), step_up: StepUp | None = None, client_address: str | None = None
    ) -> AccessToken:
        """Verify a token as `verify` does, without ever blocking the event loop."""
        digest, verified = _digest(token), None
        try:
            verified = await self._tokens.obtain_async(token, digest)
            if self._is_watched:
                await self._watch_async(verified, token, digest)
            if scopes or step_up is not None:
                self.check_demands(verified.access_token, scopes, step_up)
        except TokenRefused as refusal:
            self._guard.note(verified, client_address, refusal.code)
            raise
        if self._is_watched:
            self._guard.note(verified, client_address, "accepted")
        return verified.access_token

    def refuse_issued_before(self, instant: float, *, sub: str | None = None) -> None:
        """Refuse tokens that were issued before `instant`, seconds since 1970: those of a subject, or all of them.

        It is for issuers that do not tell what they ended. One of the same second is refused too, since `iat` is whole
        seconds; a moment only moves forward. It holds in this process alone, and as long as it lives. ValueError for
        what is no instant.
        """
        self._cutoffs.refuse_before(instant, sub=sub)
        self._is_watched = True

    def check_demands(self, access_token: AccessToken, scopes: _Scopes, step_up: StepUp | None = None) -> None:
        """Refuse a verified token that is not enough. Raises InsufficientScope or InsufficientAuthentication."""
        if step_up is not None:
            check_step_up(access_token, step_up, scopes=scopes, leeway=self._leeway, now=self._clock())
        if not access_token.scope.issuperset(scopes):
            raise InsufficientScope(scopes)

    def count_refusal(self, refusal: TokenRefused, *, client_address: str | None = None) -> None:
        """Count, for the report, a request that was refused before there was a token to verify."""
        self._guard.note(None, client_address, refusal.code)

    def status(self) -> VerifierStatus:
        """Say what this verifier knows; it fetches nothing."""
        now = self._monotonic()
        state = self._issuer_keys.state
        keys = self._static_keys or state.keys
        return VerifierStatus(
            issuer=self.issuer,
            audience=self.audience,
            introspects=self._active is not None or isinstance(self._tokens, OpaqueTokens),
            freshness="fresh" if self._static_keys else state.freshness(policy=self._issuer_keys.policy, now=now),
            keys=tuple(key.kid for key in keys.keys) if keys else (),
            skipped_keys=keys.skipped if keys else (),
            keys_age_seconds=now - state.fetched_at if state.keys is not None else None,
            last_error=state.last_error,
            remembered_tokens=len(self._tokens),
            revocation=self._guard.status(),
        )

    def _watch(self, verified: VerifiedToken, token: str, digest: bytes) -> None:
        """Refuse what ended since it was signed, as far as anybody here was told to look."""
        self._cutoffs.check(verified.access_token)
        if self._needs_metadata():
            self._obtain_metadata()
        if self._guard.is_on:
            self._prepare_guard(verified.keys)
            if self._guard.is_due_to_wait():
                self._guard.wait()
            self._guard.check(verified, now=self._clock())
        # Asked only about tokens that passed, so garbage makes no requests.
        if self._active is not None and not self._active.recall(digest):
            self._active.ask(signed_token(token, self._decryption), digest)

    async def _watch_async(self, verified: VerifiedToken, token: str, digest: bytes) -> None:
        self._cutoffs.check(verified.access_token)
        if self._needs_metadata():
            await self._obtain_metadata_async()
        if self._guard.is_on:
            self._prepare_guard(verified.keys)
            if self._guard.is_due_to_wait():
                await self._guard.wait_async()
            self._guard.check(verified, now=self._clock())
        if self._active is not None and not self._active.recall(digest):
            await self._active.ask_async(signed_token(token, self._decryption), digest)

    def _signed_tokens(self, algorithms: frozenset[str]) -> SignedTokens:
        return SignedTokens(
            issuer=self.issuer,
            audience=self.audience,
            algorithms=algorithms,
            leeway=self._leeway,
            static_keys=self._static_keys,
            issuer_keys=self._issuer_keys,
            decryption=self._decryption,
            for_feed=self._guard.is_on,
            profile=self._profile,
            clock=self._clock,
        )

    def _opaque_tokens(self, client: IntrospectionClient, *, is_sealring: bool) -> OpaqueTokens:
        return OpaqueTokens(
            issuer=self.issuer,
            audience=self.audience,
            client=client,
            leeway=self._leeway,
            issuer_keys=self._issuer_keys,
            profile=None if is_sealring else self._profile or ProviderProfile(name=self.issuer),
            clock=self._clock,
            monotonic=self._monotonic,
        )

    def _active_tokens(self, client: IntrospectionClient) -> IssuerAnswers[bool]:
        return IssuerAnswers(
            client=client,
            issuer_keys=self._issuer_keys,
            judge=require_active,
            counts_for=lambda _active: ACTIVE_COUNTS_FOR,
            monotonic=self._monotonic,
        )

    def _import_the_client(self) -> None:
        # The HTTP client, 230 ms: not when the package is imported, since a server only signs with it; not at the
        # first request, which would wait; not in a flight, which a fork could cut in the middle of an import.
        if self._static_keys is None or self._active is not None:
            importlib.import_module("sealring_verify.fetch")
        if self._guard.is_on:
            importlib.import_module("sealring_verify.feed_follower")

    def _needs_metadata(self) -> bool:
        # Keys that were given at construction come without the metadata that names the feed.
        return self._guard.is_on and self._static_keys is not None and self._issuer_keys.state.metadata is None

    def _obtain_metadata(self) -> None:
        try:
            self._issuer_keys.obtain()
        except KeysUnavailable:
            raise RevocationUnknown from None

    async def _obtain_metadata_async(self) -> None:
        try:
            await self._issuer_keys.obtain_async()
        except KeysUnavailable:
            raise RevocationUnknown from None

    def _prepare_guard(self, keys: KeySet | None) -> None:
        kids = () if keys is None else tuple(key.kid for key in keys.keys)
        self._guard.prepare(self._issuer_keys.state.metadata, kids)


def _digest(token: object) -> bytes:
    # Whatever a caller passes on has a digest, at a bounded price: what is no text, no ASCII or too long is refused by
    # the check.
    if not isinstance(token, str) or len(token) > MAX_TOKEN_LENGTH or not token.isascii():
        return _NO_DIGEST
    return hashlib.sha256(token.encode()).digest()
