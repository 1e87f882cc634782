"""Follows a feed from a thread of its own: snapshot, stream, polls where something buffers the stream, and back-off.

The loops hold the knowledge weakly: when no verifier has it any more, the thread ends.
"""

import contextlib
import random
import secrets
import threading
import time
import weakref
from functools import partial

from sealring_verify.feed_connection import (
    CredentialRefused,
    FeedConnection,
    FeedFailed,
    FeedGap,
    StreamSilent,
)
from sealring_verify.feed_knowledge import FeedKnowledge
from sealring_verify.feed_state import Outcome, Sent
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jwks import JwksPolicy, JwksState
from sealring_verify.report import REPORT_SECONDS, write_report
from sealring_verify.revocation_feed import MessageRefused

BUFFERED_SECONDS = 300.0
"""How long polls take the place of a stream that something between holds back."""

# The system's: forked workers would share the state of Python's own, and all come back at the same moment.
_DICE = random.SystemRandom()
_SHORTEST_PAUSE = 0.5
_LONGEST_PAUSE = 15.0
_CREDENTIAL_PAUSE = 60.0
_LONGEST_WAIT = 10
_SNAPSHOT_AGAIN_SECONDS = 60.0
# The set is young whenever a message names a key that it lacks, so this waits less than for access tokens' keys.
_KEY_POLICY = JwksPolicy(pause_for_unknown_key=1)
_KEYS_IN_A_STALENESS = 3

KnowledgeReference = weakref.ref[FeedKnowledge]


class FollowerGone(Exception):  # noqa: N818 - it reads as what happened
    """Nobody needs the knowledge any more."""


