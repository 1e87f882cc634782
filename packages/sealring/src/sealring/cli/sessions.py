"""`sealring sessions`: who is signed in, and ending that."""

from argparse import ArgumentParser, Namespace

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, Noun
from sealring.cli.control import open_control
from sealring.cli.output import counted, moment, table


def _describe_list(parser: ArgumentParser) -> None:
    parser.add_argument("--user", metavar="USER", help="login name or sub")
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="the newest so many (default: 100)")


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("sessions.list", {"user": options.user, "limit": options.limit})
    rows = [
        (
            session["sid"],
            session["login_name"] or session["sub"],
            session["client_id"],
            session["network"],
            session["user_agent"],
            moment(session["last_used_at"]),
            moment(session["expires_at"]),
        )
        for session in found["sessions"]
    ]
    text = table(("session", "user", "client", "network", "user agent", "last used", "expires"), rows)
    if found["live"] > len(rows):
        text += f"\n{len(rows)} of {counted(found['live'], 'session')}: --limit shows more"
    return Answer(found, text)


def _describe_end(parser: ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("sid", nargs="?", metavar="SESSION", help="one session")
    which.add_argument("--user", metavar="USER", help="all of a user: login name or sub")
    which.add_argument("--all", action="store_true", help="everybody's")


async def _end(options: Namespace) -> Answer:
    request = {"sid": options.sid, "user": options.user, "everybody": options.all}
    async with open_control(options.config) as control:
        outcome = await control.perform("sessions.end", request)
    return Answer(outcome, acknowledged(f"{counted(outcome['sessions'], 'session')} ended", outcome["known"]))


COMMANDS = {
    "sessions": Noun(
        name="sessions",
        summary="Sessions: who is signed in.",
        commands=(
            Command("list", "list live sessions, newest first", _describe_list, _list),
            Command("end", "end one session, a user's or all", _describe_end, _end),
        ),
    )
}
