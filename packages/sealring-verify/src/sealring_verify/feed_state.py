"""What a verifier knows of the revocation feed: a state machine without clock, socket or lock.

    unknown ── message with the nonce ──> fresh ── age ──> stale ── message ──> fresh
       ^                                    │ another history, or a gap: a snapshot is added, nothing forgotten
       └── snapshot after overflow ─────────┘ message of an unknown kind, or overflow: stale at once

Keys are withdrawn as well: knowledge is no fresher than the key set that still has every key under which it was signed.

`now` is monotonic seconds throughout. Age is counted from when a request with a nonce was sent, so neither a stream
that is held back nor a step of any clock makes knowledge look younger than it is.
"""

from collections.abc import Collection
from typing import Literal

import msgspec

from sealring_verify.revocation_feed import FeedMessage, entry_id
from sealring_verify.revoked_entries import RevokedEntries

LONGEST_AGE_ON_STREAM = 5.0
"""Seconds. Messages that arrive older than this were held back: the stream is opened anew."""

_CLOCK_STEP = 2.0

Outcome = Literal["applied", "reopen", "gap", "replayed"]
"""What became of a message. `reopen`: applied, but open the stream anew; `gap`, `replayed`: not applied."""


class Sent(msgspec.Struct, frozen=True):
    """A request with its nonce, and when it was sent (monotonic seconds)."""

    nonce: str
    at: float


class FeedState(msgspec.Struct, frozen=True, kw_only=True):
    """One state of knowledge. `version` changes whenever a token could be judged differently than before.

    `incomplete` says in words why knowledge counts as stale whatever its age. `signers`: the keys that signed what was
    applied since the last snapshot; `withdrawn`: those that a later key set lacked. `keys_at`: when the newest set was
    asked for that has all signers.
    """

    position: int | None = None
    digest: str = ""
    incarnation: str | None = None
    anchor: float | None = None
    anchor_time: int = 0
    latest_time: int = 0
    max_access_token_lifetime: int | None = None
    version: int = 0
    incomplete: str | None = None
    signers: frozenset[str] = frozenset()
    withdrawn: frozenset[str] = frozenset()
    keys_at: float | None = None

    def age(self, now: float) -> float | None:
        """Say how many seconds old the knowledge is at most; None: nothing is known."""
        if self.anchor is None:
            return None
        return max(0.0, now - self.anchor - (self.latest_time - self.anchor_time) / 1000)

    def is_stale(self, *, max_staleness: float, now: float) -> bool:
        """Say whether this knowledge is too old or too incomplete to let a token pass."""
        age = self.age(now)
        if age is None or self.keys_at is None or self.incomplete is not None:
            return True
        return max(age, now - self.keys_at) > max_staleness


def take_keys(state: FeedState, kids: Collection[str | None], *, asked_at: float) -> tuple[FeedState, bool]:
    """Take a key set that was fetched. False: it lacks a key that signed what is known, so a snapshot is needed.

    Whoever holds a withdrawn key may have left out entries, under the right positions. So knowledge stays as old as the
    set before, until a snapshot and then a message with a nonce came under keys that are left.
    """
    missing = state.signers.difference(kids)
    if missing:
        return msgspec.structs.replace(state, withdrawn=state.withdrawn | missing), False
    if state.keys_at is None or state.withdrawn:
        return state, True
    return msgspec.structs.replace(state, keys_at=asked_at), True


def take_message(
    state: FeedState,
    message: FeedMessage,
    *,
    entries: RevokedEntries,
    sent: Sent | None,
    keys_at: float,
    now: float,
) -> tuple[FeedState, Outcome]:
    """Apply a checked message to the entries and say what is known afterwards.

    `sent`: the request that it may answer. `keys_at`: when the key set was asked for under which it was checked. A
    message that is not applied leaves state and entries as they were.
    """
    snapshot = message.after is None
    answers = sent is not None and message.nonce == sent.nonce
    if not snapshot:
        if (message.inc, message.after, message.previous) != (state.incarnation, state.position, state.digest):
            return state, "gap"
        # Equal times are no replay where the position moves on: two messages may share a millisecond.
        replayed = message.time < state.latest_time or (
            message.time == state.latest_time and message.n == message.after
        )
        if not answers and state.anchor is not None and replayed:
            return state, "replayed"
    incomplete = _add_entries(message, entries)
    changed = bool(message.entries) or message.max_access_token_lifetime != state.max_access_token_lifetime
    state = msgspec.structs.replace(
        state,
        position=message.n,
        digest=message.digest,
        incarnation=message.inc,
        max_access_token_lifetime=message.max_access_token_lifetime,
        version=state.version + changed,
        signers=frozenset({message.kid}) if snapshot else state.signers | {message.kid},
    )
    if snapshot:
        # It may be an old one, so its time says nothing of age; and where it mends what was missing, only a message
        # with a nonce says that nothing is missing now.
        mended = state.incomplete is not None and incomplete is None
        anchor = None if mended else state.anchor
        return msgspec.structs.replace(state, incomplete=incomplete, anchor=anchor), "applied"
    state = msgspec.structs.replace(state, incomplete=incomplete or state.incomplete)
    if answers and sent is not None:
        anchored = msgspec.structs.replace(state, anchor=sent.at, anchor_time=message.time, latest_time=message.time)
        if state.signers.isdisjoint(state.withdrawn):
            anchored = msgspec.structs.replace(anchored, withdrawn=frozenset(), keys_at=keys_at)
        return anchored, "applied"
    return _grow_older(state, message.time, now=now)


def _grow_older(state: FeedState, time: int, *, now: float) -> tuple[FeedState, Outcome]:
    anchor = state.anchor
    if anchor is None:
        return state, "applied"
    state = msgspec.structs.replace(state, latest_time=time)
    age = now - anchor - (time - state.anchor_time) / 1000
    if age < -_CLOCK_STEP:
        # The issuer's clock stepped ahead: what is held back from now on would look younger than it is.
        return msgspec.structs.replace(state, anchor=None), "reopen"
    return state, "reopen" if age > LONGEST_AGE_ON_STREAM else "applied"


def _add_entries(message: FeedMessage, entries: RevokedEntries) -> str | None:
    incomplete: str | None = None
    now = message.time / 1000
    for entry in message.entries:
        if not entry.is_known:
            if not entry.is_ignorable:
                incomplete = "the feed has entries of a kind that this version does not know: update sealring-verify"
        elif not entries.add(entry_id(entry), at=entry.at, until=entry.until, epoch=entry.epoch or 0, now=now):
            incomplete = "the feed has more entries than this verifier can hold"
    return incomplete
