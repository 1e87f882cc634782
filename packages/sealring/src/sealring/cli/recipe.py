"""What `sealring init` registers for each answer to its first question, and which page goes on from there.

docs/explanation/do-you-need-tokens.md asks the same questions of a reader who has not decided yet.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, get_args
from urllib.parse import urlsplit

from sealring.protocol.api import SESSIONS_SCOPE
from sealring.protocol.discovery import is_loopback

RecipeName = Literal["site", "page", "backend", "proxy", "program"]
Users = Literal["self", "asserted"]

_OF_A_BACK_END: Final = ("sessions:create", "sessions:revoke")
_LOCAL_SITE: Final = "http://localhost:5000"


class Recipe(NamedTuple):
    """One answer. `signs_in`: in words; `how_to`: the page below docs/how-to that goes on from there."""

    signs_in: str
    how_to: str


RECIPES: Final[Mapping[RecipeName, Recipe]] = {
    "site": Recipe(
        "people, on a site whose server renders its pages (Flask, Django …)", "sign-in-on-a-classic-site.md"
    ),
    "page": Recipe("people, on a page whose scripts call your API (React …)", "sign-in-from-a-page.md"),
    "backend": Recipe("people, by a log-in form of your own, in your own back-end", "sign-in-from-your-back-end.md"),
    "proxy": Recipe(
        "people or programs, at any service behind nginx, Caddy or Envoy", "protect-a-site-behind-a-proxy.md"
    ),
    "program": Recipe("scripts, jobs and services, in their own name", "sign-in-from-a-program.md"),
}
assert RECIPES.keys() == set(get_args(RecipeName))  # noqa: S101 -- each answer has its recipe


def recipe_problem(name: str, users: str) -> str | None:
    """Say in a sentence why these two answers do not go together; None where they do."""
    if name not in RECIPES:
        return f"What signs in is one of {', '.join(RECIPES)}, not {name!r}."
    if users not in get_args(Users):
        return f"Users are self or asserted, not {users!r}."
    if users == "asserted" and name != "backend":
        return "Where your own back-end checks the passwords, it opens the sessions as well: the recipe is backend."
    return None


def gate_of(name: RecipeName, *, api: str | None, scopes: list[str], site: str) -> dict[str, Any] | None:
    """Write the registration of the gate that a proxy's recipe needs; None for every other recipe."""
    if name != "proxy":
        return None
    return {"host": urlsplit(site).netloc, "api": api, "scopes": scopes}


def site_of(issuer: str) -> str:
    """Take the issuer's origin for the site's, or the port of Flask's on a machine where both are tried out."""
    if is_loopback(issuer):
        return _LOCAL_SITE
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}"


def client_of(
    name: RecipeName, *, users: str, api: str | None, scopes: list[str], issuer: str, site: str
) -> dict[str, Any] | None:
    """Write the registration of the recipe's client, less its id; None where there is nothing to register yet.

    `api`: None for none yet; `scopes`: all of its scopes; `site`: the origin of the pages.
    """
    allowed = {} if api is None else {api: scopes}
    match name:
        case "site":
            flow = {"redirect_uris": [f"{site}/.sealring/callback"], "consent": "skip"}
            logout = {"post_logout_redirect_uris": [f"{site}/"]}
            return {"type": "confidential", "allowed": allowed, "code_flow": flow, "logout": logout}
        case "page":
            flow = {"redirect_uris": [f"{site}/"], "consent": "skip"}
            logout = {"post_logout_redirect_uris": [f"{site}/"]}
            delivered = {"token_delivery": "cookie", "origins": [site]}
            return {"type": "public", "allowed": allowed, "code_flow": flow, "logout": logout, **delivered}
        case "backend" if api is not None:
            permissions = list(_OF_A_BACK_END) if users == "asserted" else []
            allowed = {**allowed, issuer: [SESSIONS_SCOPE]}
            return {"type": "confidential", "first_party": True, "permissions": permissions, "allowed": allowed}
        case "program" if api is not None:
            return {"type": "confidential", "client_credentials": True, "refresh": False, "allowed": allowed}
        case "backend" | "program" | "proxy":
            return None
