"""`sealring tokens`: single access tokens."""

import sys
from argparse import ArgumentParser, Namespace

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, Noun
from sealring.cli.control import open_control
from sealring.cli.output import shown


def _describe_issue(parser: ArgumentParser) -> None:
    parser.add_argument("--client", required=True, metavar="CLIENT", help="the client that it is issued to")
    parser.add_argument("--user", metavar="USER", help="for this person (login name or sub), not for the client itself")
    parser.add_argument("--api", required=True, help="the API that it is for")
    parser.add_argument("--scope", required=True, metavar="SCOPES", help='as in --scope "orders:read orders:write"')
    parser.add_argument("--reason", required=True, help="why, in a line: it stands in the audit")
    parser.add_argument("--lifetime", type=int, metavar="SECONDS", help="at most the API's own (default)")


async def _issue(options: Namespace) -> Answer:
    request = {
        "client_id": options.client,
        "user": options.user,
        "api": options.api,
        "scope": options.scope,
        "reason": options.reason,
        "lifetime": options.lifetime,
    }
    async with open_control(options.config) as control:
        issued = await control.perform("tokens.issue", request)
    # The token and nothing else, so that TOKEN=$(sealring tokens issue …) works.
    return Answer(issued, issued["access_token"])


def _describe_revoke(parser: ArgumentParser) -> None:
    parser.add_argument("token", metavar="TOKEN", help="an access token; - reads it from standard input")


async def _revoke(options: Namespace) -> Answer:
    token = sys.stdin.readline().strip() if options.token == "-" else options.token
    async with open_control(options.config) as control:
        outcome = await control.perform("tokens.revoke", {"token": token})
    said = f"revoked a token of client {shown(outcome['client_id'])}"
    said += " in its own name" if outcome["sub"] == outcome["client_id"] else f" for {shown(outcome['sub'])}"
    if outcome["collapsed"]:
        said += "; the client had a thousand revoked ones, so all its tokens and sessions ended"
    return Answer(outcome, acknowledged(said, outcome["known"]))


COMMANDS = {
    "tokens": Noun(
        name="tokens",
        summary="Single access tokens.",
        commands=(
            Command("issue", "issue one access token for a script, and say why", _describe_issue, _issue),
            Command("revoke", "end one access token before it expires", _describe_revoke, _revoke),
        ),
    )
}
