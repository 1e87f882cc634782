"""What an issuer answered about tokens (RFC 7662): kept for seconds, asked once for all who wait for it."""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, Generic, TypeVar

from sealring_verify.errors import IntrospectionUnavailable, TokenRefused
from sealring_verify.introspection import IntrospectionClient, IntrospectionRequest, introspection_request
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.issuer_metadata import IssuerMetadata

REFUSAL_COUNTS_FOR: Final = 2.0
_MAX_ANSWERS: Final = 10_000
_MAX_REFUSALS: Final = 10_000
_MAX_FLIGHTS: Final = 1_000
_QUESTIONS_AT_ONCE: Final = 16
_FLIGHT_SECONDS: Final = 10.0

Answer = TypeVar("Answer")


class IssuerAnswers(Generic[Answer]):
    """The newest answers and refusals by the token's digest, bounded. Any number of threads and event loops share one.

    They are asked for as `client`, at its endpoint or at the one in the metadata that `issuer_keys` finds.
    `judge` reads an HTTP status and body: it gives what a good token is, or raises TokenRefused. `counts_for` says for
    how many seconds such an answer counts, from when the question was sent; `monotonic` gives seconds.
    """

    def __init__(
        self,
        *,
        client: IntrospectionClient,
        issuer_keys: IssuerKeys,
        judge: Callable[[int, bytes], Answer],
        counts_for: Callable[[Answer], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._client = client
        self._issuer_keys = issuer_keys
        self._judge = judge
        self._counts_for = counts_for
        self._monotonic = monotonic
        self._answers: dict[bytes, tuple[Answer, float]] = {}
        # Apart from the answers: whoever invents tokens drives out nothing but other inventions.
        self._refusals: dict[bytes, tuple[TokenRefused, float]] = {}
        self.forget_flights()
        _everyone.add(self)

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, digest: bytes) -> Answer | None:
        """Give the answer that still counts, None where there is none. Raises the refusal that still counts."""
        now = self._monotonic()
        answer = self._answers.get(digest)
        if answer is not None and now < answer[1]:
            return answer[0]
        refusal = self._refusals.get(digest)
        if refusal is not None and now < refusal[1]:
            raise _anew(refusal[0])
        return None

    def ask(self, token: str, digest: bytes) -> Answer:
        """Ask the issuer about a token, or wait for whoever asks the same at this moment. Raises TokenRefused.

        `digest` is that of the token as it was presented.
        """
        flight = self._joined_flight(
            token, digest, self._client.endpoint or _endpoint(self._issuer_keys.find_metadata())
        )
        found: Answer | TokenRefused | None = None
        with contextlib.suppress(TimeoutError):
            found = flight.result(_FLIGHT_SECONDS)
        return _passed(found)

    async def ask_async(self, token: str, digest: bytes) -> Answer:
        """Do what `ask` does, without blocking the event loop."""
        import asyncio  # noqa: PLC0415 - 25 ms that an API without an event loop need not pay

        endpoint = self._client.endpoint or _endpoint(await self._issuer_keys.find_metadata_async())
        flight = self._joined_flight(token, digest, endpoint)
        found: Answer | TokenRefused | None = None
        with contextlib.suppress(TimeoutError):
            # Shielded: a caller that goes away leaves the answer to the others.
            found = await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(flight)), _FLIGHT_SECONDS)
        return _passed(found)

    def forget_flights(self) -> None:
        """Start without flights: the threads that flew them, and whoever held the lock, stayed in the parent."""
        self._lock = threading.Lock()
        self._flights: dict[bytes, Future[Answer | TokenRefused]] = {}
        self._threads = ThreadPoolExecutor(_QUESTIONS_AT_ONCE, thread_name_prefix="sealring-introspection")

    def _joined_flight(self, token: str, digest: bytes, endpoint: str) -> "Future[Answer | TokenRefused]":
        question = introspection_request(token, endpoint=endpoint, client=self._client)
        with self._lock:
            flight = self._flights.get(digest)
            if flight is None:
                if len(self._flights) >= _MAX_FLIGHTS:
                    raise IntrospectionUnavailable("introspection_unavailable", "Too many questions are under way.")
                flight = self._flights[digest] = self._threads.submit(self._fly, question, digest)
            return flight

    def _fly(self, question: IntrospectionRequest, digest: bytes) -> Answer | TokenRefused:
        from sealring_verify.fetch import ask_introspection  # noqa: PLC0415 - see Verifier.__init__

        asked_at = self._monotonic()
        outcome: Answer | TokenRefused = IntrospectionUnavailable("introspection_unavailable")
        try:
            answer = ask_introspection(question)
            outcome = self._judge(answer.status, answer.body)
        except TokenRefused as refusal:
            outcome = refusal.with_traceback(None)
        finally:
            with self._lock:
                self._note(digest, outcome, asked_at=asked_at)
                self._flights.pop(digest, None)
        return outcome

    def _note(self, digest: bytes, outcome: Answer | TokenRefused, *, asked_at: float) -> None:
        # It counts from when the question was sent, since it may have been true no later.
        if isinstance(outcome, TokenRefused):
            if len(self._refusals) >= _MAX_REFUSALS:
                self._refusals = {}
            self._refusals[digest] = (outcome, asked_at + REFUSAL_COUNTS_FOR)
            return
        if len(self._answers) >= _MAX_ANSWERS:
            self._answers = {}
        self._answers[digest] = (outcome, asked_at + self._counts_for(outcome))


def _endpoint(metadata: IssuerMetadata | None) -> str:
    if metadata is None or metadata.introspection_endpoint is None:
        raise IntrospectionUnavailable(
            "introspection_unavailable", "The issuer's metadata has no introspection_endpoint."
        )
    return metadata.introspection_endpoint


def _passed(found: Answer | TokenRefused | None) -> Answer:
    if found is None:
        raise IntrospectionUnavailable("introspection_unavailable")
    if isinstance(found, TokenRefused):
        raise _anew(found)
    return found


def _anew(refusal: TokenRefused) -> TokenRefused:
    # A fresh one for each caller: raising gives an exception a traceback, and frames hold tokens.
    return type(refusal)(*refusal.args)


_everyone: "weakref.WeakSet[IssuerAnswers[Any]]" = weakref.WeakSet()


def _after_fork() -> None:
    for answers in _everyone:
        answers.forget_flights()


os.register_at_fork(after_in_child=_after_fork)
