"""`sealring initial-access-tokens`: what lets developers register clients themselves."""

from argparse import ArgumentParser, Namespace

from sealring.cli.command import Answer, Command, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import counted, moment, shown, table


def _describe_make(parser: ArgumentParser) -> None:
    parser.add_argument("--uses", type=int, default=1, metavar="N", help="how many clients it registers (default: 1)")
    parser.add_argument("--days", type=int, default=7, metavar="N", help="how long it is good (default: 7)")
    parser.add_argument("--note", default="", help="for whom it is; only operators see that")


def _describe_id(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="as `sealring initial-access-tokens list` shows it")


async def _make(options: Namespace) -> Answer:
    request = {"uses": options.uses, "days": options.days, "note": options.note}
    async with open_control(options.config) as control:
        made = await control.perform("initial_access_tokens.make", request)
    seen = made["seen"]
    said = (
        f"registers {counted(seen['uses_left'], 'client')} until {moment(seen['expires_at'])}; {seen['id']} in the list"
        f"\n\ninitial access token, shown this once:\n{made['initial_access_token']}"
    )
    return Answer(made, said)


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("initial_access_tokens.list")
    rows = [
        (token["id"], token["note"], token["uses_left"], moment(token["created_at"]), moment(token["expires_at"]))
        for token in found["initial_access_tokens"]
    ]
    return Answer(found, table(("id", "note", "uses left", "made", "expires"), rows))


async def _delete(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform("initial_access_tokens.delete", {"id": options.id})
    return Answer(outcome, f"deleted {shown(options.id)}; the clients that it registered stay")


COMMANDS = {
    "initial-access-tokens": Noun(
        name="initial-access-tokens",
        summary="Initial access tokens: let developers register clients themselves.",
        commands=(
            Command("make", "make a token, and see it once", _describe_make, _make),
            Command("list", "list tokens", no_arguments, _list),
            Command("delete", "delete a token; the clients that it registered stay", _describe_id, _delete),
        ),
    )
}
