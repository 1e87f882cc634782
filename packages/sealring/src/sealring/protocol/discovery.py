"""Authorization server metadata (RFC 8414): only what exists."""

import re
from urllib.parse import SplitResult, urlsplit

import msgspec

from sealring.protocol.client_assertion import ASSERTION_ALGORITHMS
from sealring.protocol.id_token import ID_TOKEN_ALGORITHMS
from sealring.protocol.pkce import CODE_CHALLENGE_METHODS
from sealring.protocol.request_object import REQUEST_OBJECT_ALGORITHMS
from sealring.protocol.scope import OPENID_SCOPES
from sealring.protocol.sso_session import PASSWORD_ACR
from sealring.protocol.subject_identifier import SUBJECT_TYPES
from sealring.protocol.token_request import GRANT_TYPES
from sealring.protocol.userinfo import STANDARD_CLAIMS

_NEVER_IN_AN_ISSUER = re.compile(r"""[^\x21-\x7e]|[?#@"'<>\\^`{|}]""")
_CLAIMS_OF_EVERY_LOG_IN = frozenset(
    {"acr", "amr", "at_hash", "aud", "auth_time", "exp", "iat", "iss", "nonce", "sid", "sub"}
)
_FRONTCHANNEL_LOGOUT = {"frontchannel_logout_supported": True, "frontchannel_logout_session_supported": True}
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


def authorization_server_metadata(issuer: str, *, registration: bool, frontchannel_logout: bool) -> dict[str, object]:
    """Return the metadata document (RFC 8414 §2, OpenID Connect Discovery 1.0 §3): the same at both addresses.

    `registration`: whether clients may register themselves. `frontchannel_logout`: whether log-out pages tell them.
    """
    methods = ["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "userinfo_endpoint": f"{issuer}/userinfo",
        "end_session_endpoint": f"{issuer}/logout",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        **(_FRONTCHANNEL_LOGOUT if frontchannel_logout else {}),
        "jwks_uri": f"{issuer}/jwks",
        "revocation_endpoint": f"{issuer}/revoke",
        "introspection_endpoint": f"{issuer}/introspect",
        **({"registration_endpoint": f"{issuer}/register"} if registration else {}),
        "scopes_supported": sorted(OPENID_SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": list(CODE_CHALLENGE_METHODS),
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic"],
        "acr_values_supported": [PASSWORD_ACR],
        "subject_types_supported": list(SUBJECT_TYPES),
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "userinfo_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "claim_types_supported": ["normal"],
        "claims_supported": sorted(STANDARD_CLAIMS | _CLAIMS_OF_EVERY_LOG_IN),
        "claims_parameter_supported": True,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": True,
        "require_request_uri_registration": True,
        "request_object_signing_alg_values_supported": list(REQUEST_OBJECT_ALGORITHMS),
        "sealring_revocation_endpoint": f"{issuer}/revocations",
        "sealring_revocation_jwks_uri": f"{issuer}/revocations/jwks",
    }
