from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.instant import Instant, Seconds, ServiceInstant
from sealring.protocol.refresh_token import (
    MAXIMUM_BEHIND,
    MAXIMUM_REPEATS,
    Ahead,
    Ended,
    Expired,
    PresentedRefreshToken,
    RefreshFamily,
    RefreshOutcome,
    RefreshPolicy,
    Repeat,
    Reused,
    Rotate,
    ScopeExceeded,
    WrongBinding,
    WrongClient,
    decide_refresh,
)

NOW = Instant(1_000_000)
SERVICE_NOW = ServiceInstant(100_000)
POLICY = RefreshPolicy(grace_window=Seconds(10))
BINDING = b"b" * 32
HOUR = 3_600_000
FAMILY = RefreshFamily(
    key=b"k" * 20,
    sid="sid-1",
    sub="ada",
    client_id="shop",
    generation=7,
    mac_key_id=0,
    scope=frozenset({"orders:read", "orders:write"}),
    resource="orders",
    resources=frozenset({"orders", "invoices"}),
    created_at=Instant(0),
    idle_expires_at=Instant(NOW + 1),
    absolute_expires_at=Instant(NOW + 1),
    # One second ago, two, three, four.
    rotated=(ServiceInstant(99_000), ServiceInstant(98_000), ServiceInstant(97_000), ServiceInstant(96_000)),
    repeats=0,
    shared_generation=None,
    binding_digest=None,
    network="192.0.2.0/24",
    user_agent="Firefox",
    subject_epoch=5,
    granted_client_epoch=3,
    user_epoch=5,
    client_epoch=3,
    ended_at=None,
    ended_reason=None,
)
BOUND = replace(FAMILY, binding_digest=BINDING)
CURRENT = PresentedRefreshToken(
    key=FAMILY.key, generation=7, client_id="shop", network="192.0.2.0/24", user_agent="Firefox"
)
PREVIOUS = replace(CURRENT, generation=6)
FROM_ELSEWHERE = replace(PREVIOUS, network="203.0.113.0/24", user_agent="curl")


def decide(
    family: RefreshFamily,
    presented: PresentedRefreshToken,
    *,
    now: int = NOW,
    service_now: int = SERVICE_NOW,
    grace_window: int = 10,
) -> RefreshOutcome:
    return decide_refresh(
        family,
        presented,
        now=Instant(now),
        service_now=ServiceInstant(service_now),
        policy=replace(POLICY, grace_window=Seconds(grace_window)),
    )


def bound(presented: PresentedRefreshToken) -> PresentedRefreshToken:
    return replace(presented, binding_digest=BINDING)


# --- The order of the outcomes (SECURITY A6) ---


def test_the_current_token_rotates() -> None:
    assert decide(FAMILY, CURRENT) == Rotate()
    assert decide(BOUND, bound(CURRENT)) == Rotate()


# What is wrong: in the row, in the request, and the outcome where nothing above it is wrong.
FAULTS: dict[str, tuple[dict[str, object], dict[str, object], type[RefreshOutcome]]] = {
    "another client": ({}, {"client_id": "till"}, WrongClient),
    "another binding": ({}, {"binding_digest": BINDING}, WrongBinding),
    "ended": ({"ended_at": Instant(1)}, {}, Ended),
    "ahead": ({}, {"generation": 8}, Ahead),
    "reused": ({}, {"generation": 2}, Reused),
    "idle lifetime over": ({"idle_expires_at": NOW}, {}, Expired),
    "absolute lifetime over": ({"absolute_expires_at": NOW}, {}, Expired),
    "too much scope": ({}, {"scope": frozenset({"orders:read", "orders:delete"})}, ScopeExceeded),
    "another resource": ({}, {"resource": "stock"}, ScopeExceeded),
}


@given(faults=st.sets(st.sampled_from(list(FAULTS))))
def test_of_several_faults_the_first_in_order_is_the_outcome(faults: set[str]) -> None:
    family, presented, expected = FAMILY, CURRENT, Rotate
    # From the last to the first: a token cannot be both ahead and reused, so the first of them in order wins.
    for name in reversed(FAULTS):
        if name in faults:
            in_row, in_request, expected = FAULTS[name]
            family, presented = replace(family, **in_row), replace(presented, **in_request)
    assert type(decide(family, presented)) is expected


