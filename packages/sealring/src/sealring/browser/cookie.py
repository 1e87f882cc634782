"""Cookies of our own: read without leniency, and written so that no neighbour can plant one (SECURITY D1)."""

import re
from collections.abc import Mapping
from typing import Final, Literal

from msgspec import Struct

SameSite = Literal["Lax", "Strict"]
_LONGEST: Final = 8192  # characters of a Cookie header
_VALUE: Final = re.compile(r"[A-Za-z0-9_.~-]{1,4096}")


class CookiesRefused(Struct, frozen=True):
    """A browser has two cookies of one of our names: somebody planted one, and nobody can say which."""

    name: str


def cookie_name(noun: str, *, secure: bool) -> str:
    """Name a cookie. `secure`: False on a loopback address without TLS alone, where browsers take no `__Host-`."""
    return f"__Host-sealring-{noun}" if secure else f"sealring-{noun}"


def parse_cookies(header: str | None, *, secure: bool) -> Mapping[str, str] | CookiesRefused:
    """Read a Cookie header: name → value, of those whose names begin as ours do; values of other forms are left out.

    `secure`: as in `cookie_name`. Over TLS a neighbour can plant names without the prefix, so these count for nothing:
    not even two of them block anybody.
    """
    ours = cookie_name("", secure=secure)
    cookies: dict[str, str | None] = {}
    for pair in (header or "")[:_LONGEST].replace(", ", "; ").split(";"):
        name, _, value = pair.strip().partition("=")
        if not name.startswith(ours):
            continue
        if name in cookies:
            return CookiesRefused(name)
        cookies[name] = value if _VALUE.fullmatch(value) else None
    return {name: value for name, value in cookies.items() if value is not None}


def without_own_cookies(header: str | None, *, secure: bool) -> str:
    """Write a Cookie header again without any cookie of ours, whatever its value: none is for a service behind us."""
    ours = cookie_name("", secure=secure)
    pairs = [pair.strip() for pair in (header or "").replace(", ", "; ").split(";")]
    return "; ".join(pair for pair in pairs if pair and not pair.startswith(ours))


def set_cookie(name: str, value: str, *, same_site: SameSite, max_age: int | None = None) -> tuple[bytes, bytes]:
    """Write a Set-Cookie header: host only, whole site, out of reach of scripts. `max_age`: seconds, None: the session.

    A Domain is never set.
    """
    secure = "; Secure" if name.startswith("__Host-") else ""
    lasting = "" if max_age is None else f"; Max-Age={max_age}"
    return (b"set-cookie", f"{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{lasting}".encode("ascii"))


def clear_cookie(name: str, *, same_site: SameSite) -> tuple[bytes, bytes]:
    """Write the Set-Cookie header that takes a cookie away."""
    return set_cookie(name, "", same_site=same_site, max_age=0)
