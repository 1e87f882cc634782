"""`sealring init`: four questions, then a configuration file, a master key, a store and the first things in it."""

import json
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any, Final, NamedTuple, cast
from urllib.parse import urlsplit

import msgspec

from sealring.cli.command import Answer, Command, CommandProblem
from sealring.cli.control import Control, open_store
from sealring.cli.output import moment
from sealring.cli.prompt import ask
from sealring.cli.recipe import RECIPES, RecipeName, client_of, gate_of, recipe_problem, site_of
from sealring.config import CONFIGURATION_FILE, Settings, SettingsProblem, make_settings
from sealring.protocol.api import SESSIONS_SCOPE
from sealring.protocol.api_registration import ApiRegistration, parse_api_registration
from sealring.protocol.client_registration import ClientRegistration
from sealring.protocol.discovery import is_loopback
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant

_PORT: Final = 8700
_NO_API: Final = "none yet"
_WHAT_SIGNS_IN: Final = "\n".join(
    ("1. What signs in?", *(f"   {name:8} {recipe.signs_in}" for name, recipe in RECIPES.items()), "  ")
)
_NO_DATABASE: Final = "A database is sqlite or postgresql://USER@HOST:PORT/DATABASE, nothing else."
_NO_PASSWORD: Final = (
    "Others can read what a command is told, so name the database without its password: write the password into a file "
    "that PGPASSFILE names, or into `database` in sealring.toml later."
)


class _Plan(NamedTuple):
    """What was answered. `api`: None for none yet; `site`: the origin of the pages; `database`: sqlite or a URL."""

    recipe: RecipeName
    api: str | None
    users: str
    issuer: str
    site: str
    database: str
    client_id: str


def _describe(parser: ArgumentParser) -> None:
    parser.add_argument("--recipe", choices=tuple(RECIPES), help="what signs in")
    parser.add_argument("--api", metavar="API", help="which API is called: its name or URI")
    parser.add_argument(
        "--users",
        choices=("self", "asserted"),
        help="who checks passwords. self: Sealring; asserted: your own back-end has",
    )
    parser.add_argument("--issuer", metavar="URL", help="where Sealring will be reachable: https://auth.example.com")
    parser.add_argument("--site", metavar="URL", help="where your pages are (default: at the issuer's host)")
    parser.add_argument(
        "--database", default="sqlite", metavar="DATABASE", help="sqlite, or the URL of a PostgreSQL database"
    )
    parser.add_argument("--client", default="site", metavar="ID", help="id of your site's client (default: site)")
    parser.add_argument(
        "--master-key-file",
        default="./secrets/master.key",
        metavar="FILE",
        help="where the master key goes, outside of the data",
    )
    parser.add_argument("--data", default="./data", metavar="FOLDER", help="where the database goes")
    parser.add_argument("--yes", action="store_true", help="ask nothing: take flags and defaults")


async def _init(options: Namespace) -> Answer:
    file = _vacant_file(options.config)
    plan = _plan(options)
    settings = _settings(plan, options, file=file)
    _check(plan)
    made = await _make_store(plan, settings)
    _write(file, _toml(plan, options))
    return Answer(made, _report(made, plan, file=file, key=options.master_key_file))


def _vacant_file(config: str | None) -> Path:
    file = Path(config or CONFIGURATION_FILE)
    if file.exists():
        raise CommandProblem(f"There already is {file}: run `sealring serve`, or move it away to begin anew.")
    return file


def _write(file: Path, text: str) -> None:
    try:
        with file.open("x") as written:
            written.write(text)
    except OSError as problem:
        raise CommandProblem(f"The configuration file {file} cannot be written ({problem.strerror}).") from problem


def _plan(options: Namespace) -> _Plan:
    """Answer each question by its flag, else by asking, else (with --yes) by its default."""

    def answer(flag: str | None, question: str, *, default: str) -> str:
        return flag or (default if options.yes else ask(question, default=default))

    recipe = answer(options.recipe, _WHAT_SIGNS_IN, default="site")
    api = answer(options.api, "2. Which API do they call? A name, such as orders", default=_NO_API)
    users = answer(
        options.users, "3. Who checks people's passwords? self: Sealring; asserted: your own back-end", default="self"
    )
    issuer = answer(options.issuer, "4. Where will Sealring be reachable?", default=f"http://localhost:{_PORT}")
    _check_database(options.database)
    problem = recipe_problem(recipe, users)
    if problem is not None:
        raise CommandProblem(problem)
    return _Plan(
        cast("RecipeName", recipe),
        None if api == _NO_API else api,
        users,
        issuer,
        options.site or site_of(issuer),
        options.database,
        options.client,
    )


def _check_database(database: str) -> None:
    if database == "sqlite":
        return
    try:
        parts = urlsplit(database)
    except ValueError:
        raise CommandProblem(_NO_DATABASE) from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise CommandProblem(_NO_DATABASE)
    if parts.password is not None or "password=" in parts.query:
        raise CommandProblem(_NO_PASSWORD)


def _settings(plan: _Plan, options: Namespace, *, file: Path) -> Settings:
    written = {
        "issuer": plan.issuer,
        "database": plan.database,
        "data": options.data,
        "master_key_file": options.master_key_file,
    }
    settings = make_settings(written, folder=file.absolute().parent, source=str(file))
    if isinstance(settings, SettingsProblem):
        raise CommandProblem(settings.sentence)
    return settings


