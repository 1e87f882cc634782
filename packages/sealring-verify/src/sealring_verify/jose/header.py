"""The header of a compact JWS (RFC 7515 §4)."""

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.jose.json_object import DuplicateMember, FlatValue, parse_flat_json_object

# RFC 7515 §4.1: members that nobody here reads. Of another type they make a header that other readers refuse.
_TEXTS = frozenset({"cty", "jku", "x5u", "x5t", "x5t#S256"})
# A key of the token's own is an attack or a mistake; b64 would change what the payload is (RFC 7797 §7: not for JWTs).
_NEVER = frozenset({"jwk", "b64"})


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What counts of a token's header. `jwk`, `jku`, `x5u` and `x5c` are not here: no key ever comes from a token."""

    alg: str
    kid: str | None
    typ: str | None


def parse_header(octets: bytes) -> Header:
    """Read a header's JSON. Raises InvalidToken: token_malformed, duplicate_member, critical_header."""
    try:
        members = parse_flat_json_object(octets)
    except DuplicateMember:
        raise InvalidToken("duplicate_member") from None
    except ValueError:
        raise InvalidToken("token_malformed") from None
    # RFC 7515 §4.1.11: none of the extensions that a `crit` could name is understood, and an empty one is forbidden.
    if "crit" in members:
        raise InvalidToken("critical_header")
    alg = _optional_string(members, "alg")
    if alg is None or not _NEVER.isdisjoint(members) or not isinstance(members.get("x5c", []), list):
        raise InvalidToken("token_malformed")
    for name in _TEXTS.intersection(members):
        _optional_string(members, name)
    return Header(alg=alg, kid=_optional_string(members, "kid"), typ=_optional_string(members, "typ"))


def _optional_string(members: dict[str, FlatValue], name: str) -> str | None:
    value = members.get(name)
    if name in members and not isinstance(value, str):
        raise InvalidToken("token_malformed")
    return value if isinstance(value, str) else None