@given(
    expired=st.booleans(),
    behind=st.integers(1, 7),
    scope=st.none() | st.frozensets(st.text(max_size=3)),
    resource=st.none() | st.text(max_size=3),
)
def test_reuse_is_judged_before_expiry_and_scope(
    expired: bool,  # noqa: FBT001 -- Hypothesis names it
    behind: int,
    scope: frozenset[str] | None,
    resource: str | None,
) -> None:
    family = replace(FAMILY, idle_expires_at=Instant(0), absolute_expires_at=Instant(0)) if expired else FAMILY
    stolen = replace(CURRENT, generation=7 - behind, scope=scope, resource=resource)
    assert decide(family, stolen, service_now=SERVICE_NOW + HOUR) == Reused()


instants = st.integers(-(2**40), 2**63)
some_bytes = st.none() | st.sampled_from([b"a" * 32, b"b" * 32])
names = st.sampled_from(["shop", "till", ""])
places = st.sampled_from([None, "", "192.0.2.0/24", "203.0.113.0/24"])
families = st.builds(
    RefreshFamily,
    key=st.just(b"k" * 20),
    sid=st.just("sid"),
    sub=st.just("ada"),
    client_id=names,
    generation=st.integers(0, 2**32 - 1) | st.integers(0, 6),
    mac_key_id=st.integers(0, 255),
    scope=st.frozensets(st.sampled_from("abc")),
    resource=st.just("x"),
    resources=st.frozensets(st.sampled_from("xyz")),
    created_at=instants,
    idle_expires_at=instants,
    absolute_expires_at=instants,
    rotated=st.tuples(instants, instants, instants, instants),
    repeats=st.integers(0, 20),
    shared_generation=st.none() | st.integers(0, 9),
    binding_digest=some_bytes,
    network=places,
    user_agent=places,
    subject_epoch=st.integers(0, 3),
    granted_client_epoch=st.integers(0, 3),
    user_epoch=st.none() | st.integers(0, 3),
    client_epoch=st.none() | st.integers(0, 3),
    ended_at=st.none() | instants,
    ended_reason=st.none(),
)
requests = st.builds(
    PresentedRefreshToken,
    key=st.just(b"k" * 20),
    generation=st.integers(0, 2**32 - 1) | st.integers(0, 7),
    client_id=names,
    binding_digest=some_bytes,
    scope=st.none() | st.frozensets(st.sampled_from("abcd")),
    resource=st.none() | st.sampled_from("xyz0"),
    network=places,
    user_agent=places,
)


@given(family=families, presented=requests, now=instants, service_now=instants, grace_window=st.integers(0, 60))
def test_every_request_has_one_outcome_and_none_raises(
    family: RefreshFamily, presented: PresentedRefreshToken, *, now: int, service_now: int, grace_window: int
) -> None:
    outcome = decide(family, presented, now=now, service_now=service_now, grace_window=grace_window)
    assert isinstance(outcome, get_args(RefreshOutcome))
    if isinstance(outcome, Rotate | Repeat):
        assert presented.client_id == family.client_id
        assert presented.binding_digest == family.binding_digest
        assert family.ended_at is None
        assert (family.user_epoch, family.client_epoch) == (family.subject_epoch, family.granted_client_epoch)
        assert now < min(family.idle_expires_at, family.absolute_expires_at)
        assert (presented.scope or frozenset()) <= family.scope
        assert presented.resource is None or presented.resource in family.resources
        assert isinstance(outcome, Rotate) == (presented.generation == family.generation)


# --- Who stands ---


@pytest.mark.parametrize("member", ["user_epoch", "client_epoch"])
@pytest.mark.parametrize("today", [None, 0, 4, 6])
def test_a_raised_epoch_and_a_missing_or_disabled_user_or_client_end_the_session(
    member: str, today: int | None
) -> None:
    assert decide(replace(FAMILY, **{member: today}), CURRENT) == Ended()


