"""Scopes and the one API that a token names (RFC 6749 §3.3, RFC 8707)."""

import re
from collections.abc import Collection, Mapping
from functools import lru_cache

import msgspec

from sealring.protocol.errors import OAuthError, refuse

OPENID_SCOPES = frozenset({"openid", "profile", "email", "address", "phone", "offline_access"})
"""Scopes of the issuer's own API that every client of the code flow may ask for (OpenID Connect Core §5.4, §11)."""

_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
_MAXIMUM_SCOPES = 64
_LONGEST_KEPT = 256  # characters


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """The API that a token is for, and the scopes of it that the token carries."""

    audience: str
    scope: frozenset[str]


def parse_scope(text: str) -> frozenset[str] | OAuthError:
    """Parse a space-delimited scope list (RFC 6749 §3.3); empty, malformed or over 64 scopes is `invalid_scope`."""
    return _scope_of(text) if len(text) <= _LONGEST_KEPT else _parse(text)


def _parse(text: str) -> frozenset[str] | OAuthError:
    words = text.split(" ")
    if len(words) > _MAXIMUM_SCOPES or not all(_SCOPE_TOKEN.fullmatch(word) for word in words):
        return refuse("invalid_scope")
    return frozenset(words)


# Clients ask for the same few scopes again and again; what strangers send is bounded in length and in number.
_scope_of = lru_cache(maxsize=1024)(_parse)


def scope_text(scope: Collection[str]) -> str:
    """Write scopes in the one order in which we always write them."""
    return " ".join(sorted(scope))


def decide_target(
    scope: frozenset[str], resource: str | None, *, allowed: Mapping[str, frozenset[str]]
) -> Target | OAuthError:
    """Find the one API that a token is for (RFC 8707 §2.2). `allowed`: API identifier → scopes within reach.

    With a resource the token carries the scopes of that API only; without one, the one API must own them all. Beside
    the scopes of another API those of OpenID Connect are the session's, and the token is for that other API.
    """
    if not scope:
        return refuse("invalid_scope")
    if not scope <= frozenset().union(*allowed.values()):
        return refuse("invalid_scope")
    if resource is not None:
        within = scope & allowed.get(resource, frozenset())
        return Target(audience=resource, scope=within) if within else refuse("invalid_target")
    owned = scope - OPENID_SCOPES or scope
    owners = [identifier for identifier, scopes in allowed.items() if owned <= scopes]
    if len(owners) != 1:
        return refuse("invalid_target")
    return Target(audience=owners[0], scope=scope & allowed[owners[0]])
