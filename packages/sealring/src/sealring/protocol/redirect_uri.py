"""Redirect URIs: what may be registered, and which request's is the registered one (RFC 9700 §2.1, RFC 8252 §7)."""

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import SplitResult, urlencode, urlsplit

from sealring.protocol.client import ApplicationType

_LONGEST: Final = 2048  # characters
_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?\[\]@!$&'()*+,;=%-]+")
_PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+")
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})|%(?:2[ef]|5c|0[0ad]|00)", re.IGNORECASE)
_HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_SOURCE: Final = re.compile(r"[a-z0-9.-]+(?::[0-9]+)?")
LOOPBACK_ADDRESSES: Final = frozenset({"127.0.0.1", "[::1]"})
_LOOPBACK_NAME: Final = "localhost"


def redirect_uri_problem(uri: str, *, application_type: ApplicationType) -> str | None:
    """Say why a URI may not be registered, as a sentence; None for a good one.

    https everywhere; http on this machine alone; a native application may have a scheme of its own, which holds a dot
    as the reversed name of a domain does (RFC 8252 §7.1).
    """
    parts = _split(uri)
    if parts is None:
        return "A redirect URI is an absolute URI of at most 2048 plain characters, without fragment and backslash."
    if parts.scheme in {"http", "https"}:
        return _web_problem(parts)
    if application_type != "native":
        return "Only a native application may have a redirect URI that is not https."
    if not _PRIVATE_SCHEME.fullmatch(parts.scheme) or parts.netloc:
        return "A scheme of one's own is a domain name turned round, as in com.example.app:/callback."
    return None


def _web_problem(parts: SplitResult) -> str | None:
    host = _host(parts)
    if host is None:
        return "A redirect URI has a lower-case host and no user name in it."
    if parts.scheme == "http" and host not in LOOPBACK_ADDRESSES | {_LOOPBACK_NAME}:
        return "An http redirect URI is allowed on this machine alone; use https."
    if any(segment in {".", ".."} for segment in parts.path.split("/")) or _BAD_ESCAPE.search(parts.path):
        return "The path of a redirect URI has no dot segments and no encoded slashes, dots or controls."
    return None


def find_redirect_uri(uri: str, *, registered: Iterable[str]) -> str | None:
    """Return the registered URI that a request's is, or None.

    Compared character by character; only the port of a loopback address may be another (RFC 8252 §7.3).
    """
    for known in registered:
        if uri == known or (is_loopback_address(known) and _without_port(uri) == _without_port(known)):
            return known
    return None


def is_loopback_address(uri: str) -> bool:
    """Say whether a URI leads by http to an address of this machine, where any program may listen."""
    parts = _split(uri)
    return parts is not None and parts.scheme == "http" and _host(parts) in LOOPBACK_ADDRESSES


def is_on_this_machine(uri: str) -> bool:
    """Say whether a URI leads by http to this machine, by address or by name."""
    parts = _split(uri)
    return parts is not None and parts.scheme == "http" and _host(parts) in LOOPBACK_ADDRESSES | {_LOOPBACK_NAME}


def is_private_use(uri: str) -> bool:
    """Say whether a URI has a scheme of its own, which any program may claim (RFC 8252 §8.4)."""
    return not uri.startswith(("https://", "http://"))


def redirect_host(uri: str) -> str:
    """Name the host, or the scheme where there is none, by which a person may know where a URI leads."""
    parts = urlsplit(uri)
    return parts.netloc or parts.scheme


def add_parameters(uri: str, parameters: Mapping[str, str]) -> str:
    """Write parameters behind a registered URI; what its own query has stays as it is."""
    return uri + ("&" if "?" in uri else "?") + urlencode(parameters)


def redirect_source(uri: str) -> str:
    """Write a redirect URI as a source of a Content-Security-Policy: its origin, or its scheme.

    The grammar of a policy has no IPv6 address, so there the scheme must do.
    """
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.netloc}" if _SOURCE.fullmatch(parts.netloc) else f"{parts.scheme}:"


def _split(uri: str) -> SplitResult | None:
    # urlsplit strips and mends some characters; these never come as far.
    if len(uri) > _LONGEST or not _CHARACTERS.fullmatch(uri):
        return None
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError:
        return None
    return parts if uri.startswith(parts.scheme + ":") and parts.scheme else None


def _host(parts: SplitResult) -> str | None:
    if "@" in parts.netloc:
        return None
    host = parts.netloc
    if parts.port is not None:
        host = host.removesuffix(f":{parts.port}")
    return host if _HOST.fullmatch(host) else None


def _without_port(uri: str) -> str | None:
    parts = _split(uri)
    host = None if parts is None else _host(parts)
    if parts is None or host is None:
        return None
    # Cut out of the text itself: nothing else of it may come out another way.
    return f"{parts.scheme}://{host}{uri[len(parts.scheme) + 3 + len(parts.netloc) :]}"