class FeedFollower:
    """One process's way to one feed. One thread at a time calls `follow` or `refresh`."""

    def __init__(self, reference: KnowledgeReference, metadata: IssuerMetadata, *, api_key: str, reports: bool) -> None:
        knowledge = _held(reference)
        self._reference = reference
        audience = knowledge.audience
        self._connect = partial(FeedConnection, metadata, audience=audience, api_key=api_key)
        self._keys = JwksState()
        self._needs_snapshot = False
        self._snapshot_at = 0.0
        self._etag: str | None = None
        self._failures = 0
        self._stream_again_at = 0.0
        self._reports = reports
        self._verifier_name = secrets.token_urlsafe(16)
        self._report_at = time.monotonic() + REPORT_SECONDS
        self._reporter: threading.Thread | None = None

    def follow(self) -> None:
        """Follow the feed until nobody needs it."""
        self._connection = self._connect()
        with contextlib.closing(self._connection), contextlib.suppress(FollowerGone):
            while True:
                try:
                    self._follow_once()
                except FeedGap:
                    self._needs_snapshot = True
                    # The first one is mended at once: a second's promise leaves no time for a pause.
                    self._failures += 1
                    if self._failures > 1:
                        self._pause_after("the feed cannot go on from here", pause=None)
                except StreamSilent:
                    self._stream_again_at = time.monotonic() + BUFFERED_SECONDS
                except CredentialRefused as refused:
                    _held(self._reference).note_failure(str(refused), credential=True)
                    self._sleep(_CREDENTIAL_PAUSE * _DICE.uniform(0.5, 1))
                except (FeedFailed, MessageRefused, ValueError) as error:
                    self._pause_after(str(error), pause=getattr(error, "retry_after", None))

    def refresh(self) -> float:
        """Poll once with a nonce; give the seconds for which it should not be asked again."""
        knowledge = _held(self._reference)
        pause = 0.0
        # A connection for each poll: over a host's sleep none would last.
        self._connection = self._connect()
        try:
            try:
                self._poll(wait=0)
            except FeedGap:
                self._needs_snapshot = True
                self._poll(wait=0)
        except CredentialRefused as refused:
            knowledge.note_failure(str(refused), credential=True)
            pause = _CREDENTIAL_PAUSE
        except (FeedFailed, MessageRefused, ValueError) as error:
            knowledge.note_failure(str(error))
            pause = self._next_pause(getattr(error, "retry_after", None))
        finally:
            self._connection.close()
        self._report_if_due(ack=False)
        return pause

    def _follow_once(self) -> None:
        if time.monotonic() >= self._stream_again_at:
            self._stream()
            return
        self._poll(wait=0)
        while time.monotonic() < self._stream_again_at:
            if not self._poll(wait=max(1, min(_LONGEST_WAIT, _held(self._reference).shortest_staleness // 3))):
                return

    def _stream(self) -> None:
        position = self._prepared_position()
        sent = Sent(secrets.token_urlsafe(16), _held(self._reference).monotonic())
        with contextlib.closing(self._connection.stream(after=position, nonce=sent.nonce)) as messages:
            for message in messages:
                if message is None:
                    _held(self._reference).note_reachable()
                elif not self._take(message, sent=sent):
                    return

    def _poll(self, *, wait: int) -> bool:
        # With a nonce where the answer comes at once; one that was waited for would look as old as the wait.
        position = self._prepared_position()
        sent = None if wait else Sent(secrets.token_urlsafe(16), _held(self._reference).monotonic())
        nonce = None if sent is None else sent.nonce
        pulled = self._connection.poll(after=position, nonce=nonce, wait=wait, etag=None if wait else self._etag)
        _held(self._reference).note_reachable()
        level = self._take(pulled.message, sent=sent)
        self._etag = pulled.etag
        return level

    def _prepared_position(self) -> int:
        knowledge = _held(self._reference)
        self._refresh_keys()
        mend = knowledge.state.incomplete is not None and self._snapshot_is_due()
        if knowledge.state.position is None or self._needs_snapshot or mend:
            self._snapshot_at = time.monotonic()
            pulled = self._connection.fetch_snapshot()
            knowledge.note_reachable()
            if self._apply(pulled.message, sent=None) != "applied" or knowledge.state.position is None:
                raise FeedFailed("the snapshot is none")
            self._needs_snapshot, self._etag = False, pulled.etag
        return knowledge.state.position or 0

    def _take(self, message: bytes, *, sent: Sent | None) -> bool:
        # Asked here as well, so that a withdrawn key is not believed for as long as a stream lasts.
        self._refresh_keys()
        if self._needs_snapshot:
            raise FeedGap("a key that signed what is known was withdrawn")
        outcome = self._apply(message, sent=sent)
        if outcome == "gap":
            raise FeedGap("the message does not go on from here")
        if outcome == "replayed":
            raise FeedFailed("the message is not newer than the one before")
        knowledge = _held(self._reference)
        if knowledge.state.anchor is not None:
            self._failures = 0
        overdue = knowledge.state.incomplete is not None and self._snapshot_is_due()
        return outcome == "applied" and not overdue

    def _snapshot_is_due(self) -> bool:
        return time.monotonic() > self._snapshot_at + _SNAPSHOT_AGAIN_SECONDS

    def _apply(self, message: bytes, *, sent: Sent | None) -> Outcome:
        knowledge = _held(self._reference)
        try:
            outcome, ack = knowledge.apply(message, keys=self._feed_keys(), keys_at=self._keys.fetched_at, sent=sent)
        except MessageRefused as refused:
            if refused.code != "unknown_key" or not self._refresh_keys(unknown_key=True):
                raise
            outcome, ack = knowledge.apply(message, keys=self._feed_keys(), keys_at=self._keys.fetched_at, sent=sent)
        self._report_if_due(ack=ack)
        return outcome

    def _feed_keys(self) -> KeySet:
        keys = self._keys.usable_keys(policy=_KEY_POLICY, now=_held(self._reference).monotonic())
        if keys is None:
            raise FeedFailed("the feed's keys are too old")
        return keys

    def _refresh_keys(self, *, unknown_key: bool = False) -> bool:
        knowledge = _held(self._reference)
        now = knowledge.monotonic()
        if not self._keys_are_due(knowledge, unknown_key=unknown_key, now=now):
            return False
        try:
            self._keys = self._keys.fetched(self._connection.fetch_keys(), policy=_KEY_POLICY, now=now)
        except (FeedFailed, ValueError) as error:
            # Counted from its end, or a set that nobody answers for would take all of this thread's time.
            self._keys = self._keys.failed(str(error), now=knowledge.monotonic())
            if self._keys.usable_keys(policy=_KEY_POLICY, now=now) is None:
                # Nothing works without keys, so the pause is the loop's own.
                self._keys = JwksState()
                raise FeedFailed(f"the feed's keys could not be fetched: {error}") from error
            return True
        if not knowledge.take_keys(self._feed_keys(), asked_at=now):
            self._needs_snapshot = True
        return True

    def _keys_are_due(self, knowledge: FeedKnowledge, *, unknown_key: bool, now: float) -> bool:
        # Whatever Cache-Control allows: a set is believed no longer than a signed head is, and asked for in good time.
        pause = knowledge.shortest_staleness / _KEYS_IN_A_STALENESS
        if self._keys.attempted_at is not None and self._keys.fetched_at + pause <= now:
            return now >= self._keys.attempted_at + min(pause, _KEY_POLICY.pause_after_failure)
        return self._keys.fetch_is_due(unknown_key=unknown_key, policy=_KEY_POLICY, now=now)

    def _pause_after(self, reason: str, *, pause: float | None) -> None:
        _held(self._reference).note_failure(reason)
        self._sleep(self._next_pause(pause))

    def _next_pause(self, retry_after: float | None) -> float:
        bound = min(_LONGEST_PAUSE, _SHORTEST_PAUSE * 2 ** min(self._failures + 1, 10))
        self._failures += 1
        return max(_DICE.uniform(_SHORTEST_PAUSE, bound), retry_after or 0.0)

    def _sleep(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, 1.0))
            _held(self._reference)

    def _report_if_due(self, *, ack: bool) -> None:
        now = time.monotonic()
        under_way = self._reporter is not None and self._reporter.is_alive()
        if not self._reports or (under_way and not ack) or (now < self._report_at and not ack):
            return
        self._report_at = now + REPORT_SECONDS
        body = self._report(_held(self._reference))
        # In a thread of its own: a report that hangs must not make the knowledge older.
        self._reporter = threading.Thread(target=self._post, args=(body,), name="sealring-report", daemon=True)
        # A process that ends, or is out of threads, starts none: then this report is dropped as well.
        with contextlib.suppress(RuntimeError):
            self._reporter.start()

    def _report(self, knowledge: FeedKnowledge) -> bytes:
        counts, uses = knowledge.tally.take()
        now = knowledge.monotonic()
        return write_report(
            verifier=self._verifier_name,
            incarnation=knowledge.state.incarnation,
            position=knowledge.state.position,
            age=knowledge.state.age(now),
            keys=knowledge.access_token_kids,
            counts=counts,
            uses=uses,
            now=now,
        )

    def _post(self, body: bytes) -> None:
        connection = self._connect()
        # Dropped, never repeated: the next one tells the position anew.
        with contextlib.suppress(FeedFailed):
            connection.post_report(body)
        connection.close()


def _held(reference: KnowledgeReference) -> FeedKnowledge:
    knowledge = reference()
    if knowledge is None:
        raise FollowerGone
    return knowledge
