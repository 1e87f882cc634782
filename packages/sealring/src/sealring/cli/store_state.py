"""`sealring status`, `migrate`, `backup`, `restore`, `recover`: the store itself."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Final

from sealring.cli.command import ActRefused, Answer, Command, CommandProblem, no_arguments
from sealring.cli.control import find_settings, open_control, open_store, operator, server_answers
from sealring.cli.output import card, counted, shown
from sealring.cli.prompt import ask

_COPYING_SECONDS: Final = 3600  # a large database on a slow disk


async def _status(options: Namespace) -> Answer:
    settings = find_settings(options.config)
    running = await server_answers(settings)
    async with open_control(options.config) as control:
        status = await control.perform("status")
    status["running"] = running
    return Answer(
        status,
        card(
            [
                ("issuer", status["issuer"]),
                ("server", "running" if running else "not running"),
                ("live sessions", status["sessions"]),
                ("clients", status["clients"]),
                ("apis", status["apis"]),
                ("incarnation", status["incarnation"]),
                ("feed number", status["feed_number"]),
                ("demo", status["demo"]),
            ]
        ),
    )


async def _migrate(options: Namespace) -> Answer:
    settings = find_settings(options.config)
    if await server_answers(settings):
        return Answer({"running": True}, "The server is running, and brought its store up to date when it started.")
    # Opening a store applies what is due, in one transaction, or refuses with a sentence.
    async with open_store(settings):
        return Answer({"running": False}, "The store is up to date.")


def _describe_recover(parser: ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="do not ask")


async def _recover(options: Namespace) -> Answer:
    settings = find_settings(options.config)
    if await server_answers(settings):
        raise ActRefused("Stop the server first: its keys belong to this store.", code="server_running")
    if not options.yes and ask("Everybody will have to sign in again. Recover? yes/no", default="no") != "yes":
        raise CommandProblem("Nothing was done: say --yes to recover.")
    async with open_store(settings) as control:
        outcome = await control.perform("recover")
    return Answer(outcome, f"A new incarnation began; {counted(outcome['sessions'], 'session')} ended.")


def _describe_backup(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="where the copy goes; a new file, not beside the master key")


async def _backup(options: Namespace) -> Answer:
    path = _absolute(options.file)
    async with open_control(options.config) as control:
        outcome = await control.perform("backup", {"path": path}, seconds=_COPYING_SECONDS)
    return Answer(
        outcome,
        f"The database was copied to {shown(path)}. The master key is not in it: keep a copy of the key "
        "elsewhere, never beside this file. Without the key the copy opens nowhere.",
    )


def _describe_restore(parser: ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="what `sealring backup` wrote")
    parser.add_argument("--as-copy", action="store_true", help="begin anew under the configuration's issuer")
    parser.add_argument("--issuer", metavar="URL", help="with --as-copy: the configuration's issuer, to be sure")
    parser.add_argument("--yes", action="store_true", help="do not ask")


async def _restore(options: Namespace) -> Answer:
    from sealring.compose import ComposeProblem, restore_house  # noqa: PLC0415 -- every room: half a second

    settings = find_settings(options.config)
    if options.issuer not in {None, settings.issuer} or (options.issuer is not None and not options.as_copy):
        raise CommandProblem(
            f"The configuration's issuer is {settings.issuer}: set another one there first, and say --as-copy."
        )
    if await server_answers(settings):
        raise ActRefused("Stop the server first: its keys belong to this store.", code="server_running")
    if not options.yes and ask("Everybody will have to sign in again. Restore? yes/no", default="no") != "yes":
        raise CommandProblem("Nothing was done: say --yes to restore.")
    try:
        copy = Path(_absolute(options.file))
        restored, aside = await restore_house(settings, copy, as_copy=options.as_copy, actor=f"cli:{operator()}")
    except ComposeProblem as problem:
        raise CommandProblem(str(problem)) from problem
    kept = str(aside) if aside.exists() else None
    value = {
        "incarnation": restored.incarnation,
        "sessions": restored.sessions,
        "former_issuer": restored.former_issuer,
        "kept": kept,
    }
    said = ["The copy is in place. Everybody signs in again."]
    if kept is not None:
        said.append(f"The database before it is kept as {shown(kept)}: delete it once all is well.")
    if options.as_copy:
        said.append(f"All keys were destroyed; the next start makes new ones for {settings.issuer}.")
    return Answer(value, "\n".join(said))


def _absolute(text: str) -> str:
    # The server has a folder of its own, and would take a relative path from there.
    return os.path.abspath(text)  # noqa: PTH100 -- as text, for the control socket


COMMANDS = {
    "backup": Command(
        "backup",
        "Copy the database, also while the server runs. The master key is not in it.",
        _describe_backup,
        _backup,
    ),
    "restore": Command(
        "restore", "Put a backup in the database's place: everybody signs in again.", _describe_restore, _restore
    ),
    "status": Command("status", "Say how the installation stands.", no_arguments, _status),
    "migrate": Command("migrate", "Bring the store up to date.", no_arguments, _migrate),
    "recover": Command(
        "recover",
        "Begin anew after the store was restored from a backup: everybody signs in again.",
        _describe_recover,
        _recover,
    ),
}
