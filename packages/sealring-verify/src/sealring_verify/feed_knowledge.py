"""What this process knows of one feed: read by any number of threads and event loops, written by one thread."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future

from sealring_verify.feed_state import FeedState, Outcome, Sent, take_keys, take_message
from sealring_verify.jose.jwks import KeySet
from sealring_verify.report import Tally
from sealring_verify.revocation_feed import parse_feed_message
from sealring_verify.revoked_entries import RevokedEntries

FIRST_PATIENCE = 5.0
"""Seconds that the first callers wait for the first signed head."""

PATIENCE = 2.0
"""Seconds that later callers wait where the issuer has just become reachable again."""

_log = logging.getLogger("sealring_verify")

Turn = Future[None]


class FeedKnowledge:
    """The state, the entries, and who waits for the next state. `monotonic` gives seconds.

    `reachable`: the issuer answered, so that news may come at once. `hopeless`: an attempt failed since news came.
    """

    def __init__(self, *, issuer: str, audience: str, monotonic: Callable[[], float], tally: Tally) -> None:
        self.issuer = issuer
        self.audience = audience
        self.monotonic = monotonic
        self.tally = tally
        self.state = FeedState()
        self.entries = RevokedEntries()
        self.reachable = False
        self.hopeless = False
        self.last_error: str | None = None
        self.shortest_staleness = 3600
        self.access_token_kids: tuple[str | None, ...] = ()
        self.credential_was_refused = False
        self.forget_waiters()

    def forget_waiters(self) -> None:
        """Start without waiters: the thread that would wake them stayed in the parent."""
        self._lock = threading.Lock()
        self._turn = _new_turn()
        self.reachable = self.hopeless = False

    def take_keys(self, keys: KeySet, *, asked_at: float) -> bool:
        """Take the feed's key set anew; False: it lacks a key that signed what is known, so a snapshot is needed.

        `asked_at`: monotonic seconds. Only the one thread that writes calls this.
        """
        self.state, holds = take_keys(self.state, [key.kid for key in keys.keys], asked_at=asked_at)
        return holds

    def apply(self, message: bytes, *, keys: KeySet, keys_at: float, sent: Sent | None) -> tuple[Outcome, bool]:
        """Check and apply a message; give what became of it, and whether it asks for a report at once.

        `keys_at`: when these keys were asked for. Raises MessageRefused. Only the one thread that writes calls this.
        """
        parsed = parse_feed_message(message, keys=keys, issuer=self.issuer, audience=self.audience)
        state, outcome = take_message(
            self.state, parsed, entries=self.entries, sent=sent, keys_at=keys_at, now=self.monotonic()
        )
        # Published after the entries, so that knowledge never looks younger than what is applied of it.
        self.state = state
        if outcome in {"applied", "reopen"}:
            if state.anchor is not None:
                self.hopeless, self.last_error = False, None
            if state.incomplete is not None:
                self.last_error = state.incomplete
            self.credential_was_refused = False
            self._turn_over()
        return outcome, parsed.ack

    def note_reachable(self) -> None:
        """Note that the issuer answers."""
        self.reachable = True

    def note_failure(self, reason: str, *, credential: bool = False) -> None:
        """Note a failed attempt and let those who wait decide by what is known."""
        self.last_error, self.reachable, self.hopeless = reason, False, True
        if credential and not self.credential_was_refused:
            self.credential_was_refused = True
            _log.error(
                "the issuer %s refuses the credential of %s: revocation is unknown until it is mended",
                self.issuer,
                self.audience,
            )
        self._turn_over()

    def is_stale(self, max_staleness: float) -> bool:
        """Say whether a token must not pass now."""
        return self.state.is_stale(max_staleness=max_staleness, now=self.monotonic())

    def wait(self, max_staleness: float) -> bool:
        """Wait while knowledge is stale and may come at once; say whether it is fresh now."""
        deadline = time.monotonic() + self._patience()
        # The turn is taken before the look at the state, so that none is missed in between.
        turn = self._turn
        while self.is_stale(max_staleness):
            left = deadline - time.monotonic()
            if left <= 0 or not self._may_come():
                return not self.is_stale(max_staleness)
            with contextlib.suppress(TimeoutError):
                turn.result(left)
            turn = self._turn
        return True

    async def wait_async(self, max_staleness: float) -> bool:
        """Do what `wait` does, without blocking the event loop."""
        import asyncio  # noqa: PLC0415 - 25 ms that an API without an event loop need not pay

        deadline = time.monotonic() + self._patience()
        # The turn is taken before the look at the state, so that none is missed in between.
        turn = self._turn
        while self.is_stale(max_staleness):
            left = deadline - time.monotonic()
            if left <= 0 or not self._may_come():
                return not self.is_stale(max_staleness)
            # A running future cannot be cancelled, so a caller that goes away leaves the turn to the others.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.wrap_future(turn), left)
            turn = self._turn
        return True

    def _patience(self) -> float:
        return FIRST_PATIENCE if self.state.anchor is None and not self.hopeless else PATIENCE

    def _may_come(self) -> bool:
        if self.state.incomplete is not None:
            return False
        return self.reachable or (self.state.anchor is None and not self.hopeless)

    def _turn_over(self) -> None:
        with self._lock:
            turn, self._turn = self._turn, _new_turn()
        turn.set_result(None)


def _new_turn() -> Turn:
    turn: Turn = Future()
    turn.set_running_or_notify_cancel()
    return turn
