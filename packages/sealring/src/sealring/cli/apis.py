"""`sealring apis`: the audiences of access tokens."""

import time
from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import Any

from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.key_set import read_key_set
from sealring.cli.output import card, counted, moment, shown, table
from sealring.cli.symmetric_secret import shown_secret


def _describe_api(parser: ArgumentParser) -> None:
    parser.add_argument("identifier", metavar="API", help="the audience of its tokens: a plain name or a URI")


def _describe_members(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--scope",
        action="append",
        default=[],
        nargs=2,
        metavar=("NAME", "DESCRIPTION"),
        help='as in --scope orders:read "See your orders"; may be given several times',
    )
    parser.add_argument("--lifetime", type=int, metavar="SECONDS", help="of access tokens (default: 600)")
    parser.add_argument(
        "--alg", choices=("ES256", "RS256", "PS256", "Ed25519"), help="what signs its access tokens (default: ES256)"
    )
    parser.add_argument(
        "--encryption-jwks",
        metavar="FILE",
        help="encrypt its tokens to a public key of this JWK set, which lies in a file or comes by standard input (-)",
    )
    parser.add_argument("--byte-budget", type=int, metavar="OCTETS", help="of access tokens (default: 4096)")
    parser.add_argument(
        "--claim", action="append", default=[], help="a user's claim that reaches its tokens, or roles; several"
    )
    parser.add_argument(
        "--insecure-long-access-tokens", action=BooleanOptionalAction, help="let access tokens live over an hour"
    )
    parser.add_argument(
        "--insecure-allow-personal-claims",
        action=BooleanOptionalAction,
        help="let personal data stand where whoever sees a token can read it",
    )


def _describe_add(parser: ArgumentParser) -> None:
    _describe_api(parser)
    _describe_members(parser)
    parser.add_argument(
        "--symmetric",
        action="store_true",
        help="sign its tokens by HS256 with a secret that it has too: whoever verifies them can make them",
    )
    parser.add_argument(
        "--format",
        choices=("jwt", "opaque"),
        default="jwt",
        help="what its tokens are, for good: opaque ones say nothing to anybody, and it asks /introspect about them",
    )


def _sealing(options: Namespace) -> dict[str, str]:
    """Say what an API's tokens shall be, where it was said at all."""
    if options.symmetric and options.alg is not None:
        raise CommandProblem("Say --symmetric or --alg, not both: with --symmetric the algorithm is HS256.")
    if options.format == "opaque" and (options.symmetric or options.alg is not None):
        raise CommandProblem("An opaque token is not signed: with --format opaque, leave --alg and --symmetric out.")
    if options.symmetric:
        return {"access_token_signing_alg": "HS256"}
    return {"access_token_format": options.format}


async def _add(options: Namespace) -> Answer:
    request = {"identifier": options.identifier, "scopes": {}, **_members(options), **_sealing(options)}
    async with open_control(options.config) as control:
        made = await control.perform("apis.add", request)
    said = f"{_card(made['api'])}\n\nsecret, shown this once:\nSEALRING_API_KEY={made['api_key']}"
    if made["symmetric"] is not None:
        said += f"\n\nsecret to verify with, shown this once:\n{shown_secret(made['symmetric'])}"
    return Answer(made, said)


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("apis.list")
    rows = [
        (api["identifier"], sorted(api["scopes"]), f"{api['access_token_lifetime']} s", api["claims"], _verifiers(api))
        for api in found["apis"]
    ]
    return Answer(found, table(("api", "scopes", "lifetime", "claims", "its verifiers"), rows))


async def _show(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        api = await control.perform("apis.show", {"identifier": options.identifier})
    return Answer(api, _card(api))


def _describe_update(parser: ArgumentParser) -> None:
    _describe_api(parser)
    _describe_members(parser)
    parser.add_argument("--no-claims", action="store_true", help="let no claims reach its tokens")


async def _update(options: Namespace) -> Answer:
    changes = _members(options)
    if options.no_claims:
        changes["claims"] = []
    if not changes:
        raise CommandProblem("Say what shall change: `sealring apis update --help` lists it.")
    async with open_control(options.config) as control:
        api = await control.perform("apis.update", {"identifier": options.identifier, **changes})
    return Answer(api, _card(api))


async def _rotate_secret(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        made = await control.perform("apis.rotate_secret", {"identifier": options.identifier})
    said = f"new secret, shown this once:\nSEALRING_API_KEY={made['api_key']}"
    if made["api"]["secrets"] == 2:
        said += "\nthe one before stays good until the next rotation"
    return Answer(made, said)


async def _delete(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform("apis.delete", {"identifier": options.identifier})
    return Answer(outcome, f"deleted {shown(options.identifier)}")


def _members(options: Namespace) -> dict[str, Any]:
    said = {
        "scopes": dict(options.scope) or None,
        "access_token_lifetime": options.lifetime,
        "access_token_signing_alg": options.alg,
        "encryption_jwks": read_key_set(options.encryption_jwks, whose="API"),
        "byte_budget": options.byte_budget,
        "claims": options.claim or None,
        "insecure_long_access_tokens": options.insecure_long_access_tokens,
        "insecure_allow_personal_claims": options.insecure_allow_personal_claims,
    }
    return {name: value for name, value in said.items() if value is not None}


def _verifiers(api: dict[str, Any]) -> str:
    """Say what the verifiers of an API last told: `seen 2 s ago, feed 0.3 s behind, keys k7 k8, session_ended 3`."""
    report = api["report"]
    if report is None:
        return "never seen" if api["streams"] == 0 else f"{counted(api['streams'], 'stream')}, no reports"
    seen = max(0, round(time.time() - report["seen_at"] / 1000))
    behind = "feed unknown" if report["behind_ms"] is None else f"feed {report['behind_ms'] / 1000:.1f} s behind"
    keys = " ".join(kid[:8] for kid in report["keys"]) or "none"
    refused = [f"{code} {count}" for code, count in sorted(report["counts"].items()) if code != "accepted"]
    return ", ".join([f"{report['verifiers']} seen {seen} s ago", behind, f"keys {keys}", *refused])


def _card(api: dict[str, Any]) -> str:
    dangers = [name for name in ("insecure_long_access_tokens", "insecure_allow_personal_claims") if api[name]]
    opaque = api["access_token_format"] == "opaque"
    return card(
        [
            ("api", api["identifier"]),
            *((f"scope {shown(name)}", description) for name, description in sorted(api["scopes"].items())),
            ("lifetime", f"{api['access_token_lifetime']} s"),
            ("format", api["access_token_format"]),
            ("encrypted to", None if api["encryption_jwks"] is None else "a key of the API's own"),
            ("signed with", None if opaque else api["access_token_signing_alg"]),
            ("byte budget", f"{api['byte_budget']} octets"),
            ("claims", api["claims"]),
            ("insecure options", dangers),
            ("secrets", api["secrets"]),
            ("its verifiers", _verifiers(api)),
            ("added", moment(api["created_at"])),
        ]
    )


COMMANDS = {
    "apis": Noun(
        name="apis",
        summary="APIs: the audiences of access tokens.",
        commands=(
            Command("add", "register an API", _describe_add, _add),
            Command("list", "list APIs", no_arguments, _list),
            Command("show", "show an API", _describe_api, _show),
            Command("update", "change what is named; lists are replaced whole", _describe_update, _update),
            Command("rotate-secret", "give an API a new secret beside the last one", _describe_api, _rotate_secret),
            Command("delete", "delete an API for good", _describe_api, _delete),
        ),
    )
}
