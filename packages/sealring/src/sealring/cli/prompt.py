"""Secrets and answers from the operator: by prompt or standard input, never as an argument (SECURITY F5)."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable

from sealring.cli.command import CommandProblem


def describe_password(parser: ArgumentParser, *, optional: bool) -> None:
    """Add the ways in which a new password may come."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    ways.add_argument("--passphrase", action="store_true", help="make a passphrase and print it once")
    if optional:
        ways.add_argument("--no-password", action="store_true", help="add the user without one")


def read_new_password(options: Namespace, *, randomness: Callable[[int], bytes]) -> str:
    """Read a new password the way the options say; by prompt it is asked for twice."""
    if options.passphrase:
        from sealring.credentials.passphrase import generate_passphrase  # noqa: PLC0415 -- reads a word list

        return generate_passphrase(randomness=randomness)
    if options.password_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandProblem("There is no terminal to ask at: use --password-stdin or --passphrase.")
    from getpass import getpass  # noqa: PLC0415 -- only where somebody is asked

    password = getpass("Password: ")
    if password != getpass("Again: "):
        raise CommandProblem("These two passwords differ.")
    return password


def ask(question: str, *, default: str) -> str:
    """Ask a question at the terminal; an empty answer is the default, so is the end of the input."""
    try:
        return input(f"{question} [{default}]: ").strip() or default
    except EOFError:
        return default
