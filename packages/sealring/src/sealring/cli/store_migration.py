"""`sealring migrate-store`: the whole store, from one engine to the other."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from sealring.cli.command import ActRefused, Answer, Command, CommandProblem
from sealring.cli.control import find_settings, operator, server_answers
from sealring.cli.output import counted, shown
from sealring.config import Settings

_NO_SOURCE: Final = (
    "The source is sqlite: (the configuration's file) or sqlite:PATH. "
    "There is no way back from PostgreSQL by this command."
)
_NO_TARGET: Final = "The target is postgresql://USER@HOST:PORT/DATABASE, a new and empty database."
_NO_PASSWORD: Final = (
    "Others can read what a command is told, so name the target without its password: write the password into a file "
    "that PGPASSFILE names."
)
_TOLD: Final = {
    "users": "user",
    "clients": "client",
    "apis": "API",
    "sessions": "session",
    "audit_events": "audit event",
}


def _describe(parser: ArgumentParser) -> None:
    parser.add_argument("source", metavar="SOURCE", help="sqlite: for the configuration's file, or sqlite:PATH")
    parser.add_argument("target", metavar="TARGET", help="URL of an empty PostgreSQL database, without its password")
    parser.add_argument(
        "--keep-broken-audit",
        action="store_true",
        help="move also a store whose audit does not hold, as after `restore --as-copy`",
    )


async def _migrate_store(options: Namespace) -> Answer:
    from sealring.compose import ComposeProblem, migrate_house  # noqa: PLC0415 -- every room: half a second

    settings = find_settings(options.config)
    source = _source(options.source, settings)
    _check_target(options.target)
    if await server_answers(settings):
        raise ActRefused("Stop the server first: what it does meanwhile would be lost.", code="server_running")
    try:
        migrated = await migrate_house(
            settings,
            source,
            options.target,
            keep_broken_audit=options.keep_broken_audit,
            actor=f"cli:{operator()}",
        )
    except ComposeProblem as problem:
        raise CommandProblem(str(problem)) from problem
    counts = ", ".join(counted(migrated.rows[table], noun) for table, noun in _TOLD.items())
    said = [
        f"moved, and read back as it was: {counts}",
        "The keys open. The audit holds." if migrated.broken_chains == 0 else "The keys open. The audit is as it was.",
        "\nnext, in sealring.toml:",
        # A JSON text in ASCII is a TOML basic string.
        f"  database = {json.dumps(options.target)}",
        f"\nthen `sealring serve`. {shown(migrated.source)} was not changed: keep it until all is well,",
        "and never serve it again once the new database was served.",
    ]
    return Answer(msgspec.to_builtins(migrated), "\n".join(said))


def _source(text: str, settings: Settings) -> Path:
    scheme, _, rest = text.partition(":")
    if scheme != "sqlite":
        raise CommandProblem(_NO_SOURCE)
    path = rest.removeprefix("//")
    return Path(path) if path else settings.path(settings.data) / "sealring.db"


def _check_target(url: str) -> None:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise CommandProblem(_NO_TARGET) from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise CommandProblem(_NO_TARGET)
    if parts.password is not None or "password=" in parts.query:
        raise CommandProblem(_NO_PASSWORD)


COMMANDS = {
    "migrate-store": Command(
        "migrate-store",
        "Move the whole store from SQLite to an empty PostgreSQL database, and check it. Stop the server first.",
        _describe,
        _migrate_store,
    )
}