def _check(plan: _Plan) -> None:
    # Before anything is written: what is refused later would leave half an installation.
    known = {plan.issuer: frozenset({SESSIONS_SCOPE})}
    if plan.api is not None:
        api = parse_api_registration(ApiRegistration(identifier=plan.api, scopes=_scopes(plan.api)), now=Instant(0))
        if isinstance(api, OAuthError):
            raise CommandProblem(api.description)
        known[plan.api] = frozenset(api.scopes)
    registration = _client(plan)
    if registration is not None:
        from sealring.services.client import judge_registration  # noqa: PLC0415 -- every room, as below

        request = msgspec.convert(registration, ClientRegistration)
        refused = judge_registration(request, issuer=plan.issuer, known=known, now=Instant(0))
        if isinstance(refused, OAuthError):
            raise CommandProblem(refused.description)


def _client(plan: _Plan) -> dict[str, Any] | None:
    members = client_of(
        plan.recipe, users=plan.users, api=plan.api, scopes=_all_scopes(plan), issuer=plan.issuer, site=plan.site
    )
    return None if members is None else {"client_id": plan.client_id, **members}


def _all_scopes(plan: _Plan) -> list[str]:
    return [] if plan.api is None else sorted(_scopes(plan.api))


def _scopes(api: str) -> dict[str, str]:
    prefix = "" if ":" in api else f"{api}:"
    return {f"{prefix}read": "Read", f"{prefix}write": "Change"}


async def _make_store(plan: _Plan, settings: Settings) -> dict[str, Any]:
    from sealring.compose import ComposeProblem, make_master_key  # noqa: PLC0415 -- every room: half a second

    try:
        make_master_key(settings)
    except ComposeProblem as problem:
        raise CommandProblem(str(problem)) from problem
    opened = False
    try:
        async with open_store(settings) as control:
            opened = True
            return await _register(plan, control)
    except CommandProblem:
        if not opened and not settings.path(settings.data).exists():
            # Nothing was sealed under the key yet, and left behind it would stop the next try.
            settings.path(settings.master_key_file).unlink()
        raise


async def _register(plan: _Plan, control: Control) -> dict[str, Any]:
    made: dict[str, Any] = {"issuer": plan.issuer, "api": None, "client": None, "gate": None}
    if plan.api is not None:
        scopes = _scopes(plan.api)
        made["api"] = await control.perform("apis.add", {"identifier": plan.api, "scopes": scopes})
    registration = _client(plan)
    if registration is not None:
        made["client"] = await control.perform("clients.add", registration)
    gate = gate_of(plan.recipe, api=plan.api, scopes=_all_scopes(plan), site=plan.site)
    if gate is not None:
        made["gate"] = await control.perform("gates.add", gate)
    made["link"] = await control.perform("users.link")
    return made


def _toml(plan: _Plan, options: Namespace) -> str:
    # A JSON text in ASCII is a TOML basic string.
    port = urlsplit(plan.issuer).port if is_loopback(plan.issuer) else None
    return f"""# Sealring's settings. docs/reference/settings.md lists them all; an unknown key stops the start.
issuer = {json.dumps(plan.issuer)}
database = {json.dumps(plan.database)}
data = {json.dumps(options.data)}
# Without this key the database opens nowhere. Keep a copy, apart from the backups of the data.
master_key_file = {json.dumps(options.master_key_file)}

[server]
host = "127.0.0.1"
port = {port or _PORT}
# Behind a TLS proxy, name it, so that its X-Forwarded-For counts:
# trusted_proxies = ["127.0.0.1/32"]

# Or let it speak TLS itself; renewed files are taken up while it runs:
# [tls]
# certificate_file = "/etc/letsencrypt/live/id.example.com/fullchain.pem"
# key_file = "/etc/letsencrypt/live/id.example.com/privkey.pem"
"""


def _report(made: dict[str, Any], plan: _Plan, *, file: Path, key: str) -> str:
    said = [f"wrote {file} and {key}: keep a copy of the key, apart from the backups of the data"]
    if made["api"] is not None:
        said += [
            f"\nAPI {plan.api}, for its verifier (shown this once):",
            f"  SEALRING_ISSUER={plan.issuer}",
            f"  SEALRING_AUDIENCE={plan.api}",
            f"  SEALRING_API_KEY={made['api']['api_key']}",
        ]
    if made["client"] is not None:
        said += _client_lines(made["client"], plan)
    if made["gate"] is not None:
        said += [
            f"\ngate {made['gate']['gate']['host']}, key of its proxy (shown this once):",
            f"  Sealring-Gate-Key: {made['gate']['gate_key']}",
        ]
    said += [
        f"\nfirst administrator, once the server runs, until {moment(made['link']['expires_at'])}:",
        f"  {made['link']['url']}",
        "  (`sealring users link` makes another)",
        "\nnext:",
        "  sealring serve",
        "  sealring users add ada",
        f"  docs/how-to/{RECIPES[plan.recipe].how_to} goes on from here",
    ]
    return "\n".join(said)


def _client_lines(added: dict[str, Any], plan: _Plan) -> list[str]:
    secret = added["client_secret"]
    lines = [f"\nclient {plan.client_id}" + (", its secret (shown this once):" if secret else ", which has no secret")]
    if secret:
        lines.append(f"  {secret}")
    flow = added["client"]["code_flow"]
    if flow is not None:
        lines.append(f"  people come back to {flow['redirect_uris'][0]}")
    return lines


COMMANDS = {"init": Command("init", "Set up an installation in this folder.", _describe, _init)}
