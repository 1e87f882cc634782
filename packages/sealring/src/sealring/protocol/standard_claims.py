"""What a standard claim about a person must be, so that no client meets another type (OpenID Connect Core §5.1)."""

import re
from collections.abc import Mapping
from typing import Final

from sealring.protocol.userinfo import STANDARD_CLAIMS

_FLAGS: Final = frozenset({"email_verified", "phone_number_verified"})
_PAGES: Final = frozenset({"profile", "picture", "website"})
_ADDRESS_PARTS: Final = frozenset(
    {"formatted", "street_address", "locality", "region", "postal_code", "country"},
)
# A page is shown as a link: no other scheme, nothing that a parser could take for the end of an attribute.
_PAGE: Final = re.compile(r"https?://[A-Za-z0-9.\[\]:_~%-]+(?:[/?#][\x21\x23-\x26\x28-\x3b\x3d\x3f-\x5b\x5d-\x7e]*)?")
_BIRTHDATE: Final = re.compile(r"\d{4}(?:-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01]))?", re.ASCII)
_LARGEST_INTEGER: Final = 2**53


def standard_claim_problem(claims: Mapping[str, object]) -> str | None:
    """Say in a sentence which standard claim has a value that it may not have; None where all are good.

    Other claims may hold anything. A birthdate is YYYY-MM-DD, 0000-MM-DD without the year, or YYYY alone.
    """
    for name in sorted(claims.keys() & STANDARD_CLAIMS):
        wanted = _problem(name, claims[name])
        if wanted is not None:
            return f"The standard claim {name!r} is {wanted} (OpenID Connect Core 1.0, 5.1)."
    return None


def _problem(name: str, value: object) -> str | None:
    if name in _FLAGS:
        return None if isinstance(value, bool) else "true or false"
    if name in _PAGES:
        return None if isinstance(value, str) and _PAGE.fullmatch(value) else "an http or https address"
    if name == "address":
        return None if _is_address(value) else f"an object of texts: {', '.join(sorted(_ADDRESS_PARTS))}"
    if name == "updated_at":
        whole = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LARGEST_INTEGER
        return None if whole else "a whole number of seconds since 1970"
    if name == "birthdate":
        return None if isinstance(value, str) and _BIRTHDATE.fullmatch(value) else "a date: YYYY-MM-DD, or YYYY"
    return None if isinstance(value, str) and value else "a text that is not empty"


def _is_address(value: object) -> bool:
    return isinstance(value, dict) and all(
        part in _ADDRESS_PARTS and isinstance(text, str) and bool(text) for part, text in value.items()
    )
