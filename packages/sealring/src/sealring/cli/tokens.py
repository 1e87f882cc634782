"""`sealring tokens`: single access tokens."""

import sys
from argparse import ArgumentParser, Namespace

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, Noun
from sealring.cli.control import open_control
from sealring.cli.output import shown


def _describe_revoke(parser: ArgumentParser) -> None:
    parser.add_argument("token", metavar="TOKEN", help="an access token; - reads it from standard input")


async def _revoke(options: Namespace) -> Answer:
    token = sys.stdin.readline().strip() if options.token == "-" else options.token
    async with open_control(options.config) as control:
        outcome = await control.perform("tokens.revoke", {"token": token})
    said = f"revoked a token of client {shown(outcome['client_id'])} for {shown(outcome['sub'])}"
    if outcome["collapsed"]:
        said += "; the client had a thousand revoked ones, so all its tokens and sessions ended"
    return Answer(outcome, acknowledged(said, outcome["known"]))


COMMANDS = {
    "tokens": Noun(
        name="tokens",
        summary="Single access tokens.",
        commands=(Command("revoke", "end one access token before it expires", _describe_revoke, _revoke),),
    )
}
