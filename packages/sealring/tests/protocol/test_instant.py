from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.instant import Instant, later, numeric_date


def test_instants_are_milliseconds_and_durations_seconds() -> None:
    assert later(Instant(1_000), 10) == 11_000
    assert later(Instant(1_000), -1) == 0


@given(instant=st.integers(0, 2**50))
def test_a_numeric_date_never_lies_in_the_future(instant: int) -> None:
    date = numeric_date(Instant(instant))
    assert date * 1000 <= instant < (date + 1) * 1000
