"""Authorization server metadata (RFC 8414): only what exists."""

import re
from urllib.parse import SplitResult, urlsplit

import msgspec

from sealring.protocol.client_assertion import ASSERTION_ALGORITHMS

_NEVER_IN_AN_ISSUER = re.compile(r"""[^\x21-\x7e]|[?#@"'<>\\^`{|}]""")
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


class IssuerProblem(msgspec.Struct, frozen=True):
    """Why a text cannot be the issuer, and what to write instead."""

    sentence: str


def issuer_problem(issuer: str) -> IssuerProblem | None:
    """Say what is wrong with an issuer (RFC 8414 §2): https without query or fragment, or http on loopback."""
    parts = _parts(issuer)
    if (
        parts is None
        or parts.scheme not in {"https", "http"}
        or not parts.hostname
        or _NEVER_IN_AN_ISSUER.search(issuer)
    ):
        return IssuerProblem(f"The issuer {issuer!r} must look like https://auth.example.com: no query, no fragment.")
    if issuer.endswith("/"):
        return IssuerProblem(f"The issuer {issuer!r} must not end with a slash: write {issuer.rstrip('/')!r}.")
    if parts.scheme == "http" and not is_loopback(issuer):
        return IssuerProblem(
            f"The issuer {issuer!r} sends tokens over plain HTTP on a public address. "
            "Use https:// with a TLS proxy in front, or an issuer on localhost for trying things out."
        )
    return None


def _parts(issuer: str) -> SplitResult | None:
    try:
        parts = urlsplit(issuer)
        _ = parts.port  # read for its complaint: a port that is no port is only noticed here
    except ValueError:
        return None
    return parts


def is_loopback(issuer: str) -> bool:
    """Say whether the issuer's host is this machine only."""
    return urlsplit(issuer).hostname in _LOOPBACK_HOSTS


def authorization_server_metadata(issuer: str) -> dict[str, object]:
    """Return the metadata document (RFC 8414 §2)."""
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", "refresh_token"],
        "token_endpoint": f"{issuer}/token",
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint": f"{issuer}/revoke",
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint": f"{issuer}/introspect",
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "sealring_revocation_endpoint": f"{issuer}/revocations",
        "sealring_revocation_jwks_uri": f"{issuer}/revocations/jwks",
    }
