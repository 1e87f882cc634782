"""`sealring serve`: run the server until it is told to stop."""

from argparse import Namespace

from sealring.cli.command import Command, CommandProblem, no_arguments
from sealring.cli.control import find_settings
from sealring.cli.output import json_line


async def _serve(options: Namespace) -> None:
    from sealring.compose import ComposeProblem, serve_house  # noqa: PLC0415 -- every room: half a second

    settings = find_settings(options.config)
    where = f"{settings.server.host}:{settings.server.port}"

    def announce() -> None:
        fact = {"issuer": settings.issuer, "listening": where}
        print(
            json_line(fact) if options.json else f"Sealring serves {settings.issuer}, listening on {where}", flush=True
        )

    try:
        await serve_house(settings, announce=announce)
    except ComposeProblem as problem:
        raise CommandProblem(str(problem)) from problem


COMMANDS = {"serve": Command("serve", "Run the server until SIGTERM or Ctrl-C.", no_arguments, _serve, serves=True)}
