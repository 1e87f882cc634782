"""Opaque access tokens: what their issuer says of each is the token."""

import re
from collections.abc import Callable
from typing import Final

from sealring_verify.access_token import check_claims, check_time
from sealring_verify.errors import InvalidToken
from sealring_verify.introspection import (
    IntrospectionClient,
    parse_foreign_token,
    parse_introspected_token,
)
from sealring_verify.issuer_answers import IssuerAnswers
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.provider_profile import ProviderProfile, accepted_audience, accepted_issuer
from sealring_verify.revocation_check import token_ids
from sealring_verify.unverified_issuer import unverified_issuer
from sealring_verify.verified_tokens import VerifiedToken

# SECURITY C4, in seconds. What ends meanwhile is known by the feed.
ANSWER_COUNTS_FOR: Final = 10.0
_LONGEST: Final = 16 * 1024
# What is no token of Sealring's is never sent to anybody.
_SEALRINGS: Final = re.compile(r"slo_[A-Za-z0-9_-]{62,16380}")
# RFC 6750 §2.1
_BEARER: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class OpaqueTokens:
    """The opaque tokens of one API. Any number of threads and event loops share one.

    `client` is who asks; `profile`, for another issuer than Sealring, whose answers are judged by it. `monotonic` gives
    seconds, `clock` seconds since 1970; `leeway` in seconds.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        client: IntrospectionClient,
        leeway: int,
        issuer_keys: IssuerKeys,
        profile: ProviderProfile | None,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._client = client
        self._leeway = leeway
        self._profile = profile
        self._clock = clock
        self._answers = IssuerAnswers(
            client=client, issuer_keys=issuer_keys, judge=self._judged, counts_for=self._counts_for, monotonic=monotonic
        )

    def __len__(self) -> int:
        return len(self._answers)

    def obtain(self, token: str, digest: bytes) -> VerifiedToken:
        """Say what a token is worth; the issuer is asked where no answer counts. It may have ended since.

        Raises InvalidToken, IntrospectionUnavailable.
        """
        self._check_form(token)
        return self._live(self._answers.recall(digest) or self._answers.ask(token, digest))

    async def obtain_async(self, token: str, digest: bytes) -> VerifiedToken:
        """Do what `obtain` does, without blocking the event loop."""
        self._check_form(token)
        return self._live(self._answers.recall(digest) or await self._answers.ask_async(token, digest))

    def _check_form(self, token: object) -> None:
        if not isinstance(token, str):
            raise InvalidToken("token_malformed")
        if len(token) > _LONGEST:
            raise InvalidToken("token_too_large")
        if self._profile is None:
            if not _SEALRINGS.fullmatch(token):
                raise InvalidToken("token_malformed", None, "The token is not an opaque token: slo_ and base64url.")
            return
        if not _BEARER.fullmatch(token):
            raise InvalidToken("token_malformed", None, "The token has a character that no bearer token has.")
        # A token of somebody else's is nothing that this issuer should see.
        claimed = unverified_issuer(token)
        if claimed is not None and claimed != self._issuer and claimed not in self._profile.issuers:
            raise InvalidToken("wrong_issuer", "iss")

    def _live(self, found: VerifiedToken) -> VerifiedToken:
        check_time(found.access_token, self._leeway, self._clock())
        return found

    def _judged(self, status: int, body: bytes) -> VerifiedToken:
        issuer, audience = self._issuer, self._audience
        if self._profile is None:
            access_token = parse_introspected_token(status, body)
        else:
            access_token = parse_foreign_token(status, body, issuer=issuer, client=self._client, profile=self._profile)
        if access_token is None:
            raise InvalidToken("token_inactive")
        if self._profile is not None:
            issuer = accepted_issuer(access_token, issuer=issuer, profile=self._profile)
            audience = accepted_audience(access_token, audience=audience, profile=self._profile)
        check_claims(access_token, issuer=issuer, audience=audience, leeway=self._leeway, now=self._clock())
        return VerifiedToken(access_token, ids=token_ids(access_token, None), keys=None)

    def _counts_for(self, verified: VerifiedToken) -> float:
        lives = verified.access_token.exp - self._clock()
        return min(ANSWER_COUNTS_FOR, max(0.0, lives))
