from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.api import Api
from sealring.protocol.key_schedule import (
    KeyNotReady,
    KeyPolicy,
    KeyPurpose,
    MakeKey,
    RetireKey,
    Schedule,
    StoredKey,
    TurnKey,
    access_token_schedule,
    decide_secret,
    decide_turn,
    due_steps,
    key_of,
    published_keys,
    ready_instant,
    withdraw_key,
    withdraw_line,
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


def settled(keys: dict[str, StoredKey], now: int, line: Schedule = LINE) -> None:
    """Do what is due until nothing is, as the service does."""
    while steps := due_steps(tuple(keys.values()), wanted=[line], now=now, policy=POLICY):
        for step in steps:
            match step:
                case MakeKey(state=state):
                    made = replace(
                        ACTIVE,
                        kid=f"key-{len(keys)}",
                        purpose=line.purpose,
                        alg=line.alg,
                        public_jwk=b"{}" if line == LINE else None,
                        state=state,
                        created_at=now,
                        activated_at=now if state == "active" else None,
                    )
                    keys[made.kid] = made
                case TurnKey(activated=activated, retiring=retiring):
                    keys |= {row.kid: row for row in (activated, retiring) if row is not None}
                case RetireKey(retired=retired):
                    keys[retired.kid] = retired


@given(
    st.lists(
        st.tuples(st.sampled_from(["wait", "turn", "withdraw"]), st.integers(0, 20 * DAY) | st.integers(0, 2_000_000)),
        max_size=25,
    )
)
def test_one_key_always_signs_and_whatever_lives_can_be_verified(happenings: list[tuple[str, int]]) -> None:
    keys: dict[str, StoredKey] = {}
    signed: dict[str, int] = {}  # kid → when it last signed
    withdrawn: set[str] = set()
    now = 0
    settled(keys, now)
    for what, passes in happenings:
        now += passes
        settled(keys, now)
        before = key_of(tuple(keys.values()), LINE, "active")
        assert before is not None
        if what == "turn":
            turn = decide_turn(tuple(keys.values()), LINE, force=False, now=now, policy=POLICY)
            if isinstance(turn, TurnKey):
                assert now - turn.activated.created_at >= POLICY.key_set_life * 1000
                keys |= {row.kid: row for row in (turn.activated, turn.retiring) if row is not None}
        elif what == "withdraw":
            keys |= {row.kid: row for row in withdraw_key(before, tuple(keys.values()), now=now)}
            withdrawn.add(before.kid)
        settled(keys, now)
        (active,) = (key for key in keys.values() if key.state == "active")
        assert active.sealed
        signed[active.kid] = now
        assert sum(key.state == "pending" for key in keys.values()) == 1
        published = {key.kid for key in published_keys(tuple(keys.values()), "access_token")}
        living = {kid for kid, at in signed.items() if now < at + POLICY.access_token_lifetime * 1000}
        assert living - withdrawn <= published
        assert withdrawn.isdisjoint(published)
        assert all(not key.sealed for key in keys.values() if key.state in {"retiring", "retired"})


COOKIE_LIFETIME = 90 * 24 * 3600


@given(
    st.sampled_from(["mac", "cookie"]),
    st.lists(
        st.tuples(
            st.sampled_from(["wait", "wait", "turn", "withdraw"]), st.integers(0, 40 * DAY) | st.integers(0, 3000)
        ),
        max_size=25,
    ),
)
def test_two_keys_of_what_only_the_house_checks_are_accepted_each_as_long_as_anything_under_it_lives(
    purpose: KeyPurpose, happenings: list[tuple[str, int]]
) -> None:
    line = Schedule(purpose, "HS256")
    lifetime = {"mac": POLICY.idle_lifetime, "cookie": COOKIE_LIFETIME}[purpose]
    keys: dict[str, StoredKey] = {}
    made: dict[str, int] = {}  # kid → when something was last made under it
    gone: set[str] = set()
    by_hand, now = False, 0
    for what, passes in [("wait", 0), *happenings]:
        now += passes
        settled(keys, now, line)
        active = key_of(tuple(keys.values()), line, "active")
        assert active is not None
        if what == "turn":
            turn = decide_turn(tuple(keys.values()), line, force=False, now=now, policy=POLICY)
            if isinstance(turn, TurnKey):
                by_hand = True
                keys |= {row.kid: row for row in (turn.activated, turn.retiring) if row is not None}
        elif what == "withdraw":
            keys |= {row.kid: row for row in withdraw_key(active, tuple(keys.values()), now=now)}
            gone.add(active.kid)
        settled(keys, now, line)
        states = [key.state for key in keys.values()]
        assert (states.count("active"), states.count("pending")) == (1, 1)
        # Only who turns by hand may bring a third one about.
        assert by_hand or states.count("retiring") <= 1
        accepted = {kid for kid, key in keys.items() if key.sealed}
        assert accepted == {kid for kid, key in keys.items() if key.state != "retired"}
        living = {kid for kid, at in made.items() if now < at + lifetime * 1000}
        assert living - gone <= accepted
        assert gone.isdisjoint(accepted)
        newest = key_of(tuple(keys.values()), line, "active")
        assert newest is not None
        made[newest.kid] = now


def test_a_cookie_key_leaves_when_the_last_device_token_under_it_has_expired() -> None:
    line = Schedule("cookie", "HS256")
    active = replace(ACTIVE, purpose="cookie", alg="HS256", public_jwk=None)
    pending = replace(active, kid="two", state="pending")
    assert ready_instant(pending, POLICY) == 1000
    (turn,) = due_steps((active, pending), wanted=[line], now=30 * DAY, policy=POLICY)
    assert isinstance(turn, TurnKey)
    assert turn.retiring is not None
    assert (turn.retiring.sealed, turn.retiring.leaves_at) == (b"sealed", 120 * DAY + 1000)
    waiting = replace(pending, kid="three", created_at=30 * DAY)
    stock = (turn.retiring, turn.activated, waiting)
    assert due_steps(stock, wanted=[line], now=120 * DAY, policy=POLICY) == ()
    (step,) = due_steps(stock, wanted=[line], now=120 * DAY + 1000, policy=POLICY)
    assert isinstance(step, RetireKey)
    assert (step.retired.kid, step.retired.sealed) == ("one", b"")


SECRETS = Schedule("access_token", "HS256", "parcels")
SECRET = replace(ACTIVE, kid="hs-one", alg="HS256", api="parcels", public_jwk=None)
NEXT_SECRET = replace(SECRET, kid="hs-two", state="pending")


def test_an_api_has_a_line_of_its_own_for_hs256_alone() -> None:
    api = Api(identifier="parcels", scopes={}, created_at=0)
    assert access_token_schedule(api) == LINE
    assert access_token_schedule(replace(api, access_token_signing_alg="HS256")) == SECRETS


def test_the_clock_makes_no_secret_and_turns_to_one_that_waited_a_day() -> None:
    assert due_steps((SECRET,), wanted=[SECRETS], now=400 * DAY, policy=POLICY) == ()
    assert due_steps((), wanted=[SECRETS], now=0, policy=POLICY) == ()
    keys = (SECRET, NEXT_SECRET)
    assert ready_instant(NEXT_SECRET, POLICY) == DAY
    assert due_steps(keys, wanted=[], now=DAY - 1, policy=POLICY) == ()
    (turn,) = due_steps(keys, wanted=[], now=DAY, policy=POLICY)
    assert isinstance(turn, TurnKey)
    assert turn.activated.kid == "hs-two"
    # It also verifies, for introspection: kept as long as a token under it lives.
    assert turn.retiring is not None
    assert (turn.retiring.sealed, turn.retiring.leaves_at) == (b"sealed", DAY + (600 + 60 + 1) * 1000)
    (retired,) = due_steps((turn.activated, turn.retiring), wanted=[], now=DAY + 661_000, policy=POLICY)
    assert isinstance(retired, RetireKey)
    assert (retired.retired.kid, retired.retired.sealed) == ("hs-one", b"")


def test_the_first_secret_signs_the_next_waits_and_there_is_no_third() -> None:
    assert decide_secret((ACTIVE, PENDING), SECRETS) == "active"
    assert decide_secret((SECRET,), SECRETS) == "pending"
    assert decide_secret((SECRET, NEXT_SECRET), SECRETS) == KeyNotReady(kid="hs-two", ready_at=None)
    retiring = replace(NEXT_SECRET, state="retiring", leaves_at=7)
    assert decide_secret((SECRET, retiring), SECRETS) == KeyNotReady(kid="hs-two", ready_at=7)


def test_a_line_of_secrets_is_withdrawn_whole_and_nothing_else_with_it() -> None:
    other = replace(SECRET, kid="hs-other", api="letters")
    gone = withdraw_line((ACTIVE, PENDING, SECRET, NEXT_SECRET, other), SECRETS)
    assert [(key.kid, key.state, key.sealed) for key in gone] == [
        ("hs-one", "retired", b""),
        ("hs-two", "retired", b""),
    ]


def test_a_secret_is_in_no_key_set() -> None:
    assert published_keys((SECRET, NEXT_SECRET), "access_token") == ()


@given(
    st.lists(
        st.tuples(st.sampled_from(["wait", "rotate", "force", "withdraw"]), st.integers(0, 2 * DAY)),
        max_size=25,
    )
)
def test_two_secrets_are_good_at_most_and_each_as_long_as_a_token_under_it_lives(
    happenings: list[tuple[str, int]],
) -> None:
    keys = {SECRET.kid: SECRET}
    signed: dict[str, int] = {}  # kid → when it last signed
    now = 0
    for what, passes in happenings:
        now += passes
        for step in due_steps(tuple(keys.values()), wanted=[], now=now, policy=POLICY):
            assert not isinstance(step, MakeKey)
            rows = (step.retired,) if isinstance(step, RetireKey) else (step.activated, step.retiring)
            keys |= {row.kid: row for row in rows if row is not None}
        stock = tuple(keys.values())
        pending, active = key_of(stock, SECRETS, "pending"), key_of(stock, SECRETS, "active")
        assert active is not None
        if what == "withdraw":
            rows = withdraw_key(active, stock, now=now)
            signed.pop(active.kid, None)
            made = () if len(rows) == 2 else (replace(SECRET, kid=f"hs-{len(keys)}", created_at=now),)
            keys |= {row.kid: row for row in (*rows, *made)}
        elif what != "wait" and pending is None:
            state = decide_secret(stock, SECRETS)
            if not isinstance(state, KeyNotReady):
                made_key = replace(SECRET, kid=f"hs-{len(keys)}", state=state, created_at=now)
                keys[made_key.kid] = made_key
        elif what != "wait":
            turn = decide_turn(stock, SECRETS, force=what == "force", now=now, policy=POLICY)
            if isinstance(turn, TurnKey):
                keys |= {row.kid: row for row in (turn.activated, turn.retiring) if row is not None}
        stock = tuple(keys.values())
        signing = key_of(stock, SECRETS, "active")
        assert signing is not None
        signed[signing.kid] = now
        good = {key.kid for key in stock if key.state != "retired"}
        assert len(good) <= 2
        assert all(keys[kid].sealed for kid in good)
        assert {kid for kid, at in signed.items() if now < at + POLICY.access_token_lifetime * 1000} <= good
        assert all(not key.sealed for key in stock if key.state == "retired")


def test_a_mac_key_outlives_the_longest_opaque_token_made_under_it() -> None:
    active = replace(ACTIVE, purpose="mac", alg="HS256", mac_key_id=1, public_jwk=None)
    pending = replace(active, kid="two", state="pending", mac_key_id=2)
    policy = KeyPolicy(access_token_lifetime=5000, idle_lifetime=1000)
    turn = decide_turn((active, pending), Schedule("mac", "HS256"), force=True, now=0, policy=policy)
    assert isinstance(turn, TurnKey)
    assert turn.retiring is not None
    assert turn.retiring.sealed == b"sealed"
    assert turn.retiring.leaves_at == (5000 + 60 + 1) * 1000
