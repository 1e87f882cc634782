"""What a client may ask for no longer, and how long what it has been given goes on being accepted (RFC 9068)."""

from collections.abc import Iterable

import msgspec

from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.client import Client
from sealring.protocol.instant import Instant, later


class AccessTakenAway(msgspec.Struct, frozen=True, kw_only=True):
    """Scopes at an API that no new token of a client has. `accepted_until`: when the last one that has has expired."""

    api: str
    scopes: tuple[str, ...]
    accepted_until: Instant


def find_access_taken_away(
    before: Client, after: Client, *, apis: Iterable[Api], issuer: str, now: Instant
) -> tuple[AccessTakenAway, ...]:
    """Compare a client with what it was: which scopes are gone, for persons or for tokens in its own name.

    `issuer`: its own API, which takes no client's own tokens.
    """
    grant_gone = before.client_credentials and not after.client_credentials
    found = []
    for api in apis:
        had = before.allowed.get(api.identifier, frozenset())
        has = frozenset() if grant_gone and api.identifier != issuer else after.allowed.get(api.identifier, frozenset())
        if had - has:
            until = later(now, longest_access_token_lifetime(api, now=now))
            scopes = tuple(sorted(had - has))
            found.append(AccessTakenAway(api=api.identifier, scopes=scopes, accepted_until=until))
    return tuple(found)
