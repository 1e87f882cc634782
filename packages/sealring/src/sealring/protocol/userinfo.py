"""What OpenID Connect tells of a person: the standard claims, by scope and by name (Core §5.1, §5.4)."""

from collections.abc import Mapping
from types import MappingProxyType

from sealring.protocol.user import User

CLAIMS_BY_SCOPE: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "profile": (
            *("name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile"),
            *("picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at"),
        ),
        "email": ("email", "email_verified"),
        "address": ("address",),
        "phone": ("phone_number", "phone_number_verified"),
    }
)
STANDARD_CLAIMS = frozenset(name for names in CLAIMS_BY_SCOPE.values() for name in names)


def claims_of(user: User, *, scope: frozenset[str], requested: frozenset[str]) -> dict[str, object]:
    """Return the standard claims that a person has, as far as scopes and names ask for them.

    `requested`: names out of the `claims` parameter; what is no standard claim is told to nobody.
    """
    names = requested & STANDARD_CLAIMS
    for word in scope & CLAIMS_BY_SCOPE.keys():
        names |= frozenset(CLAIMS_BY_SCOPE[word])
    known = _known_claims(user)
    return {name: known[name] for name in sorted(names) if name in known}


def _known_claims(user: User) -> Mapping[str, object]:
    """A claim that the operator wrote down goes before what the account itself says."""
    known: dict[str, object] = {"updated_at": user.created_at // 1000}
    if user.username is not None:
        known["preferred_username"] = user.username
    if user.email is not None:
        known |= {"email": user.email, "email_verified": False}
    return known | dict(user.claims)
