"""Opaque access tokens: what their issuer said of each, kept for ten seconds, asked once for all who wait for it."""

import contextlib
import os
import re
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from sealring_verify.access_token import check_claims, check_time
from sealring_verify.errors import IntrospectionUnavailable, InvalidToken, TokenRefused
from sealring_verify.introspection import (
    IntrospectionRequest,
    introspection_request,
    parse_introspected_token,
)
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.revocation_check import token_ids
from sealring_verify.verified_tokens import VerifiedToken

# SECURITY C4, in seconds. What ends meanwhile is known by the feed.
ANSWER_COUNTS_FOR: Final = 10.0
_REFUSAL_COUNTS_FOR: Final = 2.0
_LONGEST: Final = 16 * 1024
# What is no token of Sealring's is never sent to anybody.
_SHAPE: Final = re.compile(r"slo_[A-Za-z0-9_-]{62,16380}")
_MAX_ANSWERS: Final = 10_000
_MAX_REFUSALS: Final = 10_000
_MAX_FLIGHTS: Final = 1_000
_QUESTIONS_AT_ONCE: Final = 16
_FLIGHT_SECONDS: Final = 10.0

Outcome = VerifiedToken | TokenRefused


class OpaqueTokens:
    """The opaque tokens of one API. Any number of threads and event loops share one.

    `monotonic` gives seconds, `clock` seconds since 1970; `leeway` in seconds.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        api_key: str,
        leeway: int,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._api_key = api_key
        self._leeway = leeway
        self._clock = clock
        self._monotonic = monotonic
        self._answers: dict[bytes, tuple[VerifiedToken, float]] = {}
        # Apart from the answers: whoever invents tokens drives out nothing but other inventions.
        self._refusals: dict[bytes, tuple[TokenRefused, float]] = {}
        self.forget_flights()
        _everyone.add(self)

    def __len__(self) -> int:
        return len(self._answers)

    def obtain(self, token: str, digest: bytes, *, metadata: IssuerMetadata | None) -> VerifiedToken:
        """Say what a token is worth; the issuer is asked where no answer counts. It may have ended since.

        Raises InvalidToken, IntrospectionUnavailable.
        """
        found = self._recall(token, digest)
        if found is None:
            flight = self._joined_flight(token, digest, metadata)
            with contextlib.suppress(TimeoutError):
                found = flight.result(_FLIGHT_SECONDS)
        return self._passed(found)

    async def obtain_async(self, token: str, digest: bytes, *, metadata: IssuerMetadata | None) -> VerifiedToken:
        """Do what `obtain` does, without blocking the event loop."""
        found = self._recall(token, digest)
        if found is None:
            import asyncio  # noqa: PLC0415 - 25 ms that an API without an event loop need not pay

            flight = self._joined_flight(token, digest, metadata)
            # Shielded: a caller that goes away leaves the answer to the others.
            waiting = asyncio.shield(asyncio.wrap_future(flight))
            with contextlib.suppress(TimeoutError):
                found = await asyncio.wait_for(waiting, _FLIGHT_SECONDS)
        return self._passed(found)

    def forget_flights(self) -> None:
        """Start without flights: the threads that flew them, and whoever held the lock, stayed in the parent."""
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[Outcome]] = {}
        self._threads = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, thread_name_prefix="sealring-introspection")

    def _recall(self, token: object, digest: bytes) -> Outcome | None:
        if not isinstance(token, str):
            raise InvalidToken("token_malformed")
        if len(token) > _LONGEST:
            raise InvalidToken("token_too_large")
        if not _SHAPE.fullmatch(token):
            raise InvalidToken("token_malformed", None, "The token is not an opaque token: slo_ and base64url.")
        now = self._monotonic()
        answer = self._answers.get(digest)
        if answer is not None and now < answer[1]:
            return answer[0]
        refusal = self._refusals.get(digest)
        return refusal[0] if refusal is not None and now < refusal[1] else None

    def _passed(self, found: Outcome | None) -> VerifiedToken:
        if found is None:
            raise IntrospectionUnavailable("introspection_unavailable")
        if isinstance(found, TokenRefused):
            # A fresh one for each caller: raising gives an exception a traceback, and frames hold tokens.
            raise type(found)(*found.args)
        check_time(found.access_token, leeway=self._leeway, now=self._clock())
        return found

    def _joined_flight(self, token: str, digest: bytes, metadata: IssuerMetadata | None) -> Future[Outcome]:
        if metadata is None or metadata.introspection_endpoint is None:
            raise IntrospectionUnavailable(
                "introspection_unavailable", "The issuer's metadata has no introspection_endpoint."
            )
        endpoint = metadata.introspection_endpoint
        question = introspection_request(token, endpoint=endpoint, audience=self._audience, api_key=self._api_key)
        with self._lock:
            flight = self._flights.get(digest)
            if flight is None:
                if len(self._flights) >= _MAX_FLIGHTS:
                    raise IntrospectionUnavailable("introspection_unavailable", "Too many questions are under way.")
                flight = self._flights[digest] = self._threads.submit(self._fly, question, digest)
            return flight

    def _fly(self, question: IntrospectionRequest, digest: bytes) -> Outcome:
        from sealring_verify.fetch import ask_introspection  # noqa: PLC0415 - see Verifier.__init__

        asked_at = self._monotonic()
        outcome: Outcome = IntrospectionUnavailable("introspection_unavailable")
        try:
            answer = ask_introspection(question)
            outcome = self._judged(answer.status, answer.body)
        except TokenRefused as refusal:
            outcome = refusal.with_traceback(None)
        finally:
            with self._lock:
                self._note(digest, outcome, asked_at=asked_at)
                self._flights.pop(digest, None)
        return outcome

    def _judged(self, status: int, body: bytes) -> VerifiedToken:
        access_token = parse_introspected_token(status, body)
        if access_token is None:
            raise InvalidToken("token_inactive")
        check_claims(access_token, issuer=self._issuer, audience=self._audience, leeway=self._leeway, now=self._clock())
        return VerifiedToken(access_token, ids=token_ids(access_token, None), keys=None)

    def _note(self, digest: bytes, outcome: Outcome, *, asked_at: float) -> None:
        # It counts from when the question was sent, since it may have been true no later.
        if isinstance(outcome, TokenRefused):
            if len(self._refusals) >= _MAX_REFUSALS:
                self._refusals = {}
            self._refusals[digest] = (outcome, asked_at + _REFUSAL_COUNTS_FOR)
            return
        if len(self._answers) >= _MAX_ANSWERS:
            self._answers = {}
        lives = outcome.access_token.exp - self._clock()
        self._answers[digest] = (outcome, asked_at + min(ANSWER_COUNTS_FOR, max(0.0, lives)))


_everyone: "weakref.WeakSet[OpaqueTokens]" = weakref.WeakSet()


def _after_fork() -> None:
    for tokens in _everyone:
        tokens.forget_flights()


os.register_at_fork(after_in_child=_after_fork)
