from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.instant import Instant
from sealring.protocol.user import Subject, User, next_epoch, subject_of

ADA = User(
    sub="u-1",
    username="Ada",
    email="ada@example.com",
    roles=("clerk",),
    claims={"department": "sales"},
    administrator=True,
    epoch=5,
    created_at=1,
)


def test_tokens_learn_neither_names_nor_administrators() -> None:
    assert subject_of(ADA) == Subject(sub="u-1", roles=("clerk",), claims={"department": "sales"}, epoch=5)


def test_an_epoch_is_raised_by_one_or_to_the_time_in_seconds() -> None:
    assert next_epoch(5, now=Instant(4_999)) == 6
    assert next_epoch(5, now=Instant(1_700_000_000_999)) == 1_700_000_000


@given(epoch=st.integers(0, 2**40), now=st.integers(0, 2**50))
def test_every_step_raises_the_epoch_whatever_the_clock_says(epoch: int, now: int) -> None:
    raised = next_epoch(epoch, now=Instant(now))
    assert raised > epoch
    assert raised >= now // 1000
    assert next_epoch(raised, now=Instant(0)) == raised + 1
