"""`sealring users`: people, their passwords, roles and claims, and the administrator's link."""

import json
import os
from argparse import ArgumentParser, Namespace
from typing import Any

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import card, counted, moment, shown, table
from sealring.cli.prompt import describe_password, read_new_password


def _describe_add(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="user name or e-mail address")
    parser.add_argument("--email", metavar="ADDRESS", help="an e-mail address beside the user name")
    parser.add_argument("--role", action="append", default=[], metavar="ROLE", help="may be given several times")
    parser.add_argument("--claims", default="{}", metavar="JSON", help="custom claims, a JSON object")
    parser.add_argument("--admin", action="store_true", help="make an administrator of Sealring itself")
    describe_password(parser, optional=True)


async def _add(options: Namespace) -> Answer:
    if "@" in options.name and options.email is not None:
        raise CommandProblem("Two e-mail addresses: name the user by a user name, or leave out --email.")
    claims = _json_object(options.claims)
    password = None if options.no_password else read_new_password(options, randomness=os.urandom)
    request = {
        "username": None if "@" in options.name else options.name,
        "email": options.name if "@" in options.name else options.email,
        "password": password,
        "roles": options.role,
        "claims": claims,
        "administrator": options.admin,
    }
    async with open_control(options.config) as control:
        user = await control.perform("users.add", request)
    said = [f"added {_name(user)} as {user['sub']}"]
    if options.passphrase:
        user["passphrase"] = password
        said.append(f"passphrase, shown this once: {password}")
    return Answer(user, "\n".join(said))


def _describe_list(parser: ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=100, metavar="N", help="at most so many (default: 100)")
    parser.add_argument("--after", metavar="SUB", help="go on after this one")


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        page = await control.perform("users.list", {"after": options.after, "limit": options.limit})
    rows = [
        (user["sub"], user["username"], user["email"], user["roles"], _state(user), moment(user["created_at"]))
        for user in page["users"]
    ]
    text = table(("sub", "username", "e-mail", "roles", "state", "added"), rows)
    if page["more"]:
        text += f"\nthere may be more: --after {page['users'][-1]['sub']}"
    return Answer(page, text)


def _describe_user(parser: ArgumentParser) -> None:
    parser.add_argument("user", metavar="USER", help="login name or sub (sub:… where it could be both)")


async def _show(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        user = await control.perform("users.show", {"user": options.user})
    return Answer(user, _card(user))


async def _disable(options: Namespace) -> Answer:
    return await _end(options, "users.disable", "disabled")


async def _enable(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform("users.enable", {"user": options.user})
    return Answer(outcome, f"enabled {shown(options.user)}")


async def _delete(options: Namespace) -> Answer:
    return await _end(options, "users.delete", "deleted")


async def _end(options: Namespace, act: str, done: str) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform(act, {"user": options.user})
    said = f"{done} {shown(options.user)}; {counted(outcome['sessions'], 'session')} ended"
    return Answer(outcome, acknowledged(said, outcome["known"]))


def _describe_set_password(parser: ArgumentParser) -> None:
    _describe_user(parser)
    describe_password(parser, optional=False)


async def _set_password(options: Namespace) -> Answer:
    password = read_new_password(options, randomness=os.urandom)
    async with open_control(options.config) as control:
        outcome = await control.perform("users.set_password", {"user": options.user, "password": password})
    said = [acknowledged(f"set the password of {shown(options.user)}; the sessions ended", outcome["known"])]
    if options.passphrase:
        outcome["passphrase"] = password
        said.append(f"passphrase, shown this once: {password}")
    return Answer(outcome, "\n".join(said))


def _describe_roles(parser: ArgumentParser) -> None:
    _describe_user(parser)
    parser.add_argument("roles", nargs="*", metavar="ROLE", help="all roles that the user shall have")
    parser.add_argument("--none", action="store_true", help="take all roles away")


async def _roles(options: Namespace) -> Answer:
    if options.roles and options.none:
        raise CommandProblem("Name roles or say --none, not both.")
    async with open_control(options.config) as control:
        if options.roles or options.none:
            user = await control.perform("users.set_roles", {"user": options.user, "roles": options.roles})
        else:
            user = await control.perform("users.show", {"user": options.user})
    return Answer({"sub": user["sub"], "roles": user["roles"]}, shown(user["roles"]))


def _describe_claims(parser: ArgumentParser) -> None:
    _describe_user(parser)
    parser.add_argument("--set", metavar="JSON", help="all custom claims that the user shall have, a JSON object")


async def _claims(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        if options.set is None:
            user = await control.perform("users.show", {"user": options.user})
        else:
            request = {"user": options.user, "claims": _json_object(options.set)}
            user = await control.perform("users.set_claims", request)
    return Answer({"sub": user["sub"], "claims": user["claims"]}, shown(user["claims"]))


async def _link(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        link = await control.perform("users.link")
    return Answer(link, f"{link['url']}\nmakes one administrator, once, until {moment(link['expires_at'])}")


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CommandProblem('Claims are written as one JSON object, such as \'{"plan": "gold"}\'.')
    return value


def _name(user: dict[str, Any]) -> str:
    return shown(user["username"] or user["email"])


def _state(user: dict[str, Any]) -> str:
    return "disabled" if user["disabled_at"] is not None else "administrator" if user["administrator"] else "enabled"


def _card(user: dict[str, Any]) -> str:
    return card(
        [
            ("sub", user["sub"]),
            ("username", user["username"]),
            ("e-mail", user["email"]),
            ("roles", user["roles"]),
            ("claims", user["claims"]),
            ("administrator", user["administrator"]),
            ("added", moment(user["created_at"])),
            ("disabled", moment(user["disabled_at"])),
        ]
    )


COMMANDS = {
    "users": Noun(
        name="users",
        summary="People: names, passwords, roles, claims.",
        commands=(
            Command("add", "add a user", _describe_add, _add),
            Command("list", "list users", _describe_list, _list),
            Command("show", "show a user", _describe_user, _show),
            Command("disable", "keep a user from signing in, and end the sessions", _describe_user, _disable),
            Command("enable", "let a user sign in again", _describe_user, _enable),
            Command("delete", "delete a user for good, and end the sessions", _describe_user, _delete),
            Command(
                "set-password", "set a user's password, and end the sessions", _describe_set_password, _set_password
            ),
            Command("roles", "show or replace a user's roles", _describe_roles, _roles),
            Command("claims", "show or replace a user's custom claims", _describe_claims, _claims),
            Command("link", "make a one-use link for an administrator (15 minutes)", no_arguments, _link),
        ),
    )
}
