"""Signed access tokens: checked under their issuer's keys, and remembered while these stay the same."""

from collections.abc import Callable

from sealring_verify.access_token import check_access_token, check_time
from sealring_verify.decryption import Decryption, signed_token
from sealring_verify.errors import InvalidToken
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.jose.jwks import KeySet
from sealring_verify.provider_profile import ProviderProfile
from sealring_verify.revocation_check import token_ids
from sealring_verify.verified_tokens import VerifiedToken, VerifiedTokens


class SignedTokens:
    """The signed tokens of one issuer for one API. Any number of threads and event loops share one.

    `static_keys` take the place of fetched ones; with `decryption` encrypted tokens are taken and no others;
    `for_feed`: the feed may name the tokens, by ids that are made once; `profile`: what another issuer than
    Sealring does otherwise than RFC 9068. `clock` gives seconds since 1970.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: frozenset[str],
        leeway: int,
        static_keys: KeySet | None,
        issuer_keys: IssuerKeys,
        decryption: Decryption | None,
        for_feed: bool,
        profile: ProviderProfile | None,
        clock: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = algorithms
        self._leeway = leeway
        self._static_keys = static_keys
        self._issuer_keys = issuer_keys
        self._decryption = decryption
        self._for_feed = for_feed
        self._profile = profile
        self._clock = clock
        self._remembered = VerifiedTokens()

    def __len__(self) -> int:
        return len(self._remembered)

    def obtain(self, token: str, digest: bytes) -> VerifiedToken:
        """Verify a token, or remember that it was; keys are fetched where there are none, or a token names a new one.

        `digest` is empty for what cannot be a token: no text, too long, no ASCII. Raises InvalidToken, KeysUnavailable.
        """
        keys = self._static_keys or self._issuer_keys.obtain()
        try:
            return self._check(token, digest, keys)
        except InvalidToken as refusal:
            if refusal.code != "unknown_key" or self._static_keys is not None:
                raise
            return self._check(token, digest, self._issuer_keys.obtain(unknown_key=True))

    async def obtain_async(self, token: str, digest: bytes) -> VerifiedToken:
        """Do what `obtain` does, without blocking the event loop."""
        keys = self._static_keys or await self._issuer_keys.obtain_async()
        try:
            return self._check(token, digest, keys)
        except InvalidToken as refusal:
            if refusal.code != "unknown_key" or self._static_keys is not None:
                raise
            return self._check(token, digest, await self._issuer_keys.obtain_async(unknown_key=True))

    def _check(self, token: str, digest: bytes, keys: KeySet) -> VerifiedToken:
        now = self._clock()
        remembered = self._remembered.recall(digest, keys=keys)
        if remembered is not None:
            check_time(remembered.access_token, self._leeway, now)
            return remembered
        try:
            access_token, kid = check_access_token(
                token if self._decryption is None and digest else signed_token(token, self._decryption),
                keys=keys,
                issuer=self._issuer,
                audience=self._audience,
                algorithms=self._algorithms,
                leeway=self._leeway,
                now=now,
                profile=self._profile,
            )
        except InvalidToken as refusal:
            raise self._explained(refusal, token) from None
        ids = token_ids(access_token, kid) if self._for_feed else None
        verified = VerifiedToken(access_token, ids, keys)
        self._remembered.note(digest, verified)
        return verified

    def _explained(self, refusal: InvalidToken, token: object) -> InvalidToken:
        """Say more of a refusal, where more is known of what the API's author may have done wrong."""
        if refusal.code == "token_malformed" and self._decryption is None:
            try:
                signed_token(token, None)
            except InvalidToken as nearer:
                refusal = nearer
        advice = None if self._profile is None else self._profile.advice.get(refusal.code)
        return refusal if advice is None else InvalidToken(refusal.code, refusal.claim, advice)
