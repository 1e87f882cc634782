"""Verify JWT access tokens in an API: signature, expiry, issuer, audience and scopes.

    verifier = Verifier("https://id.example.com", "orders")
    access_token = verifier.verify(token)          # raises TokenRefused

`sealring_verify.integrations` has a door into FastAPI, Starlette and other ASGI applications, Django, Django REST
framework, Flask; `sealring_verify.providers` verifiers for the tokens of Auth0, Okta, Amazon Cognito, Firebase, Google,
Microsoft Entra ID, Keycloak and any OpenID Connect issuer. And call another API in a service's own name:

    service_token = ServiceToken("https://id.example.com", "reports", client_secret, "orders", "orders:read")
    httpx.get("https://orders.example.com/orders", auth=service_token)        # may raise TokenUnavailable
"""

from typing import TYPE_CHECKING

from sealring_verify.claims import AccessToken
from sealring_verify.errors import (
    CODES,
    UNAVAILABLE_CODES,
    InsufficientAuthentication,
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidRequest,
    InvalidToken,
    IssuerUnavailable,
    KeysUnavailable,
    RevocationUnknown,
    TokenRefused,
    TokenUnavailable,
)
from sealring_verify.gate_assertion import GateAssertion
from sealring_verify.gate_verifier import GateVerifier
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.step_up import StepUp
from sealring_verify.verifier import Verifier
from sealring_verify.verifier_status import VerifierStatus

if TYPE_CHECKING:
    from sealring_verify.service_token import ServiceToken

__all__ = [
    "CODES",
    "UNAVAILABLE_CODES",
    "AccessToken",
    "GateAssertion",
    "GateVerifier",
    "InsufficientAuthentication",
    "InsufficientScope",
    "IntrospectionClient",
    "IntrospectionUnavailable",
    "InvalidRequest",
    "InvalidToken",
    "IssuerUnavailable",
    "KeysUnavailable",
    "RevocationUnknown",
    "ServiceToken",
    "StepUp",
    "TokenRefused",
    "TokenUnavailable",
    "Verifier",
    "VerifierStatus",
]


def __getattr__(name: str) -> object:
    # It is an httpx.Auth, so its module imports the HTTP client: 230 ms that a server, which only signs, never pays.
    if name == "ServiceToken":
        from sealring_verify.service_token import ServiceToken  # noqa: PLC0415 - see above

        return ServiceToken
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
