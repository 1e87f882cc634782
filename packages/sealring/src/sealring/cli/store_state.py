"""`sealring status`, `migrate`, `recover`: the store itself."""

from argparse import ArgumentParser, Namespace

from sealring.cli.command import ActRefused, Answer, Command, CommandProblem, no_arguments
from sealring.cli.control import find_settings, open_control, open_store, server_answers
from sealring.cli.output import card, counted
from sealring.cli.prompt import ask


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


COMMANDS = {
    "status": Command("status", "Say how the installation stands.", no_arguments, _status),
    "migrate": Command("migrate", "Bring the store up to date.", no_arguments, _migrate),
    "recover": Command(
        "recover",
        "Begin anew after the store was restored from a backup: everybody signs in again.",
        _describe_recover,
        _recover,
    ),
}
