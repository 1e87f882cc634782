"""`sealring audit`: what happened, and whether the record of it is whole."""

import asyncio
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from sealring.cli.command import DONE, REFUSED, Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import counted, json_line, moment, shown
from sealring.protocol.audit_anchor import AuditAnchor, parse_anchors

_POLL_SECONDS: Final = 1.0
_PAGE: Final = 500
_PART_OCTETS: Final = 2 * 1024 * 1024
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
    parser.add_argument(
        "--anchor", metavar="FILE", help="what `sealring audit anchor` printed, or the standard output of the server"
    )


async def _verify(options: Namespace) -> Answer:
    anchors = () if options.anchor is None else _read_anchors(Path(options.anchor))
    async with open_control(options.config) as control:
        verdicts = [await control.perform("audit.verify", {"anchors": part}) for part in _parts(anchors)]
    verdict = verdicts[0] | {
        "holds": all(each["holds"] for each in verdicts),
        "problems": _without_repeats(each["problems"] for each in verdicts),
        "remarks": _without_repeats(each["remarks"] for each in verdicts),
    }
    checked = f"{counted(verdict['events'], 'event')} of {counted(verdict['writers'], 'writer')}"
    if verdict["removed"]:
        checked += f", {verdict['removed']} more removed by retention"
    said = [f"whole: {checked}" if verdict["holds"] else f"NOT whole: {checked}"]
    said += [
        f"  {shown(problem['writer'])} {problem['sequence']}: {shown(problem['sentence'])}"
        for problem in (*verdict["problems"], *verdict["remarks"])
    ]
    if not verdict["anchored"]:
        said.append(
            "Whether newer events were cut off cannot be said without an anchor: keep the server's standard output (or "
            "what `sealring audit anchor` prints) on another machine, and check with --anchor FILE."
        )
    return Answer(verdict, "\n".join(said), DONE if verdict["holds"] else REFUSED)


async def _anchor(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        anchor = await control.perform("audit.anchor")
    return Answer(anchor, json_line(anchor))


def _read_anchors(path: Path) -> tuple[AuditAnchor, ...]:
    try:
        anchors = parse_anchors(path.read_text(errors="replace"))
    except OSError as problem:
        raise CommandProblem(f"The anchor {path} cannot be read ({problem.strerror}).") from problem
    if not anchors:
        raise CommandProblem(f"The file {path} has no anchor and no whole line of a checkpoint.")
    return anchors


def _parts(anchors: Sequence[AuditAnchor]) -> list[list[Any]]:
    """Cut what is to be sent into parts that one request can hold; without anchors one empty part."""
    parts: list[list[Any]] = [[]]
    size = 0
    for anchor in anchors:
        written = msgspec.to_builtins(anchor)
        size += len(json_line(written)) + 2
        if size > _PART_OCTETS and parts[-1]:
            parts.append([])
            size = len(json_line(written)) + 2
        parts[-1].append(written)
    return parts


def _without_repeats(lists: Iterable[list[Any]]) -> list[Any]:
    """Join what several verdicts say of the same chains."""
    joined: list[Any] = []
    for said in lists:
        joined += [each for each in said if each not in joined]
    return joined


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
