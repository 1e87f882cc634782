import pytest

from sealring_verify.client_credentials import GrantedToken
from sealring_verify.errors import TokenUnavailable
from sealring_verify.token_state import TokenState

DOWN = TokenUnavailable("issuer_unreachable")


def held(life: int, *, at: float = 1000.0) -> TokenState:
    return TokenState().fetched(GrantedToken(access_token="t", expires_in=life), asked_at=at)


@pytest.mark.parametrize(
    ("life", "renewed_after", "used_for"),
    [(10, 8.0, 9.5), (60, 48.0, 57.0), (600, 540.0, 595.0), (3600, 3540.0, 3595.0)],
)
def test_a_token_is_renewed_ahead_and_used_nearly_to_its_end(life: int, renewed_after: float, used_for: float) -> None:
    state = held(life)
    assert not state.fetch_is_due(now=1000 + renewed_after - 0.01)
    assert state.fetch_is_due(now=1000 + renewed_after)
    assert state.usable(now=1000 + used_for - 0.01) is not None
    assert state.usable(now=1000 + used_for) is None


def test_without_a_token_one_is_due_at_once() -> None:
    assert TokenState().fetch_is_due(now=-5.0)
    assert TokenState().usable(now=-5.0) is None


def test_after_failures_the_pauses_double_up_to_half_a_minute() -> None:
    state, now, pauses = held(600), 2000.0, []
    for _ in range(8):
        state = state.failed(DOWN, now=now)
        assert state.not_before is not None
        pauses.append(state.not_before - now)
        assert not state.fetch_is_due(now=state.not_before - 0.01)
        assert state.fetch_is_due(now=state.not_before)
        now = state.not_before
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]


def test_a_failed_renewal_leaves_the_token_at_hand_and_a_good_one_forgets_the_failures() -> None:
    state = held(600).failed(DOWN, now=1541)
    assert state.usable(now=1541) is not None
    renewed = state.fetched(GrantedToken(access_token="u", expires_in=600), asked_at=1543)
    assert (renewed.failures, renewed.refusal, renewed.not_before) == (0, None, None)


def test_only_the_refused_token_is_dropped_and_not_one_after_the_other() -> None:
    state = held(600)
    assert state.dropped("another", now=1001) is state
    dropped = state.dropped("t", now=1001)
    assert dropped.usable(now=1001) is None
    again = dropped.fetched(GrantedToken(access_token="u", expires_in=600), asked_at=1001)
    assert again.dropped("u", now=1005.9) is again
    assert again.dropped("u", now=1006).usable(now=1006) is None


def test_no_repr_shows_a_token() -> None:
    state = TokenState().fetched(GrantedToken(access_token="geheim", expires_in=600), asked_at=0.0)
    assert "geheim" not in repr(state)