def test_epochs_are_compared_for_equality_and_never_for_order() -> None:
    assert decide(replace(FAMILY, user_epoch=4), CURRENT) == Ended()
    assert decide(replace(FAMILY, subject_epoch=2**62, user_epoch=2**62), CURRENT) == Rotate()


@pytest.mark.parametrize("member", ["idle_expires_at", "absolute_expires_at"])
def test_a_session_is_over_at_the_very_instant_of_its_expiry(member: str) -> None:
    assert decide(replace(FAMILY, **{member: Instant(NOW)}), CURRENT) == Expired()
    assert decide(replace(FAMILY, **{member: Instant(NOW + 1)}), CURRENT) == Rotate()


# --- Scope and resource ---


@pytest.mark.parametrize("scope", [None, frozenset(), frozenset({"orders:read"}), FAMILY.scope])
def test_scope_may_be_narrowed(scope: frozenset[str] | None) -> None:
    assert decide(FAMILY, replace(CURRENT, scope=scope, resource="orders")) == Rotate()


def test_any_granted_resource_may_be_named() -> None:
    assert decide(FAMILY, replace(CURRENT, resource="invoices")) == Rotate()


@pytest.mark.parametrize("presented", [CURRENT, PREVIOUS])
def test_scope_and_resource_are_judged_afresh_each_time(presented: PresentedRefreshToken) -> None:
    assert decide(FAMILY, replace(presented, scope=frozenset({"admin"}))) == ScopeExceeded()
    assert decide(FAMILY, replace(presented, resource="stock")) == ScopeExceeded()


# --- The four promises (SECURITY A5) ---


def test_promise_a_a_holder_that_lost_the_answer_gets_the_same_successor_within_the_window() -> None:
    assert decide(FAMILY, PREVIOUS) == Repeat(elsewhere=False, shared=False)
    rotated_at = FAMILY.rotated[0]
    assert isinstance(decide(FAMILY, PREVIOUS, service_now=rotated_at + 10_000), Repeat)
    assert decide(FAMILY, PREVIOUS, service_now=rotated_at + 10_001) == Reused()


def test_promise_b_a_laptop_that_slept_over_the_answer_stays_signed_in_by_its_binding() -> None:
    assert isinstance(decide(BOUND, bound(PREVIOUS), service_now=SERVICE_NOW + 1000 * HOUR), Repeat)
    # Once the successor has been used, it is no lost answer any more.
    used = replace(BOUND, generation=8)
    assert decide(used, bound(PREVIOUS), service_now=SERVICE_NOW + 1000 * HOUR) == Reused()


@pytest.mark.parametrize("behind", [1, 2, 3, 4])
def test_promise_c_any_number_of_tabs_of_one_cookie_jar_live_on(behind: int) -> None:
    tab = bound(replace(CURRENT, generation=7 - behind))
    assert isinstance(decide(BOUND, tab), Repeat)
    rotated_at = BOUND.rotated[behind - 1]
    assert isinstance(decide(BOUND, tab, service_now=rotated_at + 10_000), Repeat)
    late = decide(BOUND, tab, service_now=rotated_at + 10_001)
    assert isinstance(late, Repeat if behind == 1 else Reused)


def test_promise_c_ends_at_the_fifth_generation() -> None:
    assert MAXIMUM_BEHIND == 4
    quick = replace(BOUND, rotated=(SERVICE_NOW,) * 4)
    assert decide(quick, bound(replace(CURRENT, generation=2))) == Reused()


def test_promise_d_of_two_holders_of_one_bearer_token_the_second_is_theft_after_the_window() -> None:
    five_minutes = SERVICE_NOW + 300_000
    assert decide(FAMILY, PREVIOUS, service_now=five_minutes) == Reused()
    assert decide(FAMILY, FROM_ELSEWHERE, service_now=five_minutes) == Reused()


# --- The conditions of a repeat ---


