"""The commands. May import `compose`, `config` and what lies below `services`; `demo` alone knows the demo.

Nothing heavier than argparse is loaded before a command is known, so that help comes at once.
"""

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0 done, 1 refused, 2 usage or configuration, 3 unreachable.

    `arguments`: those of the process where None is given.
    """
    from sealring.cli.program import run_program  # noqa: PLC0415 -- `import sealring.cli` costs nothing

    return run_program(arguments)
