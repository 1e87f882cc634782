"""Plain, aligned text for people, JSON for programs; no stranger's text reaches the terminal raw (SECURITY F4)."""

import json
import sys
import time
from collections.abc import Iterable, Sequence

from sealring.cli.command import Answer, CommandProblem
from sealring.telemetry.sinks import encode_for_terminal


def print_answer(answer: Answer, *, as_json: bool) -> None:
    """Print what a command found out."""
    print(json_line(answer.value) if as_json else answer.text, flush=True)


def print_problem(problem: CommandProblem, *, as_json: bool) -> None:
    """Print on standard error why a command failed."""
    text = str(problem)
    print(
        json_line({"code": problem.code, "error_description": text}) if as_json else f"sealring: {shown(text)}",
        file=sys.stderr,
        flush=True,
    )


def json_line(value: object) -> str:
    """Write JSON of one line in ASCII, so that it is as fit for a terminal as for a program."""
    return json.dumps(value, ensure_ascii=True)


def shown(value: object) -> str:
    """Write a value as a person reads it."""
    match value:
        case None | [] | "":
            return "-"
        case dict() if not value:  # the pattern {} would match every mapping
            return "-"
        case bool():
            return "yes" if value else "no"
        case list():
            return encode_for_terminal(" ".join(map(str, sorted(value, key=str))))
        case dict():
            return encode_for_terminal(json.dumps(value, ensure_ascii=False))
        case _:
            return encode_for_terminal(str(value))


def moment(instant: int | None) -> str:
    """Write an instant (milliseconds) in UTC."""
    return "-" if instant is None else time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(instant / 1000))


def card(members: Iterable[tuple[str, object]]) -> str:
    """Write names and values, one pair a line."""
    pairs = [(name, shown(value)) for name, value in members]
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in pairs)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write rows under their head in aligned columns, or say that there is none."""
    cells = [[shown(value) for value in row] for row in rows]
    if not cells:
        return "none"
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    lines = [[name.upper() for name in head], *cells]
    return "\n".join("  ".join(f"{cell:<{w}}" for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 session`, `2 sessions`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
