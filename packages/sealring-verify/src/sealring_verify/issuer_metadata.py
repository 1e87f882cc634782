"""An issuer's identifier and metadata (RFC 8414), pure."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from sealring_verify.jose.json_object import parse_json_object


class IssuerMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """Where an issuer answers: its keys, and what else it has of these endpoints; all on its own origin."""

    jwks_uri: str
    introspection_endpoint: str | None
    revocation_endpoint: str | None = None
    revocation_jwks_uri: str | None = None
    token_endpoint: str | None = None


def parse_issuer(issuer: str) -> str:
    """Check an issuer identifier and give it back unchanged. ValueError, in a sentence for the API's author.

    RFC 8414 §2: https, no query, no fragment. http is for loopback alone, where nobody listens in.
    """
    try:
        parts = urlsplit(issuer)
        host = parts.hostname
        _ = parts.port  # refuses a port that is no number
    except ValueError:
        raise ValueError(f"issuer is not a URL: {issuer!r}") from None
    if not host or parts.scheme not in {"https", "http"} or any(c.isspace() or not c.isprintable() for c in issuer):
        raise ValueError(f"issuer must be a URL such as https://id.example.com, not {issuer!r}")
    if "?" in issuer or "#" in issuer or parts.username is not None:
        raise ValueError(f"issuer must have no query, fragment or user name: {issuer!r}")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError(f"issuer must be https, http is for loopback only: {issuer!r}")
    return issuer


def metadata_url(issuer: str) -> str:
    """Give the address of the metadata: the well-known part goes between host and path (RFC 8414 §3.1)."""
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def parse_metadata(document: bytes, *, issuer: str) -> IssuerMetadata:
    """Read the metadata. ValueError where it is another issuer's (RFC 8414 §3.3) or sends elsewhere for keys."""
    members = parse_json_object(document)
    if members.get("issuer") != issuer:
        raise ValueError("the metadata names another issuer than the one configured")
    jwks_uri = members.get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise ValueError("the metadata has no jwks_uri")  # noqa: TRY004 - one outcome for all bad metadata
    endpoint = _optional_url(members, "introspection_endpoint")
    revocation_endpoint = _optional_url(members, "sealring_revocation_endpoint")
    revocation_jwks_uri = _optional_url(members, "sealring_revocation_jwks_uri")
    token_endpoint = _optional_url(members, "token_endpoint")
    for url in (jwks_uri, endpoint, revocation_endpoint, revocation_jwks_uri, token_endpoint):
        # Keys, and secrets of APIs and clients, go no further than the origin that the configuration trusts.
        if url is not None and _origin(urlsplit(url)) != _origin(urlsplit(issuer)):
            raise ValueError("the metadata sends to another origin than the issuer's")
    return IssuerMetadata(
        jwks_uri=jwks_uri,
        introspection_endpoint=endpoint,
        revocation_endpoint=revocation_endpoint,
        revocation_jwks_uri=revocation_jwks_uri,
        token_endpoint=token_endpoint,
    )


def _optional_url(members: Mapping[str, object], name: str) -> str | None:
    url = members.get(name)
    if url is not None and not isinstance(url, str):
        raise ValueError(f"the metadata's {name} is not a string")
    return url


def _origin(parts: SplitResult) -> tuple[str, str | None, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
