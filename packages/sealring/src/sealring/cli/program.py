"""From arguments to exit status: finds the noun, parses, runs, prints."""

import sys
from argparse import ArgumentParser, Namespace
from asyncio import AbstractEventLoop
from collections.abc import Callable, Sequence
from importlib import import_module

from sealring.cli.command import DONE, MISUSED, Answer, Command, CommandProblem, Noun
from sealring.cli.first_page import HIDDEN, MODULES, first_page


def run_program(arguments: Sequence[str] | None) -> int:
    """Run the command that the arguments name."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    if not given or given[0] in {"-h", "--help", "help"}:
        print(first_page())
        return DONE if given else MISUSED
    if given[0] == "--version":
        from importlib.metadata import version  # noqa: PLC0415 -- costs as much as all of argparse

        print(f"sealring {version('sealring')}")
        return DONE
    if given[0] not in {*MODULES, *HIDDEN}:
        print(f"sealring: there is no command {given[0]!r}. `sealring --help` lists them.", file=sys.stderr)
        return MISUSED
    parser = _parser_of(_find(given[0]))
    try:
        options = parser.parse_args(given[1:])
    except SystemExit as stop:  # argparse printed the help (0) or what is wrong (2)
        return int(stop.code or 0)
    return _run(options.command, options)


def _find(name: str) -> Noun | Command:
    found: dict[str, Noun | Command] = import_module(f"sealring.cli.{(MODULES | HIDDEN)[name]}").COMMANDS
    return found[name]


def _parser_of(found: Noun | Command) -> ArgumentParser:
    parser = ArgumentParser(prog=f"sealring {found.name}", description=found.summary, allow_abbrev=False)
    if isinstance(found, Command):
        _describe(found, parser)
        return parser
    if found.default is not None:
        _describe(found.default, parser)
    nested = parser.add_subparsers(metavar="COMMAND", required=found.default is None)
    for command in found.commands:
        below = nested.add_parser(command.name, help=command.summary, description=command.summary, allow_abbrev=False)
        _describe(command, below)
    return parser


def _describe(command: Command, parser: ArgumentParser) -> None:
    command.describe(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--config", metavar="FILE", help="the configuration file (default: ./sealring.toml)")
    parser.set_defaults(command=command)


def _run(command: Command, options: Namespace) -> int:
    import asyncio  # noqa: PLC0415 -- help needs no event loop

    from sealring.cli.output import print_answer, print_problem  # noqa: PLC0415 -- as above

    try:
        with asyncio.Runner(loop_factory=_fast_loop() if command.serves else None) as runner:
            answer: Answer | None = runner.run(command.run(options))
        if answer is None:
            return DONE
        print_answer(answer, as_json=options.json)
    except CommandProblem as problem:
        print_problem(problem, as_json=options.json)
        return problem.exit_status
    except BrokenPipeError:  # `sealring audit tail | head`: whoever read has seen enough
        sys.stderr.close()
        return DONE
    except KeyboardInterrupt:
        return 130  # as a shell reports SIGINT
    return answer.exit_status


def _fast_loop() -> Callable[[], AbstractEventLoop]:
    import uvloop  # noqa: PLC0415 -- for those who serve

    return uvloop.new_event_loop
