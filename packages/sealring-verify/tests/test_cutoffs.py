import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.claims import AccessToken
from sealring_verify.cutoffs import Cutoffs
from sealring_verify.errors import InvalidToken


def issued(at: int, sub: str = "u1") -> AccessToken:
    return AccessToken(
        iss="i", sub=sub, aud=("a",), exp=at + 600, iat=at, jti="j", client_id="c", scope=frozenset()
    )  # fmt: skip


def passes(cutoffs: Cutoffs, at: int, sub: str = "u1") -> bool:
    try:
        cutoffs.check(issued(at, sub))
    except InvalidToken as refusal:
        assert (refusal.code, refusal.claim) == ("issued_before_cutoff", "iat")  # noqa: PT017 - the refusal is the answer
        return False
    return True


@pytest.mark.parametrize("instant", [1000, 1000.0, 1000.001, 1000.999])
def test_a_token_of_the_moments_own_second_is_refused(instant: float) -> None:
    cutoffs = Cutoffs()
    assert passes(cutoffs, 0)
    cutoffs.refuse_before(instant, sub="u1")
    assert not passes(cutoffs, 999)
    assert not passes(cutoffs, 1000)
    assert passes(cutoffs, 1001)
    assert passes(cutoffs, 999, "u2")


def test_all_subjects_at_once() -> None:
    cutoffs = Cutoffs()
    cutoffs.refuse_before(1000, sub=None)
    assert not passes(cutoffs, 1000, "anybody")
    assert passes(cutoffs, 1001, "anybody")


def test_a_moment_only_moves_forward() -> None:
    cutoffs = Cutoffs()
    for instant in (1000, 500):
        cutoffs.refuse_before(instant, sub="u1")
        cutoffs.refuse_before(instant - 100, sub=None)
    assert not passes(cutoffs, 1000)
    assert not passes(cutoffs, 900, "u2")
    assert len(cutoffs) == 1


@given(st.floats(0, 2_000), st.floats(0, 2_000))
def test_whatever_was_issued_before_the_moment_is_refused(issued_at: float, instant: float) -> None:
    cutoffs = Cutoffs()
    cutoffs.refuse_before(instant, sub="u1")
    # An issuer floors what it writes.
    assert passes(cutoffs, int(issued_at)) <= (issued_at >= instant)


def test_the_bound_forgets_into_the_moment_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealring_verify.cutoffs._MAX_SUBJECTS", 10)
    cutoffs = Cutoffs()
    for number in range(11):
        cutoffs.refuse_before(1000 + number, sub=f"u{number}")
    assert len(cutoffs) == 6
    for number in range(11):
        assert not passes(cutoffs, 1000 + number, f"u{number}")
    assert not passes(cutoffs, 1004, "a stranger")
    assert passes(cutoffs, 1005, "a stranger")


@pytest.mark.parametrize("instant", [-1, float("nan"), float("inf"), 1_790_000_000_000])
def test_what_is_no_instant_is_refused(instant: float) -> None:
    with pytest.raises(ValueError, match="seconds since 1970"):
        Cutoffs().refuse_before(instant, sub="u1")


def test_an_empty_subject_is_refused() -> None:
    with pytest.raises(ValueError, match="sub"):
        Cutoffs().refuse_before(1000, sub="")


def test_threads_lose_no_moment() -> None:
    cutoffs = Cutoffs()
    threads = [
        threading.Thread(target=lambda part=part: [cutoffs.refuse_before(n, sub="u1") for n in range(part, 4000, 4)])
        for part in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not passes(cutoffs, 3999)
