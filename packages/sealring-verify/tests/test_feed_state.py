import msgspec

from sealring_verify.feed_state import FeedState, Outcome, Sent, take_keys, take_message
from sealring_verify.jose import base64url
from sealring_verify.revocation_feed import FeedEntry, FeedMessage, revocation_id
from sealring_verify.revoked_entries import RevokedEntries

SID = FeedEntry(1, "sid", base64url.encode(revocation_id("sid", "s1")).decode(), 1, None)
SENT = Sent("nonce-nonce-nonce", 100.0)


def _message(after: int | None, n: int, time: int, *, nonce: str | None = None, **changes: object) -> FeedMessage:
    message = FeedMessage(
        iss="i",
        aud="a",
        inc="0" * 32,
        n=n,
        digest=f"d{n}",
        time=time,
        max_access_token_lifetime=600,
        entries=(),
        after=after,
        previous=None if after is None else f"d{after}",
        nonce=nonce,
    )
    return msgspec.structs.replace(message, **changes)


def _take(
    state: FeedState, message: FeedMessage, *, now: float = 100.0, entries: RevokedEntries | None = None
) -> tuple[FeedState, Outcome]:
    entries = RevokedEntries() if entries is None else entries
    return take_message(state, message, entries=entries, sent=SENT, keys_at=now, now=now)


def _anchored() -> FeedState:
    state, _ = _take(FeedState(), _message(None, 5, 1000))
    state, outcome = _take(state, _message(5, 5, 2000, nonce=SENT.nonce), now=100.2)
    assert outcome == "applied"
    return state


def test_a_snapshot_alone_is_no_knowledge() -> None:
    state, outcome = _take(FeedState(), _message(None, 5, 1000))
    assert (outcome, state.position, state.age(100.0)) == ("applied", 5, None)
    assert state.is_stale(max_staleness=30, now=100.0)
    state, _ = _take(state, _message(5, 5, 2000, nonce="another-nonce-xx"))
    assert state.age(100.0) is None


def test_age_counts_from_the_request_and_grows_while_messages_are_held_back() -> None:
    state = _anchored()
    assert state.age(100.5) == 0.5
    state, outcome = _take(state, _message(5, 5, 4000), now=102.3)
    assert (outcome, round(state.age(102.3) or 0, 3)) == ("applied", 0.3)
    state, outcome = _take(state, _message(5, 5, 5000), now=120.0)
    assert (outcome, state.age(120.0)) == ("reopen", 17.0)
    state, _ = take_keys(state, [""], asked_at=119.0)
    assert state.is_stale(max_staleness=16, now=120.0)
    assert not state.is_stale(max_staleness=17, now=120.0)


def test_a_message_whose_time_does_not_advance_is_refused() -> None:
    state = _anchored()
    for time in (1999, 2000):
        assert _take(state, _message(5, 5, time), now=101.0) == (state, "replayed")
    # Two messages of one millisecond are none of them a replay, where the position moves on.
    assert _take(state, _message(5, 6, 2000), now=101.0)[1] == "applied"


def test_an_issuer_whose_clock_steps_ahead_gains_no_youth() -> None:
    state, outcome = _take(_anchored(), _message(5, 5, 3_602_000), now=101.0)
    assert (outcome, state.age(101.0)) == ("reopen", None)


def test_an_issuer_whose_clock_stepped_back_is_believed_by_nonce() -> None:
    state, outcome = _take(_anchored(), _message(5, 5, 500, nonce=SENT.nonce), now=101.0)
    assert (outcome, state.age(101.0)) == ("applied", 1.0)


def test_another_position_digest_or_incarnation_is_a_gap_and_changes_nothing() -> None:
    state, entries = _anchored(), RevokedEntries()
    for message in (
        _message(6, 7, 3000, entries=(SID,)),
        _message(5, 6, 3000, previous="other", entries=(SID,)),
        _message(5, 6, 3000, inc="1" * 32, entries=(SID,)),
        _message(5, 6, 3000, inc="1" * 32, entries=(SID,), nonce=SENT.nonce),
    ):
        assert _take(state, message, entries=entries) == (state, "gap")
    assert len(entries) == 0