def test_the_window_is_counted_on_the_service_clock_and_not_on_the_wall_clock() -> None:
    family = replace(FAMILY, idle_expires_at=Instant(NOW + 10 * HOUR), absolute_expires_at=Instant(NOW + 10 * HOUR))
    # The server was down for an hour, or the wall clock was set forward: no second of service has passed.
    assert isinstance(decide(family, PREVIOUS, now=NOW + HOUR), Repeat)
    assert decide(family, PREVIOUS, now=NOW, service_now=SERVICE_NOW + HOUR) == Reused()


def test_a_service_clock_that_reads_before_the_rotation_counts_as_no_time() -> None:
    assert isinstance(decide(FAMILY, PREVIOUS, service_now=0), Repeat)


def test_a_window_of_nothing_allows_no_repeat_even_at_the_same_instant() -> None:
    assert decide(FAMILY, PREVIOUS, service_now=FAMILY.rotated[0], grace_window=0) == Reused()
    tab = bound(replace(CURRENT, generation=5))
    assert decide(BOUND, tab, service_now=BOUND.rotated[1], grace_window=0) == Reused()


@pytest.mark.parametrize("presented_binding", [None, b"x" * 32])
def test_a_repeat_needs_the_same_binding(presented_binding: bytes | None) -> None:
    assert decide(BOUND, replace(PREVIOUS, binding_digest=presented_binding)) == WrongBinding()
    assert decide(FAMILY, replace(PREVIOUS, binding_digest=BINDING)) == WrongBinding()


def test_a_repeat_needs_the_same_client() -> None:
    assert decide(FAMILY, replace(PREVIOUS, client_id="till")) == WrongClient()


def test_ten_repeats_of_a_generation_and_no_more() -> None:
    assert MAXIMUM_REPEATS == 10
    assert isinstance(decide(replace(FAMILY, repeats=9), PREVIOUS), Repeat)
    assert decide(replace(FAMILY, repeats=10), PREVIOUS) == Reused()


@pytest.mark.parametrize("behind", [2, 3, 4])
def test_without_a_binding_only_the_token_just_rotated_is_a_repeat(behind: int) -> None:
    quick = replace(FAMILY, rotated=(SERVICE_NOW,) * 4)
    assert decide(quick, replace(CURRENT, generation=7 - behind)) == Reused()


def test_another_network_and_another_user_agent_are_reuse_but_either_alone_is_not() -> None:
    assert decide(FAMILY, FROM_ELSEWHERE) == Reused()
    assert decide(FAMILY, replace(PREVIOUS, user_agent="curl")) == Repeat(elsewhere=False, shared=False)
    assert decide(FAMILY, replace(PREVIOUS, network="203.0.113.0/24")) == Repeat(elsewhere=True, shared=False)


def test_a_binding_moves_between_networks() -> None:
    assert decide(BOUND, bound(FROM_ELSEWHERE)) == Repeat(elsewhere=True, shared=False)


@pytest.mark.parametrize(("shared_generation", "shared"), [(None, False), (7, False), (6, True), (2, True)])
def test_repeats_from_elsewhere_in_two_generations_are_shared(
    shared_generation: int | None,
    shared: bool,  # noqa: FBT001 -- pytest names it
) -> None:
    family = replace(FAMILY, shared_generation=shared_generation)
    moved = replace(PREVIOUS, network="203.0.113.0/24")
    assert decide(family, moved) == Repeat(elsewhere=True, shared=shared)
    assert decide(family, PREVIOUS) == Repeat(elsewhere=False, shared=False)


@given(behind=st.integers(1, 10), elapsed=st.integers(-10_000, 70_000), grace_window=st.integers(0, 60))
def test_a_bearer_token_is_repeated_exactly_within_its_window(behind: int, elapsed: int, grace_window: int) -> None:
    family = replace(FAMILY, generation=20, rotated=(SERVICE_NOW,) * 4)
    presented = replace(PREVIOUS, generation=20 - behind)
    outcome = decide(family, presented, service_now=SERVICE_NOW + elapsed, grace_window=grace_window)
    within = behind == 1 and grace_window > 0 and elapsed <= grace_window * 1000
    assert isinstance(outcome, Repeat if within else Reused)
