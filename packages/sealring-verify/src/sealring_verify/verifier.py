"""The verifier: joins keys, the pure check, its memory and introspection behind two calls."""

import hashlib
import importlib
import time
from collections.abc import Callable, Collection
from typing import Self

import msgspec

from sealring_verify.access_token import check_access_token, check_time
from sealring_verify.claims import AccessToken
from sealring_verify.decryption import Decryption, signed_token
from sealring_verify.errors import (
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidToken,
    KeysUnavailable,
    RevocationUnknown,
    TokenRefused,
)
from sealring_verify.introspection import (
    IntrospectionAnswers,
    IntrospectionRequest,
    introspection_request,
    parse_introspection,
)
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import MAX_TOKEN_LENGTH
from sealring_verify.jwks import Freshness, JwksPolicy
from sealring_verify.opaque_tokens import OpaqueTokens
from sealring_verify.revocation_check import token_ids
from sealring_verify.revocation_guard import (
    FeedChoice,
    FeedStatus,
    OnStale,
    RevocationGuard,
    checked_feed_policy,
)
from sealring_verify.static_keys import KeySource, key_document
from sealring_verify.symmetric_secret import symmetric_key_set
from sealring_verify.verified_tokens import VerifiedToken, VerifiedTokens
from sealring_verify.verifier_options import (
    check_opaque,
    checked_algorithms,
    checked_audience,
    checked_leeway,
    options_from_environment,
    parsed_jwks,
)

_NO_KEYS = KeySet(())
# Linux stops CLOCK_MONOTONIC while the host is suspended; knowledge that slept must have aged.
_BOOT_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


class VerifierStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier knows at this moment, for a health page. It holds no token and no credential.

    `keys` are key ids; `skipped_keys` says in words which of the issuer's keys are unusable here;
    `keys_age_seconds` counts from the last good fetch, None before it and for keys given at construction.
    """

    issuer: str
    audience: str
    introspects: bool
    freshness: Freshness
    keys: tuple[str | None, ...]
    skipped_keys: tuple[str, ...]
    keys_age_seconds: float | None
    last_error: str | None
    remembered_tokens: int
    revocation: FeedStatus


def seconds_awake_or_asleep() -> float:
    """Give monotonic seconds that go on while the host sleeps, where the system has such a clock."""
    return time.monotonic() if _BOOT_CLOCK is None else time.clock_gettime(_BOOT_CLOCK)


class _Verification:
    """One call: what was presented, and what it turned out to be."""

    __slots__ = ("client_address", "digest", "token", "verified")

    def __init__(self, token: str, client_address: str | None) -> None:
        self.token = token
        self.client_address = client_address
        self.digest = _digest(token)
        self.verified: VerifiedToken | None = None


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
    this API's private keys as a JWK set: tokens encrypted to one of them are accepted and no others. What cannot work
    is a ValueError here.
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
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = seconds_awake_or_asleep,
    ) -> None:
        self.issuer = parse_issuer(issuer)
        self.audience = checked_audience(audience)
        if symmetric_secrets and (jwks is not None or algorithms is not None):
            raise ValueError("symmetric_secrets stand alone: leave jwks and algorithms out")
        if opaque:
            others = (
                introspect
                or decryption_jwks is not None
                or jwks is not None
                or algorithms is not None
                or bool(symmetric_secrets)
            )
            check_opaque(api_key=api_key, others=others)
        self._algorithms = frozenset({"HS256"}) if symmetric_secrets else checked_algorithms(algorithms)
        self._leeway = checked_leeway(leeway)
        if introspect and not api_key:
            raise ValueError("introspect=True needs api_key, the secret that `sealring apis add` printed")
        if introspect and jwks is not None:
            raise ValueError("introspect=True needs the issuer's metadata, so leave jwks out")
        self._api_key = api_key
        self._introspects = introspect
        self._clock = clock
        self._monotonic = monotonic
        self._static_keys = symmetric_key_set(symmetric_secrets) if symmetric_secrets else parsed_jwks(jwks, algorithms)
        if self._static_keys is None or introspect:
            # The HTTP client, 230 ms: not when the package is imported, since a server only signs with it; not at the
            # first request, which would wait; not in a flight, which a fork could cut in the middle of an import.
            importlib.import_module("sealring_verify.fetch")
        self._decryption = None if decryption_jwks is None else Decryption(key_document(decryption_jwks))
        self._issuer_keys = IssuerKeys(
            self.issuer, monotonic=monotonic, policy=JwksPolicy(), metadata_only=opaque or bool(symmetric_secrets)
        )
        self._guard = RevocationGuard(
            issuer=self.issuer,
            audience=self.audience,
            api_key=api_key,
            policy=checked_feed_policy(feed=feed, max_staleness=max_staleness, on_stale=on_stale, reports=reports),
            monotonic=monotonic,
        )
        if self._guard.is_on:
            importlib.import_module("sealring_verify.feed_follower")
        self._verified = VerifiedTokens()
        self._answers = IntrospectionAnswers()
        self._opaque = self._opaque_tokens(api_key or "") if opaque else None

    @classmethod
    def from_environment(cls) -> Self:
        """Make one from SEALRING_ISSUER and SEALRING_AUDIENCE.

        If set, SEALRING_API_KEY, SEALRING_SYMMETRIC_SECRETS and SEALRING_ACCESS_TOKEN_FORMAT count as well.
        """
        issuer, audience, options = options_from_environment()
        return cls(issuer, audience, **options)

    def verify(self, token: str, *, scopes: Collection[str] = (), client_address: str | None = None) -> AccessToken:
        """Verify a token, and that it has all `scopes`.

        Raises InvalidToken, InsufficientScope, KeysUnavailable, RevocationUnknown, IntrospectionUnavailable only.
        `client_address`: the caller's, if it is known, for the report. It may wait for the network, so a coroutine
        awaits `verify_async`.
        """
        use = _Verification(token, client_address)
        try:
            self._judge(use)
            _check_scopes(use, scopes)
        except TokenRefused as refusal:
            self._guard.note(use.verified, client_address, refusal.code)
            raise
        return self._accepted(use)

    async def verify_async(
        self, token: str, *, scopes: Collection[str] = (), client_address: str | None = None
    ) -> AccessToken:
        """Verify a token as `verify` does, without ever blocking the event loop."""
        use = _Verification(token, client_address)
        try:
            await self._judge_async(use)
            _check_scopes(use, scopes)
        except TokenRefused as refusal:
            self._guard.note(use.verified, client_address, refusal.code)
            raise
        return self._accepted(use)

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
            introspects=self._introspects or self._opaque is not None,
            freshness="fresh" if self._static_keys else state.freshness(policy=self._issuer_keys.policy, now=now),
            keys=tuple(key.kid for key in keys.keys) if keys else (),
            skipped_keys=keys.skipped if keys else (),
            keys_age_seconds=now - state.fetched_at if state.keys is not None else None,
            last_error=state.last_error,
            remembered_tokens=len(self._verified if self._opaque is None else self._opaque),
            revocation=self._guard.status(),
        )

    def _judge(self, use: "_Verification") -> None:
        if self._opaque is not None:
            use.verified = self._opaque.obtain(use.token, use.digest, metadata=self._issuer_keys.find_metadata())
            keys = _NO_KEYS
        else:
            keys = self._static_keys or self._issuer_keys.obtain()
            try:
                use.verified = self._check(use, keys)
            except InvalidToken as refusal:
                if refusal.code != "unknown_key" or self._static_keys is not None:
                    raise
                use.verified = self._check(use, self._issuer_keys.obtain(unknown_key=True))
        if self._needs_metadata():
            self._obtain_metadata()
        if self._guard.is_on:
            self._prepare_guard(keys)
            if self._guard.is_due_to_wait():
                self._guard.wait()
            self._guard.check(use.verified, now=self._clock())
        question = self._question(use.token, use.digest)
        if question is not None:
            from sealring_verify.fetch import ask_introspection  # noqa: PLC0415 - see __init__

            asked_at = self._monotonic()
            answer = ask_introspection(question)
            self._take_answer(answer.status, answer.body, use.digest, asked_at=asked_at)

    async def _judge_async(self, use: "_Verification") -> None:
        if self._opaque is not None:
            endpoints = await self._issuer_keys.find_metadata_async()
            use.verified = await self._opaque.obtain_async(use.token, use.digest, metadata=endpoints)
            keys = _NO_KEYS
        else:
            keys = self._static_keys or await self._issuer_keys.obtain_async()
            try:
                use.verified = self._check(use, keys)
            except InvalidToken as refusal:
                if refusal.code != "unknown_key" or self._static_keys is not None:
                    raise
                use.verified = self._check(use, await self._issuer_keys.obtain_async(unknown_key=True))
        if self._needs_metadata():
            await self._obtain_metadata_async()
        if self._guard.is_on:
            self._prepare_guard(keys)
            if self._guard.is_due_to_wait():
                await self._guard.wait_async()
            self._guard.check(use.verified, now=self._clock())
        question = self._question(use.token, use.digest)
        if question is not None:
            from sealring_verify.fetch import ask_introspection_async  # noqa: PLC0415 - see __init__

            asked_at = self._monotonic()
            answer = await ask_introspection_async(question)
            self._take_answer(answer.status, answer.body, use.digest, asked_at=asked_at)

    def _accepted(self, use: "_Verification") -> AccessToken:
        assert use.verified is not None  # noqa: S101 - whoever judged either set it or raised
        self._guard.note(use.verified, use.client_address, "accepted")
        return use.verified.access_token

    def _opaque_tokens(self, api_key: str) -> OpaqueTokens:
        return OpaqueTokens(
            issuer=self.issuer,
            audience=self.audience,
            api_key=api_key,
            leeway=self._leeway,
            clock=self._clock,
            monotonic=self._monotonic,
        )

    def _needs_metadata(self) -> bool:
        # Keys that were given at construction come without the metadata that names feed and introspection.
        asks = self._guard.is_on or self._introspects
        return asks and self._static_keys is not None and self._issuer_keys.state.metadata is None

    def _obtain_metadata(self) -> None:
        try:
            self._issuer_keys.obtain()
        except KeysUnavailable:
            self._refuse_without_metadata()

    async def _obtain_metadata_async(self) -> None:
        try:
            await self._issuer_keys.obtain_async()
        except KeysUnavailable:
            self._refuse_without_metadata()

    def _refuse_without_metadata(self) -> None:
        # Where the feed is off, introspection is asked for, and says itself that it has no address.
        if self._guard.is_on:
            raise RevocationUnknown from None

    def _prepare_guard(self, keys: KeySet) -> None:
        self._guard.prepare(self._issuer_keys.state.metadata, tuple(key.kid for key in keys.keys))

    def _check(self, use: "_Verification", keys: KeySet) -> VerifiedToken:
        now = self._clock()
        remembered = self._verified.recall(use.digest, keys=keys)
        if remembered is not None:
            check_time(remembered.access_token, leeway=self._leeway, now=now)
            return remembered
        access_token, kid = check_access_token(
            signed_token(use.token, self._decryption),
            keys=keys,
            issuer=self.issuer,
            audience=self.audience,
            algorithms=self._algorithms,
            leeway=self._leeway,
            now=now,
        )
        ids = token_ids(access_token, kid) if self._guard.is_on else None
        verified = VerifiedToken(access_token, ids=ids, keys=keys)
        self._verified.note(use.digest, verified)
        return verified

    def _question(self, token: str, digest: bytes) -> IntrospectionRequest | None:
        # None: nothing needs to be asked. Asked only about tokens that passed, so garbage makes no requests.
        if not self._introspects:
            return None
        active = self._answers.recall(digest, now=self._monotonic())
        if active is None:
            return self._ask(token)
        if not active:
            raise InvalidToken("token_inactive")
        return None

    def _ask(self, token: str) -> IntrospectionRequest:
        metadata = self._issuer_keys.state.metadata
        if metadata is None or metadata.introspection_endpoint is None or self._api_key is None:
            raise IntrospectionUnavailable(
                "introspection_unavailable", "The issuer's metadata has no introspection_endpoint."
            )
        return introspection_request(
            # The issuer cannot decrypt what it encrypted to this API: it knows the token within.
            signed_token(token, self._decryption),
            endpoint=metadata.introspection_endpoint,
            audience=self.audience,
            api_key=self._api_key,
        )

    def _take_answer(self, status: int, body: bytes, digest: bytes, *, asked_at: float) -> None:
        active = parse_introspection(status, body)
        self._answers.note(digest, active=active, asked_at=asked_at)
        if not active:
            raise InvalidToken("token_inactive")


def _check_scopes(use: "_Verification", scopes: Collection[str]) -> None:
    if use.verified is not None and not use.verified.access_token.scope.issuperset(scopes):
        raise InsufficientScope(scopes)


def _digest(token: object) -> bytes:
    # Whatever a caller passes on has a digest, at a bounded price: what is no text, no ASCII or too long is refused by
    # the check, and one character over the limit is enough to be no token's digest.
    text = token[: MAX_TOKEN_LENGTH + 1] if isinstance(token, str) else ""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
