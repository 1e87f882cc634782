"""`sealring clients`: the programs that sign people in, or work in their own name."""

from argparse import ArgumentParser, BooleanOptionalAction, Namespace
from typing import Any

from sealring.cli.acknowledgement import acknowledged
from sealring.cli.client_code_flow import (
    code_flow_lines,
    code_flow_members,
    describe_code_flow,
    describe_code_flow_end,
)
from sealring.cli.command import Answer, Command, CommandProblem, Noun, no_arguments
from sealring.cli.control import open_control
from sealring.cli.key_set import read_key_set
from sealring.cli.output import card, counted, moment, shown, table


def _describe_client(parser: ArgumentParser) -> None:
    parser.add_argument("client_id", metavar="CLIENT", help="the client's id")


def _describe_members(parser: ArgumentParser) -> None:
    """Add what a client may be given; None, or an empty list, where it was not said."""
    parser.add_argument("--name", help="what people read (default: the id)")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        nargs=2,
        metavar=("API", "SCOPES"),
        help='an API and its scopes, as in --allow orders "orders:read orders:write"; may be given several times',
    )
    parser.add_argument(
        "--client-credentials", action=BooleanOptionalAction, help="gets access tokens in its own name (default: no)"
    )
    parser.add_argument(
        "--auth-method",
        choices=("client_secret_basic", "client_secret_post", "private_key_jwt"),
        help="the one way in which it proves who it is (default: client_secret_basic)",
    )
    parser.add_argument("--jwks", metavar="FILE", help="a JWK set with its public keys (-: standard input)")
    parser.add_argument(
        "--jwks-uri", metavar="URL", help="where it publishes its public keys: https://app.example/jwks"
    )
    parser.add_argument(
        "--auth-signing-alg",
        choices=("ES256", "Ed25519", "EdDSA", "PS256", "RS256"),
        help="what its assertions are signed with (default: any of these)",
    )
    parser.add_argument(
        "--token-endpoint-audience",
        action=BooleanOptionalAction,
        help="its assertions may name the token endpoint, or a list (default: the issuer alone)",
    )
    parser.add_argument("--first-party", action=BooleanOptionalAction, help="may sign people in with name and password")
    parser.add_argument("--permission", action="append", default=[], help="sessions:create or sessions:revoke; several")
    parser.add_argument(
        "--origin", action="append", default=[], help="a page that may use it: https://app.example; several"
    )
    parser.add_argument("--delivery", choices=("body", "cookie"), help="how its tokens are delivered (default: body)")
    parser.add_argument("--refresh", action=BooleanOptionalAction, help="whether it gets refresh tokens (default: yes)")
    parser.add_argument("--idle", type=int, metavar="SECONDS", help="a session ends when unused so long")
    parser.add_argument("--absolute", type=int, metavar="SECONDS", help="a session ends after so long")
    parser.add_argument("--grace", type=int, metavar="SECONDS", help="a lost answer may be asked for again (0 to 60)")
    describe_code_flow(parser)


def _describe_add(parser: ArgumentParser) -> None:
    _describe_client(parser)
    parser.add_argument("--public", action="store_true", help="it cannot keep a secret: a page, a native application")
    _describe_members(parser)


async def _add(options: Namespace) -> Answer:
    request = {
        "client_id": options.client_id,
        "type": "public" if options.public else "confidential",
        "allowed": {},
        **_members(options),
    }
    async with open_control(options.config) as control:
        added = await control.perform("clients.add", request)
    said = [_card(added["client"])]
    if added["client_secret"] is not None:
        said.append(f"\nsecret, shown this once: {added['client_secret']}")
    return Answer(added, "\n".join(said))


