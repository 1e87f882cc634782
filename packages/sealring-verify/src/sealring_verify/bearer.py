"""Bearer tokens in HTTP (RFC 6750), pure: how one arrives, and how a refusal is answered."""

import re
from collections.abc import Sequence

from sealring_verify.errors import (
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    IssuerUnavailable,
    TokenRefused,
)

_ERRORS = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope", 503: "temporarily_unavailable"}

# Several challenges may share a header (RFC 9110 §11.6.1), so the scheme need not stand first. Looked for one after the
# other: one expression for both takes seconds over a head that repeats their beginnings.
_BEARER = re.compile(r"(?:^|[\s,])bearer(?=\s)", re.IGNORECASE)
_INVALID_TOKEN = re.compile(r'[\s,]error\s*=\s*"?invalid_token(?:"|[\s,]|$)', re.IGNORECASE)


def bearer_token(authorization: Sequence[str], *, other_transport: bool) -> str:
    """Take the token from the values of all Authorization headers.

    `other_transport`: the request has an `access_token` in its query, which is refused, since addresses end up in logs.
    Raises InvalidRequest token_transport, InvalidToken token_missing or token_malformed.
    """
    # RFC 6750 §2: not more than one method; §2.3 (query) is not offered at all.
    if other_transport or len(authorization) > 1:
        raise InvalidRequest("token_transport")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise InvalidToken("token_missing")
    if not token:
        raise InvalidToken("token_malformed")
    return token


def challenge(refusal: TokenRefused) -> str | None:
    """Write the WWW-Authenticate header (RFC 6750 §3); None where the issuer, not the token, is at fault."""
    if isinstance(refusal, IssuerUnavailable):
        return None
    if refusal.code == "token_missing":
        # §3.1: without credentials in the request, no error is told.
        return "Bearer"
    parts = [f'error="{_ERRORS[refusal.status]}"', f'error_description="{refusal.message}"']
    if isinstance(refusal, InsufficientScope):
        parts.append(f'scope="{" ".join(refusal.required)}"')
    return "Bearer " + ", ".join(parts)


def asks_for_another_token(challenges: Sequence[str]) -> bool:
    """Say whether an API's WWW-Authenticate headers refuse the token itself (RFC 6750 §3.1 `invalid_token`)."""
    begun = [(challenge, _BEARER.search(challenge)) for challenge in challenges]
    return any(scheme and _INVALID_TOKEN.search(challenge, scheme.end()) for challenge, scheme in begun)


def refusal_headers(refusal: TokenRefused) -> dict[str, str]:
    """Give all headers of the answer to a refused request."""
    headers = {"Cache-Control": "no-store"}
    written = challenge(refusal)
    if written is not None:
        headers["WWW-Authenticate"] = written
    if isinstance(refusal, IssuerUnavailable):
        headers["Retry-After"] = str(refusal.retry_after)
    return headers


def refusal_body(refusal: TokenRefused) -> dict[str, str]:
    """Give the JSON object of the answer: `error` and `error_description` as RFC 6749 §5.2 has them, and our `code`."""
    body = {"error": _ERRORS[refusal.status], "error_description": refusal.message, "code": refusal.code}
    if isinstance(refusal, InsufficientScope):
        body["scope"] = " ".join(refusal.required)
    return body
