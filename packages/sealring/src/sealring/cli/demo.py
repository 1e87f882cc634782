"""`sealring demo`: the only command that knows the demo (SECURITY D7)."""

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sealring.cli.command import (
    DONE,
    REFUSED,
    UNREACHABLE,
    ActRefused,
    Answer,
    Command,
    CommandProblem,
    Noun,
    Unreachable,
)
from sealring.cli.control import open_running, server_answers
from sealring.cli.output import counted

if TYPE_CHECKING:
    from sealring.demo.folder import DemoProblem

_FOLDER: Final = Path("demo-data")


def _describe_demo(parser: ArgumentParser) -> None:
    _describe_folder(parser)
    parser.add_argument("--port", type=int, default=8700, help="of the server (default: 8700)")
    parser.add_argument("--api-port", type=int, default=8701, help="of the example API (default: 8701)")


def _describe_folder(parser: ArgumentParser) -> None:
    parser.add_argument("--folder", type=Path, default=_FOLDER, help=f"where the demo lives (default: ./{_FOLDER})")


async def _demo(options: Namespace) -> Answer | None:
    from sealring.demo.folder import DemoProblem  # noqa: PLC0415 -- no other command may load the demo
    from sealring.demo.run import run_demo  # noqa: PLC0415 -- as above

    try:
        status = await run_demo(folder=options.folder, port=options.port, api_port=options.api_port)
    except DemoProblem as problem:
        raise _told(problem) from problem
    return None if status == DONE else Answer({"ended": True}, "The demo has ended.", status)


async def _token(options: Namespace) -> Answer:
    from sealring.demo.folder import DemoProblem  # noqa: PLC0415 -- as above
    from sealring.demo.token import demo_token  # noqa: PLC0415 -- as above

    try:
        token = await demo_token(folder=options.folder)
    except DemoProblem as problem:
        raise _told(problem) from problem
    return Answer({"access_token": token}, token)


def _describe_seed(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="JSON: who and what the suite expects (-: standard input)")
    _describe_folder(parser)
    parser.add_argument("--port", type=int, default=8700, help="of a demo that is made by this (default: 8700)")


async def _seed(options: Namespace) -> Answer:
    from sealring.demo.folder import DemoProblem  # noqa: PLC0415 -- as above
    from sealring.demo.seeding import read_seed, seed_idle_demo, settings_of_seeded_demo  # noqa: PLC0415 -- as above

    try:
        seed = read_seed(options.file)
        settings = settings_of_seeded_demo(options.folder, port=options.port)
        if await server_answers(settings):
            async with open_running(settings) as control:
                seeded = await control.perform("dev.conformance_seed", seed)
        else:
            seeded = await seed_idle_demo(settings, seed)
    except DemoProblem as problem:
        raise _told(problem) from problem
    return Answer(
        seeded, f"seeded {counted(len(seeded['users']), 'user')}, {counted(len(seeded['clients']), 'client')}"
    )


def _told(problem: "DemoProblem") -> CommandProblem:
    if problem.exit_status == REFUSED:
        return ActRefused(str(problem), code="demo_refused")
    return Unreachable(str(problem)) if problem.exit_status == UNREACHABLE else CommandProblem(str(problem))


COMMANDS = {
    "demo": Noun(
        name="demo",
        summary="Try it: a server, an example API and a page to play with, on this machine only.",
        commands=(
            Command("token", "sign ada in for the API orders and print the access token", _describe_folder, _token),
        ),
        default=Command("demo", "run the demo", _describe_demo, _demo, serves=True),
    ),
    "dev": Noun(
        name="dev",
        summary="For test benches; over the demo alone.",
        commands=(Command("conformance-seed", "give the demo a suite's people and clients", _describe_seed, _seed),),
    ),
}
