import pytest

from sealring_verify.inspect.dates import date_in_words, distance, duration, moment

NOW = 1_800_000_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (581, "9 min 41 s"), (3600, "1 h"), (11_100, "3 h 5 min"),
     (86_400, "1 d"), (12 * 86_400 + 4 * 3600 + 59, "12 d 4 h"), (400 * 86_400, "1 y 35 d")],
)  # fmt: skip
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds: int, words: str) -> None:
    assert duration(seconds) == words


def test_a_moment_is_told_with_its_distance() -> None:
    assert moment(NOW) == "2027-01-15 08:00:00 UTC"
    assert [distance(NOW + step, now=NOW) for step in (0, 38, -90)] == ["now", "in 38 s", "1 min 30 s ago"]
    assert date_in_words(NOW + 38, now=NOW) == "2027-01-15 08:00:38 UTC, in 38 s"
    assert date_in_words(NOW + 0.9, now=NOW) == "2027-01-15 08:00:00 UTC, now"


def test_milliseconds_are_read_as_what_was_meant() -> None:
    assert date_in_words(NOW * 1000, now=NOW) == "as milliseconds: 2027-01-15 08:00:00 UTC"


def test_no_number_is_too_odd() -> None:
    assert date_in_words(-5, now=NOW) == "before 1970, 57 y 28 d ago"
    assert date_in_words(10**400, now=NOW) == "as milliseconds: beyond the year 9999"
    assert [date_in_words(value, now=NOW) for value in (None, "soon", True, [NOW])] == [None] * 4
