"""What `sealring` says of itself: the first hour's commands first, and where each noun's commands are."""

from typing import Final

FIRST_HOUR: Final = {
    "demo": "try it: a server, an example API and a page to play with, on this machine only",
    "init": "set up an installation: four questions, one configuration file, one master key",
    "serve": "run the server",
    "users": "add, list, show, disable, enable, delete; set-password, roles, claims, link",
    "clients": "add, list, show, update, rotate-secret, disable, enable, delete",
    "apis": "add, list, show, update, rotate-secret, delete",
    "sessions": "list, end",
    "audit": "tail, verify, anchor",
    "migrate": "bring the store up to date",
}
LATER: Final = {
    "status": "say how the installation stands",
    "backup": "copy the database, also while the server runs",
    "restore": "put a backup in its place: everybody signs in again",
    "migrate-store": "move the whole store from SQLite to PostgreSQL; nobody is signed out",
    "gates": "add, list, update, rotate-key, remove",
    "initial-access-tokens": "make, list, delete",
    "tokens": "issue, revoke",
    "inspect": "look into a token, offline: what it says, a reviewer's remarks, whether it is good",
    "keys": "list, rotate, rewrap, revoke",
    "recover": "begin anew after the store was restored from a backup",
}
MODULES: Final = {name: name for name in (*FIRST_HOUR, *LATER)} | {
    "initial-access-tokens": "initial_access_tokens",
    "migrate": "store_state",
    "migrate-store": "store_migration",
    "status": "store_state",
    "recover": "store_state",
    "backup": "store_state",
    "restore": "store_state",
}
"""Command or noun → the module of this room that has it."""

HIDDEN: Final = {"dev": "demo"}
"""Commands for test benches, which the first page does not name."""


def first_page() -> str:
    """Write the first page of the help."""
    width = max(map(len, MODULES))
    return "\n".join(
        [
            "sealring: a self-hosted token service",
            "",
            "usage: sealring COMMAND [--json] [--config FILE] …",
            "",
            "the first hour:",
            *(f"  {name:<{width}}  {summary}" for name, summary in FIRST_HOUR.items()),
            "",
            "later:",
            *(f"  {name:<{width}}  {summary}" for name, summary in LATER.items()),
            "",
            "sealring COMMAND --help says more. Passwords come by prompt or --password-stdin, never as an argument.",
            "exit status: 0 done, 1 refused, 2 usage or configuration, 3 unreachable",
        ]
    )
