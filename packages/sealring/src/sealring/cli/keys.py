"""`sealring keys`: what signs, what waits, and what is withdrawn."""

import os
from argparse import ArgumentParser, Namespace
from typing import Any

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.output import counted, moment, shown, table
from sealring.cli.symmetric_secret import shown_secret

_PURPOSES = ("access_token", "cookie", "feed", "mac")


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
    parser.add_argument(
        "--purpose", choices=_PURPOSES, default="access_token", help="which keys turn (default: access_token)"
    )
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


def _describe_rewrap(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--to",
        metavar="FILE",
        help="write the new key to this new file, where the present one cannot be replaced: then let master_key_file "
        "name it before the next start",
    )


async def _rewrap(options: Namespace) -> Answer:
    to = None if options.to is None else _absolute(options.to)
    async with open_control(options.config) as control:
        outcome = await control.perform("keys.rewrap", {"to": to})
    former = shown(outcome["former_id"])
    said = [f"{counted(outcome['keys'], 'key')} sealed anew: the master key is {shown(outcome['id'])} now."]
    if outcome["unfinished"] is not None:
        said.append(f"It lies in {shown(outcome['file'])}, and not in its place yet. {shown(outcome['unfinished'])}")
    elif to is not None:
        said.append(
            f"It lies in {shown(outcome['file'])}: let master_key_file name that file BEFORE THE NEXT START, which "
            "otherwise fails. Where incarnation_file is not set, copy the present key's *.incarnation "
            f"to {shown(outcome['file'])}.incarnation, too."
        )
    kept = "" if outcome["former_file"] is None else f" It is kept as {shown(outcome['former_file'])}."
    said.append(
        f"Backups made before need the former key, {former}.{kept} Destroy it when the last of them is gone.\n"
        "Keep a copy of the new key elsewhere, apart from the backups of the data."
    )
    return Answer(outcome, "\n".join(said))


def _absolute(text: str) -> str:
    # The server has a folder of its own, and would take a relative path from there.
    return os.path.abspath(text)  # noqa: PTH100 -- as text, for the control socket


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
            Command("rewrap", "change the master key, under which all keys are sealed", _describe_rewrap, _rewrap),
            Command("revoke", "withdraw a key at once", _describe_revoke, _revoke),
        ),
    )
}
