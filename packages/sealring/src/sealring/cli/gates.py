"""`sealring gates`: hosts that a proxy guards by asking Sealring about each request."""

from argparse import ArgumentParser, Namespace
from typing import Any

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import card, counted, moment, shown, table


def _describe_host(parser: ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", help="as browsers name it: app.example.com, or app.example.com:8443")


def _describe_members(parser: ArgumentParser) -> None:
    _describe_host(parser)
    parser.add_argument("--name", help="what people see when they sign in (default: the host)")
    parser.add_argument("--api", metavar="API", help="whose access tokens pass as bearer tokens")
    parser.add_argument(
        "--scope", action="append", default=[], help="of that API, which people who sign in here get; several"
    )


def _describe_update(parser: ArgumentParser) -> None:
    _describe_members(parser)
    parser.add_argument("--no-scopes", action="store_true", help="give people who sign in here no scopes")


async def _add(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        made = await control.perform("gates.add", {"host": options.host, **_members(options)})
    return Answer(made, f"{_card(made['gate'])}\n\n{_key(made)}")


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("gates.list")
    rows = [
        (gate["host"], gate["name"], gate["api"], sorted(gate["scopes"]), gate["keys"], moment(gate["created_at"]))
        for gate in found["gates"]
    ]
    return Answer(found, table(("gate", "name", "api", "scopes", "keys", "added"), rows))


async def _update(options: Namespace) -> Answer:
    changes = _members(options)
    if options.no_scopes:
        changes["scopes"] = []
    if not changes:
        raise CommandProblem("Say what shall change: `sealring gates update --help` lists it.")
    async with open_control(options.config) as control:
        gate = await control.perform("gates.update", {"host": options.host, **changes})
    return Answer(gate, _card(gate))


async def _rotate_key(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        made = await control.perform("gates.rotate_key", {"host": options.host})
    said = _key(made)
    if made["gate"]["keys"] == 2:
        said += "\nthe one before stays good until the next rotation"
    return Answer(made, said)


async def _remove(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform("gates.remove", {"host": options.host})
    said = f"removed {shown(options.host)}; {counted(outcome['sessions'], 'session')} ended"
    return Answer(outcome, acknowledged(said, outcome["known"]))


def _members(options: Namespace) -> dict[str, Any]:
    said = {"name": options.name, "api": options.api, "scopes": options.scope or None}
    return {name: value for name, value in said.items() if value is not None}


def _key(made: dict[str, Any]) -> str:
    return f"key of its proxy, shown this once:\nSealring-Gate-Key: {made['gate_key']}"


def _card(gate: dict[str, Any]) -> str:
    return card(
        [
            ("gate", gate["host"]),
            ("name", gate["name"]),
            ("client", gate["client_id"]),
            ("api", gate["api"]),
            ("scopes", sorted(gate["scopes"])),
            ("keys", gate["keys"]),
            ("disabled", None if gate["disabled_at"] is None else moment(gate["disabled_at"])),
            ("added", moment(gate["created_at"])),
        ]
    )


COMMANDS = {
    "gates": Noun(
        name="gates",
        summary="Gates: hosts that a proxy guards by asking Sealring about each request.",
        commands=(
            Command("add", "register a host, and get the key of its proxy", _describe_members, _add),
            Command("list", "list gates", no_arguments, _list),
            Command("update", "change what is named; lists are replaced whole", _describe_update, _update),
            Command("rotate-key", "give a proxy a new key beside the last one", _describe_host, _rotate_key),
            Command("remove", "remove a gate for good; its sessions end", _describe_host, _remove),
        ),
    )
}
