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


class Discovery(msgspec.Struct, frozen=True, kw_only=True):
    """Where another issuer than Sealring tells of its keys: by metadata at `url`, or at `jwks_uri` without any.

    Metadata may send for keys to its own origin and to `key_origins`, such as https://keys.example.com.
    """

    url: str | None = None
    jwks_uri: str | None = None
    key_origins: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse what names no address or two, and addresses that are not https."""
        if (self.url is None) == (self.jwks_uri is None):
            raise ValueError("discovery has one address: that of metadata, or that of keys")
        for address in (self.url, self.jwks_uri, *self.key_origins):
            if address is not None:
                parse_issuer(address)


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


def metadata_url(issuer: str, discovery: Discovery | None = None) -> str:
    """Give the address of the metadata: the well-known part goes between host and path (RFC 8414 §3.1)."""
    if discovery is not None and discovery.url is not None:
        return discovery.url
    parts = urlsplit(issuer)
    return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-authorization-server{parts.path.rstrip('/')}"


def known_metadata(discovery: Discovery | None) -> IssuerMetadata | None:
    """Give what is known without asking: where the keys lie, if the configuration says it."""
    if discovery is None or discovery.jwks_uri is None:
        return None
    return IssuerMetadata(jwks_uri=discovery.jwks_uri, introspection_endpoint=None)


def parse_metadata(document: bytes, *, issuer: str, discovery: Discovery | None = None) -> IssuerMetadata:
    """Read the metadata. ValueError where it is another issuer's (RFC 8414 §3.3) or sends elsewhere for keys.

    With `discovery`, other endpoints may lie elsewhere, as many a provider's do: they are left out then.
    """
    members = parse_json_object(document)
    if members.get("issuer") != issuer:
        raise ValueError("the metadata names another issuer than the one configured")
    jwks_uri = members.get("jwks_uri")
    if not isinstance(jwks_uri, str):
        raise ValueError("the metadata has no jwks_uri")  # noqa: TRY004 - one outcome for all bad metadata
    if discovery is not None:
        return _provider_metadata(members, jwks_uri, discovery)
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


def openid_configuration_url(issuer: str) -> str:
    """Give the address of a provider's configuration: the well-known part goes last (OpenID Connect Discovery §4.1)."""
    return f"{issuer.rstrip('/')}/.well-known/openid-configuration"


def _provider_metadata(members: Mapping[str, object], jwks_uri: str, discovery: Discovery) -> IssuerMetadata:
    own = _origin(urlsplit(discovery.url or ""))
    if _origin(urlsplit(jwks_uri)) not in {own, *(_origin(urlsplit(origin)) for origin in discovery.key_origins)}:
        raise ValueError("the metadata sends to another origin than the provider's for keys")
    endpoint = _optional_url(members, "introspection_endpoint")
    # A secret goes no further than the origin that the configuration trusts.
    trusted = endpoint is not None and _origin(urlsplit(endpoint)) == own
    return IssuerMetadata(jwks_uri=jwks_uri, introspection_endpoint=endpoint if trusted else None)


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
