"""Clients' own pages that a log-out page loads in frames (OpenID Connect Front-Channel Logout 1.0).

It tells a client only where the browser sends cookies into a frame of another site, which many refuse: off by default.
"""

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from sealring.protocol.redirect_uri import add_parameters, redirect_uri_problem

_WEB: Final = ("https://", "http://")


def frontchannel_uri_problem(uri: str, *, redirect_uris: Iterable[str]) -> str | None:
    """Say in a sentence why a client may not register this page; None for a good one (§2)."""
    if not uri.startswith(_WEB) or redirect_uri_problem(uri, application_type="web") is not None:
        return "A front-channel logout URI is an https address of plain characters, without user name or fragment."
    if frame_source(uri) not in {frame_source(each) for each in redirect_uris if each.startswith(_WEB)}:
        return "A front-channel logout URI has the scheme, host and port of one of the client's redirect URIs."
    return None


def frontchannel_address(uri: str, *, issuer: str, sid: str) -> str:
    """Write what a frame loads: the client's page, told whose session ended (§3)."""
    return add_parameters(uri, {"iss": issuer, "sid": sid})


def frame_source(uri: str) -> str:
    """Write the origin of a page as a source of a Content-Security-Policy, its port left out where it is the usual."""
    parts = urlsplit(uri)
    usual = {"https": ":443", "http": ":80"}.get(parts.scheme, "")
    return f"{parts.scheme}://{parts.netloc.removesuffix(usual)}"
