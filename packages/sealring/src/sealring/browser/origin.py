"""Origins: which web page may use the cookie endpoints, and what a browser is told about it (SECURITY D2)."""

import re
from collections.abc import Sequence
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Final, NewType

from msgspec import Struct

Origin = NewType("Origin", str)
"""A serialised origin as a browser sends it: `https://app.example` or `http://localhost:3000` (RFC 6454 §6.2)."""

VARY_ORIGIN: Final = (b"vary", b"Origin")
"""For every answer of an endpoint that some origin may read, also where this one may not: caches tell them apart."""

_LONGEST_ORIGIN: Final = 255  # characters
_PREFLIGHT_SECONDS: Final = b"600"  # Chromium's cap is 7200; an origin that is withdrawn should notice sooner
_READABLE_HEADERS: Final = b"DPoP-Nonce, Retry-After, WWW-Authenticate"
_SERIALISED: Final = re.compile(r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::([1-9][0-9]{0,4}))?")
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


class OriginMalformed(Struct, frozen=True):
    """A text cannot be registered as an origin; the sentence says what to write instead."""

    sentence: str


def may_be_own_form(origin: str | None, sec_fetch_site: str | None, *, issuer: str) -> bool:
    """Say whether a form may have come from a page of ours; browsers that say nothing are held by the form's secret."""
    scheme, _, host, *_path = issuer.split("/")
    return sec_fetch_site in {None, "same-origin", "none"} and origin in {None, f"{scheme}//{host}"}


def parse_origin(text: str) -> Origin | OriginMalformed:
    """Read an origin for registration, in exactly the form that browsers send; nothing is mended in silence.

    https, or http on this machine (localhost, 127.0.0.0/8, [::1]); lower case; no path; no default port.
    """
    match = _SERIALISED.fullmatch(text) if len(text) <= _LONGEST_ORIGIN else None
    if match is None:
        return OriginMalformed(_advise(text))
    scheme, host, port = match.groups()
    if port is not None and (int(port) > 0xFFFF or int(port) == _DEFAULT_PORTS[scheme]):
        return OriginMalformed(f"Browsers send no port {port} in an origin of {scheme}; leave it out.")
    if not _is_host(host):
        return OriginMalformed("The host is no domain name or address in the form that browsers send.")
    if scheme == "http" and not _is_loopback(host):
        return OriginMalformed("An http origin is allowed on this machine alone (http://localhost:3000); use https.")
    return Origin(text)


def cors_headers(origin: Origin, *, credentials: bool) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers that let a page of a registered origin read an answer; `credentials`: cookies are involved."""
    headers = (
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-expose-headers", _READABLE_HEADERS),
        VARY_ORIGIN,
    )
    return (*headers, (b"access-control-allow-credentials", b"true")) if credentials else headers


def preflight_headers(
    origin: Origin, *, methods: Sequence[str], request_headers: Sequence[str], credentials: bool
) -> tuple[tuple[bytes, bytes], ...]:
    """Give the headers that answer a preflight (OPTIONS, 204) of a registered origin.

    `methods` and `request_headers` are the endpoint's own; what the preflight asks for is never echoed.
    """
    headers = (
        (b"access-control-allow-origin", origin.encode("ascii")),
        (b"access-control-allow-methods", ", ".join(methods).encode("ascii")),
        (b"access-control-allow-headers", ", ".join(request_headers).encode("ascii")),
        (b"access-control-max-age", _PREFLIGHT_SECONDS),
        VARY_ORIGIN,
    )
    return (*headers, (b"access-control-allow-credentials", b"true")) if credentials else headers


def _advise(text: str) -> str:
    lowered = text.strip().lower()
    if lowered != text and _SERIALISED.fullmatch(lowered):
        return "Browsers send origins in lower case and without spaces; write it so."
    if re.match(r"https?://[^/?#]+[/?#]", lowered):
        return "An origin ends before the path: https://app.example, without a slash at its end."
    if not text.isascii():
        return "Browsers send a host with other letters than a-z in its xn-- form; write it so."
    return "An origin looks like https://app.example or http://localhost:3000."


def _is_host(host: str) -> bool:
    try:
        if host.startswith("["):
            return str(IPv6Address(host[1:-1])) == host[1:-1]
        labels = host.split(".")
        if labels[-1].isdecimal():  # browsers read such a host as an IPv4 address (WHATWG URL, "ends in a number")
            return str(IPv4Address(host)) == host
    except AddressValueError:
        return False
    return len(host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


def _is_loopback(host: str) -> bool:
    if host.startswith("["):
        return IPv6Address(host[1:-1]).is_loopback
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return host.rpartition(".")[2].isdecimal() and IPv4Address(host).is_loopback
