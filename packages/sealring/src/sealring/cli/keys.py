"""`sealring keys`: what signs, what waits, and what is withdrawn."""

from argparse import ArgumentParser, Namespace
from typing import Any

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import counted, moment, shown, table
from sealring.cli.symmetric_secret import shown_secret

_PURPOSES = ("access_token", "feed", "mac")


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("keys.list")
    rows = [
        (
            key["kid"],
            key["purpose"],
            key["alg"] if key["api"] is None else f"{key['alg']} of {shown(key['api'])}",
            key["state"],
            moment(key["activated_at"] or key["created_at"]),
            _readiness(key, now=found["at"]),
        )
        for key in found["keys"]
    ]
    return Answer(found, table(("key", "purpose", "alg", "state", "since", "readiness"), rows))


def _describe_rotate(parser: ArgumentParser) -> None:
    parser.add_argument("--purpose", choices=_PURPOSES, default="access_token", help="(default: access_token)")
    parser.add_argument("--alg", default="ES256", help="which line of signing keys (default: ES256)")
    parser.add_argument(
        "--api", help="the secret of an API that was added with --symmetric: make the next one, or turn to it"
    )
    parser.add_argument("--force", action="store_true", help="also where not every API can know the next key yet")


async def _rotate(options: Namespace) -> Answer:
    if options.api is not None:
        return await _rotate_symmetric_secret(options)
    request = {"purpose": options.purpose, "alg": options.alg, "force": options.force}
    async with open_control(options.config) as control:
        outcome = await control.perform("keys.rotate", request)
    return Answer(outcome, _turned(outcome))


async def _rotate_symmetric_secret(options: Namespace) -> Answer:
    if (options.purpose, options.alg) != ("access_token", "ES256"):
        raise CommandProblem("--api names a line of secrets by itself: leave --purpose and --alg out.")
    async with open_control(options.config) as control:
        outcome = await control.perform("keys.rotate_symmetric_secret", {"api": options.api, "force": options.force})
    if "secret" not in outcome:
        return Answer(outcome, _turned(outcome))
    waits = outcome["signs_from"] is not None
    said = f"secret to verify with, shown this once:\n{shown_secret(outcome['secret'], beside_the_last=waits)}"
    if waits:
        said += (
            "\n\nTokens are still signed under the one before. Give every verifier of the API both, then say "
            f"`sealring keys rotate --api {shown(options.api)}` again. "
            f"At {moment(outcome['signs_from'])} it turns by itself."
        )
    return Answer(outcome, said)


def _turned(outcome: dict[str, Any]) -> str:
    said = f"{shown(outcome['kid'])} is at work"
    if outcome["retiring"] is not None:
        said += f"; {shown(outcome['retiring'])} signs no more, and leaves at {moment(outcome['leaves_at'])}"
    return said


def _describe_revoke(parser: ArgumentParser) -> None:
    parser.add_argument("kid", metavar="KEY", help="the key's id, as `sealring keys list` shows it")
    parser.add_argument(
        "--compromised", action="store_true", help="replace all keys, and end every session and token: after a theft"
    )


async def _revoke(options: Namespace) -> Answer:
    request = {"kid": options.kid, "compromised": options.compromised}
    async with open_control(options.config) as control:
        outcome = await control.perform("keys.revoke", request)
    said = f"{counted(len(outcome['kids']), 'key')} withdrawn; {counted(outcome['sessions'], 'session')} ended"
    if outcome["successors"]:
        said += f"; at work now: {shown(outcome['successors'])}"
    said = acknowledged(said, outcome["known"])
    for secret in outcome["secrets"]:
        said += f"\n\nsecret to verify with, shown this once:\n{shown_secret(secret)}"
    return Answer(outcome, said)


def _readiness(key: dict[str, Any], *, now: int) -> str:
    """Say of a waiting key whether an operator may turn to it, and which APIs have not said that they hold it."""
    if key["state"] == "retiring":
        return f"leaves at {moment(key['leaves_at'])}"
    if key["state"] != "pending":
        return ""
    wait = max(0, -((now - key["ready_at"]) // 1000))
    if key["api"] is not None:
        held = "held by its verifiers" if key["known_to"] else "its verifiers do not say that they hold it"
        return f"turns by itself at {moment(key['ready_at'])}; {held}"
    safe = "safe now" if wait == 0 else f"safe in {wait // 60} min {wait % 60} s"
    if wait and key["unknown_to"]:
        names = " ".join(map(shown, key["unknown_to"]))
        return f"{safe}; not fetched yet by: {names}"
    return safe


COMMANDS = {
    "keys": Noun(
        name="keys",
        summary="Keys: what signs, what waits, what is withdrawn. They turn by themselves.",
        commands=(
            Command("list", "list keys and their states", no_arguments, _list),
            Command("rotate", "turn to the waiting key now", _describe_rotate, _rotate),
            Command("revoke", "withdraw a key at once", _describe_revoke, _revoke),
        ),
    )
}
