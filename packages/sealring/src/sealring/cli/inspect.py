"""`sealring inspect`: the inspector of sealring_verify, which needs no installation and no server."""

from argparse import Namespace

from sealring.cli.command import Answer, Command, CommandProblem, Unreachable
from sealring_verify.inspect import command


async def _inspect(options: Namespace) -> Answer:
    try:
        outcome = command.run_inspect(options)
    except command.Misused as problem:
        raise (Unreachable if problem.exit_status == command.UNREACHABLE else CommandProblem)(str(problem)) from None
    return Answer(outcome.value, outcome.text, outcome.exit_status)


COMMANDS = {
    "inspect": Command(
        "inspect",
        "Look into a token, offline: what it says, a reviewer's remarks, whether it is good.",
        command.add_arguments,
        _inspect,
    )
}