def test_a_snapshot_adds_and_forgets_nothing_and_leaves_the_age() -> None:
    entries = RevokedEntries()
    state, _ = _take(_anchored(), _message(5, 6, 3000, entries=(SID,)), entries=entries, now=101)
    state, outcome = _take(state, _message(None, 2, 99, inc="1" * 32), entries=entries, now=101)
    assert (outcome, state.position, state.incarnation, len(entries)) == ("applied", 2, "1" * 32, 1)
    assert state.latest_time == 3000


def test_the_version_moves_only_with_what_could_change_a_judgement() -> None:
    state = _anchored()
    assert _take(state, _message(5, 5, 3000), now=101)[0].version == state.version
    assert _take(state, _message(5, 6, 3000, entries=(SID,)), now=101)[0].version > state.version
    assert _take(state, _message(5, 5, 3000, max_access_token_lifetime=9), now=101)[0].version > state.version


def test_an_unknown_kind_is_stale_at_once_until_a_snapshot_without_it_and_a_nonce() -> None:
    odd = FeedEntry(6, "device", "x", 1, None)
    ignorable = FeedEntry(6, "device", "x", 1, None, None, "ignorable")
    state, _ = _take(_anchored(), _message(5, 6, 3000, entries=(ignorable,)), now=101)
    assert not state.is_stale(max_staleness=30, now=101)
    state, _ = _take(state, _message(6, 7, 4000, entries=(odd,)), now=102)
    assert state.is_stale(max_staleness=30, now=102)
    state, _ = _take(state, _message(7, 7, 5000), now=103)
    assert state.is_stale(max_staleness=30, now=103)
    state, _ = _take(state, _message(None, 7, 6000), now=104)
    assert state.is_stale(max_staleness=30, now=104)
    state, _ = _take(state, _message(7, 7, 6000, nonce=SENT.nonce), now=104)
    assert not state.is_stale(max_staleness=30, now=104)


def test_an_overflow_is_stale_at_once() -> None:
    state, _ = _take(_anchored(), _message(5, 6, 3000, entries=(SID,)), entries=RevokedEntries(bound=0), now=101)
    assert state.is_stale(max_staleness=30, now=101)
    assert "more entries" in str(state.incomplete)


def test_knowledge_is_no_fresher_than_the_key_set_behind_it() -> None:
    state = _anchored()
    state, _ = _take(state, _message(5, 5, 42_000), now=140.2)
    assert state.is_stale(max_staleness=30, now=140.2)
    state, holds = take_keys(state, ["", "another"], asked_at=139.0)
    assert holds
    assert not state.is_stale(max_staleness=30, now=140.2)


def test_after_a_signers_withdrawal_only_a_snapshot_and_a_nonce_under_other_keys_make_fresh() -> None:
    state, _ = _take(FeedState(), _message(None, 5, 1000, kid="old"))
    state, _ = _take(state, _message(5, 5, 2000, nonce=SENT.nonce, kid="old"), now=100.2)
    state, _ = _take(state, _message(5, 5, 3000, kid="new"), now=101.2)
    state, holds = take_keys(state, ["new"], asked_at=110.0)
    assert (holds, state.keys_at) == (False, 100.2)
    # Messages under the key that is left go on from what the withdrawn one signed, with whatever that left out.
    state, _ = _take(state, _message(5, 5, 12_000, nonce=SENT.nonce, kid="new"), now=110.0)
    assert state.keys_at == 100.2
    state, _ = _take(state, _message(None, 5, 12_500, kid="new"), now=110.5)
    state, holds = take_keys(state, ["new"], asked_at=112.0)
    assert (holds, state.keys_at) == (True, 100.2)
    state, _ = _take(state, _message(5, 5, 15_000, nonce=SENT.nonce, kid="new"), now=113.0)
    assert (state.keys_at, state.withdrawn) == (113.0, frozenset())


def test_a_key_that_left_unused_asks_for_nothing() -> None:
    state, holds = take_keys(_anchored(), [""], asked_at=120.0)
    assert (holds, state.keys_at) == (True, 120.0)
