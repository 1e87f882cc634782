"""Keeps a client's access token at hand: joins the state machine with fetching, one flight at a time."""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future

from sealring_verify.client_credentials import (
    ClientCredentialsRequest,
    GrantedToken,
    parse_client_credentials_response,
)
from sealring_verify.errors import TokenUnavailable
from sealring_verify.fetch import FetchFailed, MetadataRefused, ask_token_endpoint, fetch_metadata
from sealring_verify.token_state import HeldToken, TokenState

# Metadata and token: two requests of at most 5 s make one flight. One that lasts much longer is given up, so that it
# cannot keep all later ones away.
_FLIGHT_SECONDS = 10.0

Flight = Future[None]


class TokenSupply:
    """The token of one client for one API, for any number of threads and event loops, before and after a fork.

    `monotonic` gives seconds. Fetches run in a thread of their own: whoever holds a living token goes on with it, and
    whoever must wait does so without blocking an event loop.
    """

    def __init__(self, issuer: str, request: ClientCredentialsRequest, *, monotonic: Callable[[], float]) -> None:
        self.state = TokenState()
        self._issuer = issuer
        self._request = request
        self._monotonic = monotonic
        self._token_endpoint: str | None = None
        self.forget_flight()
        _everyone.add(self)

    def obtain(self) -> str:
        """Give a living token; fetch one first where there is none. Raises TokenUnavailable."""
        held, flight = self._needed()
        if held is None and flight is not None:
            # After the time is up, what is known decides.
            with contextlib.suppress(TimeoutError):
                flight.result(_FLIGHT_SECONDS)
        return self._usable(held)

    async def obtain_async(self) -> str:
        """Do what `obtain` does, without blocking the event loop."""
        held, flight = self._needed()
        if held is None and flight is not None:
            import asyncio  # noqa: PLC0415 - 25 ms that a service without an event loop need not pay

            # A running future cannot be cancelled, so a caller that goes away leaves the flight to the others.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(flight), _FLIGHT_SECONDS)
        return self._usable(held)

    def drop(self, access_token: str) -> None:
        """Use a token no more that the API refused; not where another took its place, or one was dropped lately."""
        with self._lock:
            self.state = self.state.dropped(access_token, now=self._monotonic())

    def forget_flight(self) -> None:
        """Start without a flight: the thread that flew it, and whoever held the lock, stayed in the parent."""
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._flight_began = 0.0

    def _needed(self) -> tuple[HeldToken | None, Flight | None]:
        # The living token, whatever is under way; or the flight that whoever has none waits for.
        now = self._monotonic()
        if self._flight is not None or self.state.fetch_is_due(now=now):
            with self._lock:
                self._begin_flight(now=now)
                return self.state.usable(now=now), self._flight
        return self.state.usable(now=now), None

    def _usable(self, held: HeldToken | None) -> str:
        state, now = self.state, self._monotonic()
        held = held or state.usable(now=now)
        if held is not None:
            return held.access_token
        # Made anew for each who waits: an exception that is raised twice gathers the tracebacks of both.
        known = state.refusal or TokenUnavailable("issuer_unreachable")
        pause = 1 if state.not_before is None else max(1, round(state.not_before - now))
        raise TokenUnavailable(known.code, known.message, pause)

    def _begin_flight(self, *, now: float) -> None:
        under_way = self._flight is not None and now - self._flight_began < 2 * _FLIGHT_SECONDS
        # Asked again under the lock: another thread's flight may have landed since.
        if under_way or not self.state.fetch_is_due(now=now):
            return
        flight: Flight = Future()
        flight.set_running_or_notify_cancel()
        try:
            threading.Thread(target=self._fly, args=(flight, now), name="sealring-token", daemon=True).start()
        except RuntimeError:
            # The process is ending, or has no thread left: no reason to refuse a call that has its token.
            return
        self._flight, self._flight_began = flight, now

    def _fly(self, flight: Flight, asked_at: float) -> None:
        outcome: GrantedToken | TokenUnavailable = TokenUnavailable("issuer_unreachable")
        try:
            outcome = self._fetch()
        finally:
            with self._lock:
                if isinstance(outcome, TokenUnavailable):
                    self.state = self.state.failed(outcome, now=self._monotonic())
                    self._token_endpoint = None  # it may have moved
                else:
                    self.state = self.state.fetched(outcome, asked_at=asked_at)
                if self._flight is flight:
                    self._flight = None
            flight.set_result(None)

    def _fetch(self) -> GrantedToken | TokenUnavailable:
        # Failures become values here: an exception would carry its cause, whose request holds the secret.
        endpoint = self._token_endpoint
        try:
            if endpoint is None:
                endpoint = fetch_metadata(self._issuer).token_endpoint
                if endpoint is None:
                    return TokenUnavailable("token_endpoint_unknown")
                self._token_endpoint = endpoint
            answer = ask_token_endpoint(endpoint, self._request)
        except FetchFailed as failure:
            return TokenUnavailable("issuer_unreachable", f"No usable answer of the issuer: {failure}.")
        except MetadataRefused as refused:
            return TokenUnavailable("token_endpoint_unknown", f"The issuer's metadata is refused: {refused}.")
        return parse_client_credentials_response(answer.status, answer.body, scope=self._request.scope)


_everyone: "weakref.WeakSet[TokenSupply]" = weakref.WeakSet()


def _after_fork() -> None:
    for supply in _everyone:
        supply.forget_flight()


os.register_at_fork(after_in_child=_after_fork)