async def _list(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        found = await control.perform("clients.list")
    rows = [
        (
            client["client_id"],
            client["name"],
            client["type"],
            client["first_party"],
            sorted(client["allowed"]),
            "enabled" if client["disabled_at"] is None else "disabled",
        )
        for client in found["clients"]
    ]
    return Answer(found, table(("client", "name", "type", "first party", "apis", "state"), rows))


async def _show(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        client = await control.perform("clients.show", {"client_id": options.client_id})
    return Answer(client, _card(client))


def _describe_update(parser: ArgumentParser) -> None:
    _describe_client(parser)
    _describe_members(parser)
    parser.add_argument("--no-apis", action="store_true", help="take all APIs away")
    parser.add_argument("--no-permissions", action="store_true", help="take all permissions away")
    parser.add_argument("--no-origins", action="store_true", help="take all origins away")
    describe_code_flow_end(parser)


async def _update(options: Namespace) -> Answer:
    changes = _members(options)
    if options.no_apis:
        changes["allowed"] = {}
    if options.no_permissions:
        changes["permissions"] = []
    if options.no_origins:
        changes["origins"] = []
    if not changes:
        raise CommandProblem("Say what shall change: `sealring clients update --help` lists it.")
    async with open_control(options.config) as control:
        client = await control.perform("clients.update", {"client_id": options.client_id, **changes})
    return Answer(client, "\n".join([_card(client), *_taken_away(client)]))


def _taken_away(client: dict[str, Any]) -> list[str]:
    """Say how long what the client lost may still be used, and what ends it now."""
    if not client["taken_away"]:
        return []
    name = shown(client["client_id"])
    # Whatever raises its epoch: not every client has a secret that could be called compromised.
    act = f"`sealring clients rotate-secret {name} --compromised` ends"
    if client["token_endpoint_auth_method"] in {"none", "private_key_jwt"}:
        act = f"`sealring clients disable {name}` and `enable` end"
    return [
        *(
            f"tokens issued before may pass at api {shown(lost['api'])} until {moment(lost['accepted_until'])} with: "
            f"{shown(lost['scopes'])}"
            for lost in client["taken_away"]
        ),
        f"{act} them now at every API that follows the revocation feed, and the client's sessions",
    ]


def _describe_rotate_secret(parser: ArgumentParser) -> None:
    _describe_client(parser)
    parser.add_argument(
        "--compromised", action="store_true", help="end the old secrets, and all sessions and tokens of the client, now"
    )


async def _rotate_secret(options: Namespace) -> Answer:
    request = {"client_id": options.client_id, "compromised": options.compromised}
    async with open_control(options.config) as control:
        made = await control.perform("clients.rotate_secret", request)
    said = f"new secret, shown this once: {made['client_secret']}"
    if made["sessions"] is not None:
        said += acknowledged(f"\n{counted(made['sessions'], 'session')} ended", made["known"])
    if made["secrets"] == 2:
        said += "\nthe one before stays good until the next rotation"
    return Answer(made, said)


async def _disable(options: Namespace) -> Answer:
    return await _end(options, "clients.disable", "disabled")


async def _enable(options: Namespace) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform("clients.enable", {"client_id": options.client_id})
    return Answer(outcome, f"enabled {shown(options.client_id)}")


async def _delete(options: Namespace) -> Answer:
    return await _end(options, "clients.delete", "deleted")


async def _end(options: Namespace, act: str, done: str) -> Answer:
    async with open_control(options.config) as control:
        outcome = await control.perform(act, {"client_id": options.client_id})
    said = f"{done} {shown(options.client_id)}; {counted(outcome['sessions'], 'session')} ended"
    return Answer(outcome, acknowledged(said, outcome["known"]))


def _members(options: Namespace) -> dict[str, Any]:
    said = {
        "name": options.name,
        "allowed": {api: scopes.split() for api, scopes in options.allow} or None,
        "client_credentials": options.client_credentials,
        "token_endpoint_auth_method": options.auth_method,
        "token_endpoint_auth_signing_alg": options.auth_signing_alg,
        "token_endpoint_audience": options.token_endpoint_audience,
        "jwks": read_key_set(options.jwks, whose="client"),
        "jwks_uri": options.jwks_uri,
        "first_party": options.first_party,
        "permissions": options.permission or None,
        "origins": options.origin or None,
        "token_delivery": options.delivery,
        "refresh": options.refresh,
        "idle_lifetime": options.idle,
        "absolute_lifetime": options.absolute,
        "grace_window": options.grace,
        **code_flow_members(options),
    }
    return {name: value for name, value in said.items() if value is not None}


def _card(client: dict[str, Any]) -> str:
    return card(
        [
            ("client", client["client_id"]),
            ("name", client["name"]),
            ("type", client["type"]),
            ("secrets", client["secrets"]),
            ("authentication", client["token_endpoint_auth_method"]),
            ("keys", client["jwks_uri"] or (None if client["jwks"] is None else "registered")),
            *_assertion_lines(client["assertion"]),
            ("client credentials", client["client_credentials"]),
            ("first party", client["first_party"]),
            ("permissions", client["permissions"]),
            *((f"may ask {shown(api)} for", scopes) for api, scopes in sorted(client["allowed"].items())),
            ("origins", client["origins"]),
            ("delivery", client["token_delivery"]),
            ("refresh tokens", client["refresh"]),
            ("idle lifetime", f"{client['idle_lifetime']} s"),
            ("absolute lifetime", f"{client['absolute_lifetime']} s"),
            ("grace window", f"{client['grace_window']} s"),
            *code_flow_lines(client),
            ("added", moment(client["created_at"])),
            ("disabled", moment(client["disabled_at"])),
        ]
    )


def _assertion_lines(terms: dict[str, Any] | None) -> list[tuple[str, Any]]:
    if terms is None:
        return []
    audience = "issuer or token endpoint" if terms["token_endpoint_audience"] else "issuer"
    return [("assertions signed with", terms["token_endpoint_auth_signing_alg"]), ("assertions name", audience)]


COMMANDS = {
    "clients": Noun(
        name="clients",
        summary="Clients: the programs that sign people in, or work in their own name.",
        commands=(
            Command("add", "register a client", _describe_add, _add),
            Command("list", "list clients", no_arguments, _list),
            Command("show", "show a client", _describe_client, _show),
            Command("update", "change what is named; lists are replaced whole", _describe_update, _update),
            Command(
                "rotate-secret",
                "give a client a new secret beside the last one",
                _describe_rotate_secret,
                _rotate_secret,
            ),
            Command("disable", "refuse a client, and end its sessions", _describe_client, _disable),
            Command("enable", "take a client again", _describe_client, _enable),
            Command("delete", "delete a client for good, and end its sessions", _describe_client, _delete),
        ),
    )
}
