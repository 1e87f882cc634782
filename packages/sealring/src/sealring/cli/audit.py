"""`sealring audit`: what happened, and whether the record of it is whole."""

import asyncio
import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final

from sealring.cli.command import DONE, REFUSED, Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import counted, json_line, moment, shown

_POLL_SECONDS: Final = 1.0
_PAGE: Final = 500
_COLUMNS: Final = ("code", "sub", "client_id", "sid", "api", "network", "country", "error_id")


def _describe_tail(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, metavar="N", help="the last so many (default: 20)")
    parser.add_argument("--follow", action="store_true", help="go on as events happen; with --json one a line")


async def _tail(options: Namespace) -> Answer | None:
    async with open_control(options.config) as control:
        page = await control.perform("audit.tail", {"limit": options.limit})
        if not options.follow:
            return Answer(page, "\n".join(map(_line, page["events"])) or "none")
        while True:
            for event in page["events"]:
                print(json_line(event) if options.json else _line(event), flush=True)
            if len(page["events"]) < _PAGE:
                await asyncio.sleep(_POLL_SECONDS)
            page = await control.perform("audit.tail", {"after": page["last"], "limit": _PAGE})


def _describe_verify(parser: ArgumentParser) -> None:
    parser.add_argument("--anchor", metavar="FILE", help="what `sealring audit anchor` printed, kept elsewhere")


async def _verify(options: Namespace) -> Answer:
    anchor = None if options.anchor is None else _read_anchor(Path(options.anchor))
    async with open_control(options.config) as control:
        verdict = await control.perform("audit.verify", {"anchor": anchor})
    checked = f"{counted(verdict['events'], 'event')} of {counted(verdict['writers'], 'writer')}"
    said = [f"whole: {checked}" if verdict["holds"] else f"NOT whole: {checked}"]
    said += [
        f"  {shown(problem['writer'])} {problem['sequence']}: {shown(problem['sentence'])}"
        for problem in verdict["problems"]
    ]
    if not verdict["anchored"]:
        said.append(
            "Whether newer events were cut off cannot be said without an anchor: keep what `sealring audit anchor` "
            "prints on another machine, and check with --anchor FILE."
        )
    return Answer(verdict, "\n".join(said), DONE if verdict["holds"] else REFUSED)


async def _anchor(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        anchor = await control.perform("audit.anchor")
    return Answer(anchor, json_line(anchor))


def _read_anchor(path: Path) -> Any:  # noqa: ANN401 -- JSON, judged where the audit is
    try:
        return json.loads(path.read_text())
    except OSError as problem:
        raise CommandProblem(f"The anchor {path} cannot be read ({problem.strerror}).") from problem
    except (ValueError, RecursionError) as problem:
        raise CommandProblem(f"The file {path} is no anchor: it is not JSON.") from problem


def _line(positioned: dict[str, Any]) -> str:
    event = positioned["recorded"]["event"]
    members = [(name, event[name]) for name in _COLUMNS if event[name] is not None]
    members += [*sorted(event["details"].items()), *sorted(event["personal"].items())]
    told = " ".join(f"{shown(name)}={shown(value)}" for name, value in members)
    outcome = "" if event["outcome"] == "done" else f" {shown(event['outcome'])}"
    return f"{moment(event['at'])}  {shown(event['event'])}{outcome}  {shown(event['actor'])}  {told}".rstrip()


COMMANDS = {
    "audit": Noun(
        name="audit",
        summary="The audit: what happened, and whether the record of it is whole.",
        commands=(
            Command("tail", "print the last events", _describe_tail, _tail),
            Command("verify", "check that no event was altered or removed", _describe_verify, _verify),
            Command("anchor", "print how far the audit has come, to keep elsewhere", no_arguments, _anchor),
        ),
    )
}
