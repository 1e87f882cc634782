"""What may be written down about a user beside names and password: roles and custom claims."""

import re
from collections.abc import Mapping, Sequence

import msgspec

from sealring.protocol.access_token import REGISTERED_CLAIMS
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.json_object import is_clean_json
from sealring.protocol.standard_claims import standard_claim_problem

_ROLE = re.compile(r"[A-Za-z0-9._:/-]{1,64}")
_CLAIM_NAME = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_MOST_ROLES = 64
_LARGEST_CLAIMS = 4096  # octets of JSON


def parse_roles(names: Sequence[str]) -> tuple[str, ...] | OAuthError:
    """Read a user's roles: at most 64, each 1 to 64 characters; given back once each, in one order."""
    roles = sorted(set(names))
    if len(roles) > _MOST_ROLES or not all(_ROLE.fullmatch(role) for role in roles):
        return refuse(
            "invalid_parameter",
            description=f"A user has at most {_MOST_ROLES} roles, each of 1 to 64 characters out of "
            "A-Z a-z 0-9 . _ : / -",
        )
    return tuple(roles)


def parse_custom_claims(claims: Mapping[str, object]) -> bytes | OAuthError:
    """Read a user's custom claims and give them as JSON, at most 4096 octets.

    Refused are registered names, NUL and lone surrogates anywhere, more than 16 levels, and standard claims of another
    type than OpenID Connect gives them.
    """
    reserved = sorted(claims.keys() & REGISTERED_CLAIMS)
    if reserved:
        return refuse("reserved_claim", description=f"The claim {reserved[0]!r} may not be set by hand.")
    if not all(_CLAIM_NAME.fullmatch(name) for name in claims):
        return refuse(
            "invalid_parameter",
            description="A claim's name has 1 to 128 characters out of A-Z a-z 0-9 . _ : / -",
        )
    if not is_clean_json(dict(claims)):
        return refuse("invalid_parameter", description="A claim holds NUL, half a character or too many levels.")
    sentence = standard_claim_problem(claims)
    if sentence is not None:
        return refuse("invalid_parameter", description=sentence)
    encoded = msgspec.json.encode(claims, order="sorted")
    if len(encoded) > _LARGEST_CLAIMS:
        return refuse("invalid_parameter", description=f"Custom claims have at most {_LARGEST_CLAIMS} octets of JSON.")
    return encoded
