"""Keeps an issuer's keys at hand: joins the state machine with fetching, one flight at a time, off the caller's way."""

import contextlib
import os
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future

from sealring_verify.errors import KeysUnavailable
from sealring_verify.issuer_metadata import Discovery, IssuerMetadata
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jwks import NO_KEYS, FetchedJwks, JwksPolicy, JwksState

# Two requests of at most 5 s make one flight. One that lasts much longer is given up, so that it cannot keep all later
# ones away.
_FLIGHT_SECONDS = 10.0

Flight = Future[None]


class IssuerKeys:
    """The keys of one issuer, for any number of threads and event loops, before and after a fork.

    `monotonic` gives seconds. Fetches run in a thread of their own: whoever can go on with the present keys does, and
    whoever must wait does so without blocking an event loop. `metadata_only`: keys are never asked for, and the set
    stays empty. `discovery`: where those of another issuer than Sealring lie.
    """

    def __init__(
        self,
        issuer: str,
        *,
        monotonic: Callable[[], float],
        policy: JwksPolicy,
        metadata_only: bool = False,
        discovery: Discovery | None = None,
    ) -> None:
        self.issuer = issuer
        self._discovery = discovery
        self.policy = policy
        self._metadata_only = metadata_only
        self.state = JwksState()
        self._monotonic = monotonic
        self.forget_flight()
        _everyone.add(self)

    def obtain(self, *, unknown_key: bool = False) -> KeySet:
        """Give usable keys; fetch them first where there are none, or where a token named an unknown one.

        Raises KeysUnavailable.
        """
        flight = self._needed_flight(unknown_key=unknown_key)
        if flight is not None:
            # After the time is up, what is known decides.
            with contextlib.suppress(TimeoutError):
                flight.result(_FLIGHT_SECONDS)
        return self._usable(unknown_key=unknown_key)

    async def obtain_async(self, *, unknown_key: bool = False) -> KeySet:
        """Do what `obtain` does, without blocking the event loop."""
        flight = self._needed_flight(unknown_key=unknown_key)
        if flight is not None:
            import asyncio  # noqa: PLC0415 - 25 ms that an API without an event loop need not pay

            # A running future cannot be cancelled, so a caller that goes away leaves the flight to the others.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(flight), _FLIGHT_SECONDS)
        return self._usable(unknown_key=unknown_key)

    def find_metadata(self) -> IssuerMetadata | None:
        """Give the issuer's metadata, fetched where it is due; None where none ever came."""
        with contextlib.suppress(KeysUnavailable):
            self.obtain()
        return self.state.metadata

    async def find_metadata_async(self) -> IssuerMetadata | None:
        """Do what `find_metadata` does, without blocking the event loop."""
        with contextlib.suppress(KeysUnavailable):
            await self.obtain_async()
        return self.state.metadata

    def forget_flight(self) -> None:
        """Start without a flight: the thread that flew it, and whoever held the lock, stayed in the parent."""
        self._lock = threading.Lock()
        self._flight: Flight | None = None
        self._flight_began = 0.0

    def _usable(self, *, unknown_key: bool) -> KeySet:
        state = self.state
        keys = state.usable_keys(policy=self.policy, now=self._monotonic())
        # The unknown key may be a new one that cannot be fetched: that is no fault of the token.
        if keys is None or (unknown_key and state.last_error is not None):
            raise KeysUnavailable("keys_unavailable")
        return keys

    def _needed_flight(self, *, unknown_key: bool) -> Flight | None:
        # Starts a flight where one is due; gives one back only to a caller who cannot go on without its result.
        now = self._monotonic()
        if self._flight is not None or self._is_due(unknown_key=unknown_key, now=now):
            with self._lock:
                self._begin_flight(unknown_key=unknown_key, now=now)
        can_go_on = self.state.usable_keys(policy=self.policy, now=now) is not None and not unknown_key
        return None if can_go_on else self._flight

    def _is_due(self, *, unknown_key: bool, now: float) -> bool:
        return self.state.fetch_is_due(unknown_key=unknown_key, policy=self.policy, now=now)

    def _begin_flight(self, *, unknown_key: bool, now: float) -> None:
        under_way = self._flight is not None and now - self._flight_began < 2 * _FLIGHT_SECONDS
        # Asked again under the lock: another thread's flight may have landed since.
        if under_way or not self._is_due(unknown_key=unknown_key, now=now):
            return
        flight: Flight = Future()
        flight.set_running_or_notify_cancel()
        threading.Thread(target=self._fly, args=(flight,), name="sealring-keys", daemon=True).start()
        self._flight, self._flight_began = flight, now

    def _fly(self, flight: Flight) -> None:
        from sealring_verify.fetch import (  # noqa: PLC0415 - see Verifier.__init__
            FetchFailed,
            MetadataRefused,
            fetch_jwks,
            fetch_metadata,
        )

        state = self.state.failed("the fetch ended without an answer", now=self._monotonic())
        try:
            if self._metadata_only:
                answer = FetchedJwks(
                    metadata=fetch_metadata(self.issuer, self._discovery), document=NO_KEYS, cache_control=None
                )
            else:
                answer = fetch_jwks(self.issuer, self._discovery)
            state = self.state.fetched(answer, policy=self.policy, now=self._monotonic())
        except (FetchFailed, MetadataRefused, ValueError) as error:
            state = self.state.failed(str(error), now=self._monotonic())
        finally:
            with self._lock:
                self.state = state
                if self._flight is flight:
                    self._flight = None
            flight.set_result(None)


_everyone: "weakref.WeakSet[IssuerKeys]" = weakref.WeakSet()


def _after_fork() -> None:
    for keys in _everyone:
        keys.forget_flight()


os.register_at_fork(after_in_child=_after_fork)
