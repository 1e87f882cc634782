"""Dates in words, pure."""

from datetime import UTC, datetime
from typing import Final

_STEPS: Final = ((365 * 86400, "y", 86400, "d"), (86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))
_LAST: Final = 253_402_300_799  # the end of the year 9999


def moment(instant: int) -> str:
    """Write seconds since 1970 as a date and a time, UTC."""
    if instant < 0:
        return "before 1970"
    if instant > _LAST:
        return "beyond the year 9999"
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def distance(instant: float, *, now: float) -> str:
    """Write how far a moment is away: `in 9 min 41 s`, `3 h 5 min ago`, `now`."""
    seconds = round(instant - now)
    if seconds == 0:
        return "now"
    return f"in {duration(seconds)}" if seconds > 0 else f"{duration(-seconds)} ago"


def duration(seconds: int) -> str:
    """Write a length of time in its two largest units: `9 min 41 s`, `12 d 4 h`."""
    for large, large_name, small, small_name in _STEPS:
        if seconds >= large:
            whole, rest = seconds // large, seconds % large // small
            return f"{whole} {large_name} {rest} {small_name}" if rest else f"{whole} {large_name}"
    return f"{seconds} s"


def date_in_words(value: object, *, now: float) -> str | None:
    """Write a claim that is a date: when, and how far away. None for what is no number."""
    if type(value) is not int and type(value) is not float:
        return None
    seconds = int(value)
    if seconds > _LAST:
        # Nobody means the year 50000: read as milliseconds it is most likely what was meant.
        return f"as milliseconds: {moment(seconds // 1000)}"
    return f"{moment(seconds)}, {distance(seconds, now=now)}"
