"""The `claims` parameter: which claims a client wants, and where (OpenID Connect Core §5.5)."""

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import parse_json_object

_LONGEST = 4096  # octets
_MOST_CLAIMS = 64


class RequestedClaims(msgspec.Struct, frozen=True, kw_only=True):
    """Names wanted from userinfo and in the ID token; unknown ones stand for nothing. Values are not weighed.

    `sub`: the only person whom the client wants signed in. `acr_values`: what the log-in should be worth, best first.
    """

    userinfo: frozenset[str] = frozenset()
    id_token: frozenset[str] = frozenset()
    sub: str | None = None
    acr_values: tuple[str, ...] = ()


class _Members(msgspec.Struct, frozen=True):
    userinfo: dict[str, dict[str, object] | None] | None = None
    id_token: dict[str, dict[str, object] | None] | None = None


def parse_requested_claims(text: bytes) -> RequestedClaims | OAuthError:
    """Parse the JSON of a `claims` parameter; members beside `userinfo` and `id_token` are ignored."""
    if len(text) > _LONGEST:
        return refuse("invalid_parameter", description="The claims parameter is longer than 4 KiB.")
    members = parse_json_object(text, _Members)
    if isinstance(members, OAuthError):
        return refuse("invalid_parameter", description="The claims parameter is no JSON object of requested claims.")
    userinfo, id_token = members.userinfo or {}, members.id_token or {}
    if len(userinfo) + len(id_token) > _MOST_CLAIMS:
        return refuse("invalid_parameter", description=f"The claims parameter asks for over {_MOST_CLAIMS} claims.")
    wanted = id_token.get("sub") or userinfo.get("sub") or {}
    sub = wanted.get("value")
    return RequestedClaims(
        userinfo=frozenset(userinfo),
        id_token=frozenset(id_token),
        sub=sub if isinstance(sub, str) else None,
        acr_values=_acr_values(id_token.get("acr") or {}),
    )


def _acr_values(wanted: dict[str, object]) -> tuple[str, ...]:
    values = wanted.get("values")
    several = values if isinstance(values, list) else [wanted.get("value")]
    return tuple(value for value in several if isinstance(value, str))
