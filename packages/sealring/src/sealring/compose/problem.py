"""Why the house cannot be opened."""

from typing import TypeVar

from sealring.storage.store_problem import StoreProblem

_Held = TypeVar("_Held")


class ComposeProblem(Exception):  # noqa: N818 -- a sentence for the operator, who reads no traceback
    """The house cannot be opened; the message says what to do."""


def held(outcome: _Held | StoreProblem) -> _Held:
    """Return an outcome that is no problem; a StoreProblem becomes a ComposeProblem."""
    if isinstance(outcome, StoreProblem):
        raise ComposeProblem(outcome.sentence)
    return outcome
