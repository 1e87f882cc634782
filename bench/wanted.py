"""What the measurements are held against, and where the time goes where one is missed."""

import msgspec
from trunk import Row


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A bound of a row's ratio, and what is known of the time behind it: what it goes into, and what would move it."""

    name: str
    against: str = ""
    at_least: float | None = None
    at_most: float | None = None
    time: str


def tell_missed(rows: list[Row], wanted: list[Wanted]) -> None:
    """Print each bound that was missed, with what is known of the time behind it."""
    for bound in wanted:
        for entry in rows:
            if entry.name != bound.name or not entry.against.startswith(bound.against):
                continue
            missed = f"MISSED {entry.name}: {entry.ratio:.3g} of {entry.against}, wanted"
            if bound.at_least is not None and entry.ratio < bound.at_least:
                print(f"{missed} {bound.at_least}. {bound.time}")
            if bound.at_most is not None and entry.ratio > bound.at_most:
                print(f"{missed} at most {bound.at_most}. {bound.time}")
