"""Shares one feed among the verifiers of one issuer, audience and credential in each process, and keeps it followed."""

import os
import random
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from typing import Literal

from sealring_verify.feed_knowledge import FeedKnowledge
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.report import Tally

FeedMode = Literal["stream", "poll"]

POLL_SECONDS = 5.0
"""How old the last signed head may be in poll mode before a use of it asks again."""


class FeedClient:
    """One feed in one process: `knowledge`, and whatever thread keeps it, started on use and again after a fork."""

    def __init__(self, knowledge: FeedKnowledge, *, mode: FeedMode, api_key: str, reports: bool) -> None:
        self.knowledge = knowledge
        self.mode = mode
        self._api_key = api_key
        self._reports = reports
        self.forget_thread()

    def __repr__(self) -> str:
        return f"FeedClient({self.knowledge.issuer!r}, {self.knowledge.audience!r}, {self.mode})"

    def forget_thread(self) -> None:
        """Start without a thread: it stayed in the parent, and so did whoever held a lock."""
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._follower: object = None
        self._flying = self._fly_again = False
        self._polled_at: float | None = None
        self._not_before = 0.0
        self.knowledge.forget_waiters()
        self.knowledge.tally.forget()

    def keep(self, metadata: IssuerMetadata) -> None:
        """Make sure that the feed is followed, or in poll mode asked where it is due; waits for nothing."""
        if self.mode == "stream":
            if self._thread is None or not self._thread.is_alive():
                self._begin(metadata)
        elif self._poll_is_due():
            self._begin(metadata)

    def _poll_is_due(self) -> bool:
        now = self.knowledge.monotonic()
        if time.monotonic() < self._not_before:
            return False
        return self._polled_at is None or now - self._polled_at >= POLL_SECONDS

    def _begin(self, metadata: IssuerMetadata) -> None:
        # All is asked again under the lock: another thread may have begun since.
        with self._lock:
            if self.mode == "poll":
                if not self._poll_is_due():
                    return
                self._polled_at = self.knowledge.monotonic()
                self.knowledge.note_reachable()
                # One flight at a time; one that is about to land flies once more for whom it would come too early.
                self._fly_again = self._flying
                if self._flying:
                    return
                self._flying = True
                work = partial(self._fly, metadata)
            elif self._thread is not None and self._thread.is_alive():
                return
            else:
                reference = weakref.ref(self.knowledge)
                work = partial(_follow, reference, metadata, api_key=self._api_key, reports=self._reports)
            self._thread = threading.Thread(target=work, name="sealring-feed", daemon=True)
            self._thread.start()

    def _fly(self, metadata: IssuerMetadata) -> None:
        from sealring_verify.feed_follower import FeedFollower  # noqa: PLC0415 - see Verifier.__init__

        again = True
        while again:
            again = False
            try:
                if not isinstance(self._follower, FeedFollower):
                    reference = weakref.ref(self.knowledge)
                    self._follower = FeedFollower(reference, metadata, api_key=self._api_key, reports=self._reports)
                self._not_before = time.monotonic() + self._follower.refresh()
            finally:
                with self._lock:
                    again, self._fly_again = self._fly_again, False
                    self._flying = again


def shared_feed(
    *,
    issuer: str,
    audience: str,
    api_key: str,
    mode: FeedMode,
    reports: bool,
    monotonic: Callable[[], float],
) -> FeedClient:
    """Give the one client that verifiers of the same issuer, audience and credential share."""
    key = (issuer, audience, api_key, mode, reports, monotonic)
    with _shared_lock:
        client = _shared.get(key)
        if client is None:
            tally = Tally(chance=random.Random().random)  # noqa: S311 - which uses are sampled
            knowledge = FeedKnowledge(issuer=issuer, audience=audience, monotonic=monotonic, tally=tally)
            client = _shared[key] = FeedClient(knowledge, mode=mode, api_key=api_key, reports=reports)
    return client


def _follow(reference: weakref.ref[FeedKnowledge], metadata: IssuerMetadata, *, api_key: str, reports: bool) -> None:
    from sealring_verify.feed_follower import FeedFollower, FollowerGone  # noqa: PLC0415 - see Verifier.__init__

    try:
        FeedFollower(reference, metadata, api_key=api_key, reports=reports).follow()
    except FollowerGone:
        return


_shared: "weakref.WeakValueDictionary[tuple[object, ...], FeedClient]" = weakref.WeakValueDictionary()
_shared_lock = threading.Lock()


def _after_fork() -> None:
    global _shared_lock  # noqa: PLW0603 - whoever held it stayed in the parent
    _shared_lock = threading.Lock()
    for client in list(_shared.values()):
        client.forget_thread()


os.register_at_fork(after_in_child=_after_fork)
