from msgspec.structs import replace

from sealring.protocol.key_schedule import (
    KeyNotReady,
    KeyPolicy,
    MakeKey,
    Schedule,
    StoredKey,
    TurnKey,
    decide_turn,
    due_steps,
    withdraw_key,
)

LINE = Schedule("access_token", "ES256")
POLICY = KeyPolicy(access_token_lifetime=600, idle_lifetime=1000)
ACTIVE = StoredKey(
    kid="one",
    purpose="access_token",
    alg="ES256",
    state="active",
    mac_key_id=None,
    sealed=b"sealed",
    public_jwk=b"{}",
    created_at=0,
)
PENDING = replace(ACTIVE, kid="two", state="pending")
DAY = 24 * 3600 * 1000


def test_an_empty_line_gets_an_active_key_and_then_a_waiting_one() -> None:
    assert due_steps((), wanted=[LINE], now=0, policy=POLICY) == (MakeKey(schedule=LINE, state="active"),)
    assert due_steps((ACTIVE,), wanted=[LINE], now=0, policy=POLICY) == (MakeKey(schedule=LINE, state="pending"),)


def test_the_active_key_turns_after_its_days_and_its_secret_is_erased_at_once() -> None:
    keys = (ACTIVE, PENDING)
    assert due_steps(keys, wanted=[LINE], now=30 * DAY - 1, policy=POLICY) == ()
    (turn,) = due_steps(keys, wanted=[LINE], now=30 * DAY, policy=POLICY)
    assert isinstance(turn, TurnKey)
    assert turn.activated.state == "active"
    assert turn.retiring is not None
    assert (turn.retiring.sealed, turn.retiring.leaves_at) == (b"", 30 * DAY + (600 + 60 + 1) * 1000)


def test_a_key_published_too_short_a_time_is_used_by_force_alone() -> None:
    keys = (ACTIVE, PENDING)
    early = decide_turn(keys, LINE, force=False, now=300_999, policy=POLICY)
    assert early == KeyNotReady(kid="two", ready_at=301_000)
    assert isinstance(decide_turn(keys, LINE, force=False, now=301_000, policy=POLICY), TurnKey)
    assert isinstance(decide_turn(keys, LINE, force=True, now=0, policy=POLICY), TurnKey)


def test_a_withdrawn_active_key_is_replaced_by_the_waiting_one() -> None:
    gone, successor = withdraw_key(ACTIVE, (ACTIVE, PENDING), now=7)
    assert (gone.state, gone.sealed) == ("retired", b"")
    assert (successor.kid, successor.state, successor.activated_at) == ("two", "active", 7)
