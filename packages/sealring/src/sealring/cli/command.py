"""What a command is, what it answers, and how it fails."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Coroutine
from typing import Any, Final, NamedTuple

DONE: Final = 0
REFUSED: Final = 1
MISUSED: Final = 2
UNREACHABLE: Final = 3


class Answer(NamedTuple):
    """What a command found out: `value` for `--json`, `text` for people (already fit for a terminal)."""

    value: object
    text: str
    exit_status: int = DONE


class Command(NamedTuple):
    """One command. `describe` adds its arguments; `run` answers, or prints by itself and answers None.

    `serves`: it runs for long, on uvloop.
    """

    name: str
    summary: str
    describe: Callable[[ArgumentParser], None]
    run: Callable[[Namespace], Coroutine[Any, Any, Answer | None]]
    serves: bool = False


class Noun(NamedTuple):
    """The commands of one noun, as in `sealring users add`. `default`: what runs where none is named."""

    name: str
    summary: str
    commands: tuple[Command, ...]
    default: Command | None = None


class CommandProblem(Exception):  # noqa: N818 -- a sentence for the operator, who reads no traceback
    """A command ends here; the message says why and what to do. `code`: stable, for `--json`."""

    exit_status = MISUSED
    code = "misused"


class Unreachable(CommandProblem):
    """The server or its store cannot be reached now."""

    exit_status = UNREACHABLE
    code = "unreachable"


class ActRefused(CommandProblem):
    """The server refused the act."""

    exit_status = REFUSED

    def __init__(self, sentence: str, *, code: str) -> None:
        super().__init__(sentence)
        self.code = code


def no_arguments(_parser: ArgumentParser) -> None:
    """Describe a command that takes no arguments of its own."""
