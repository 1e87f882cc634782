"""Verify JWT access tokens in an API: signature, expiry, issuer, audience and scopes.

    verifier = Verifier("https://id.example.com", "orders")
    access_token = verifier.verify(token)          # raises TokenRefused

`sealring_verify.integrations.fastapi` has the same for FastAPI endpoints.
"""

from sealring_verify.claims import AccessToken
from sealring_verify.errors import (
    CODES,
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidRequest,
    InvalidToken,
    IssuerUnavailable,
    KeysUnavailable,
    RevocationUnknown,
    TokenRefused,
)
from sealring_verify.verifier import Verifier, VerifierStatus

__all__ = [
    "CODES",
    "AccessToken",
    "InsufficientScope",
    "IntrospectionUnavailable",
    "InvalidRequest",
    "InvalidToken",
    "IssuerUnavailable",
    "KeysUnavailable",
    "RevocationUnknown",
    "TokenRefused",
    "Verifier",
    "VerifierStatus",
]
