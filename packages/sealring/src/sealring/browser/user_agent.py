"""The family of a user agent: coarse enough to survive an update, fine enough to tell a browser from a script."""

import re
from functools import lru_cache
from typing import Final

UNKNOWN_FAMILY: Final = "unknown"
"""The family of a request without a usable `User-Agent`."""

_LONGEST_READ: Final = 512  # characters
_LONGEST_FAMILY: Final = 32  # characters
# In this order: each browser also names those that it descends from.
_FAMILIES: Final = (
    ("Edge", re.compile(r"\bEdg(?:e|A|iOS)?/")),
    ("Firefox", re.compile(r"\b(?:Firefox|FxiOS)/")),
    ("Chrome", re.compile(r"\b(?:Chrome|Chromium|CriOS|HeadlessChrome)/")),
    ("Safari", re.compile(r"\bSafari/")),
    ("curl", re.compile(r"^curl/")),
    ("python-httpx", re.compile(r"^python-httpx/")),
)
_NO_TOKEN_CHARACTER: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")  # RFC 9110 §5.6.2


def user_agent_family(user_agent: str | None) -> str:
    """Name the family of a `User-Agent` header (RFC 9110 §10.1.5), in at most 32 printable ASCII characters.

    `Firefox`, `Chrome`, `Safari`, `Edge`, `curl`, `python-httpx`; else the name of the first product; else `unknown`.
    """
    return _family_of((user_agent or "")[:_LONGEST_READ])


# The same few programs ask again and again; what strangers send is bounded in length and in number.
@lru_cache(maxsize=1024)
def _family_of(text: str) -> str:
    for family, pattern in _FAMILIES:
        if pattern.search(text):
            return family
    product = text.strip().partition(" ")[0].partition("/")[0]
    return _NO_TOKEN_CHARACTER.sub("", product)[:_LONGEST_FAMILY] or UNKNOWN_FAMILY
