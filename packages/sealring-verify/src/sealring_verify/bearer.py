"""Bearer tokens in HTTP (RFC 6750), pure: how one arrives, and how a refusal is answered."""

import re
from collections.abc import Sequence
from urllib.parse import parse_qsl

from sealring_verify.errors import (
    InsufficientAuthentication,
    InsufficientScope,
    InvalidRequest,
    InvalidToken,
    IssuerUnavailable,
    TokenRefused,
)

_ERRORS = {400: "invalid_request", 401: "invalid_token", 403: "insufficient_scope", 503: "temporarily_unavailable"}

# RFC 6749 §3.3
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_REALM = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
# RFC 6750 §3: what may not stand in an error_description; a sentence may come from a caller of ours.
_UNQUOTABLE = re.compile(r"[^\x20\x21\x23-\x5b\x5d-\x7e]")
# Several challenges may share a header (RFC 9110 §11.6.1), so the scheme need not stand first. Looked for one after the
# other: one expression for both takes seconds over a head that repeats their beginnings.
_BEARER = re.compile(r"(?:^|[\s,])bearer(?=\s)", re.IGNORECASE)
_INVALID_TOKEN = re.compile(r'[\s,]error\s*=\s*"?invalid_token(?:"|[\s,]|$)', re.IGNORECASE)


def bearer_token(authorization: Sequence[str], *, other_transport: bool) -> str:
    """Take the token from the values of all Authorization headers.

    `other_transport`: the request has an `access_token` in its query, which is refused, since addresses end up in logs.
    A token in the body is never looked for: it counts as none. Raises InvalidRequest token_transport, InvalidToken
    token_missing or token_malformed.
    """
    # RFC 6750 §2: not more than one method; §2.3 (query) is not offered at all, as OAuth 2.1 has it. WSGI joins headers
    # of one name by a comma, which is no part of a token.
    if other_transport or len(authorization) > 1 or (authorization and _holds_another(authorization[0])):
        raise InvalidRequest("token_transport")
    scheme, _, token = authorization[0].partition(" ") if authorization else ("", "", "")
    if scheme.lower() != "bearer":
        raise InvalidToken("token_missing")
    if not token:
        raise InvalidToken("token_malformed")
    return token


def has_token_in_query(query: str) -> bool:
    """Say whether a query, as the address has it, names an `access_token` (RFC 6750 §2.3)."""
    return any(name == "access_token" for name, _ in parse_qsl(query, keep_blank_values=True))


def checked_scopes(scopes: Sequence[str]) -> frozenset[str]:
    """Return scopes that an API's author named. ValueError where one is none."""
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError(f"these are not all scopes (RFC 6749 section 3.3): {scopes!r}")
    return frozenset(scopes)


def checked_realm(realm: str | None) -> str | None:
    """Return the realm of a challenge. ValueError where it cannot stand between quotes (RFC 9110 §5.6.4)."""
    if realm is not None and not _REALM.fullmatch(realm):
        raise ValueError(f"realm must be visible ASCII and spaces, without quote and backslash, not {realm!r}")
    return realm


def challenge(refusal: TokenRefused, *, realm: str | None = None, resource_metadata: str | None = None) -> str | None:
    """Write the WWW-Authenticate header (RFC 6750 §3, RFC 9470 §3); None where the issuer, not the token, is at fault.

    `resource_metadata` is the address of the document of RFC 9728, for each challenge (§5.1).
    """
    if isinstance(refusal, IssuerUnavailable):
        return None
    parts = [] if realm is None else [f'realm="{realm}"']
    # §3.1: without credentials in the request, no error is told.
    if refusal.code != "token_missing":
        sentence = _UNQUOTABLE.sub("'", refusal.message)
        parts += [f'error="{_error(refusal)}"', f'error_description="{sentence}"']
    if isinstance(refusal, InsufficientScope | InsufficientAuthentication) and refusal.required:
        parts.append(f'scope="{" ".join(refusal.required)}"')
    if isinstance(refusal, InsufficientAuthentication):
        if refusal.acr_values:
            parts.append(f'acr_values="{" ".join(refusal.acr_values)}"')
        if refusal.max_age is not None:
            parts.append(f'max_age="{refusal.max_age}"')
    if resource_metadata is not None:
        parts.append(f'resource_metadata="{resource_metadata}"')
    return f"Bearer {', '.join(parts)}".rstrip()


def asks_for_another_token(challenges: Sequence[str]) -> bool:
    """Say whether an API's WWW-Authenticate headers refuse the token itself (RFC 6750 §3.1 `invalid_token`)."""
    begun = [(challenge, _BEARER.search(challenge)) for challenge in challenges]
    return any(scheme and _INVALID_TOKEN.search(challenge, scheme.end()) for challenge, scheme in begun)


def refusal_headers(
    refusal: TokenRefused, *, realm: str | None = None, resource_metadata: str | None = None
) -> dict[str, str]:
    """Give all headers of the answer to a refused request."""
    headers = {"Cache-Control": "no-store"}
    written = challenge(refusal, realm=realm, resource_metadata=resource_metadata)
    if written is not None:
        headers["WWW-Authenticate"] = written
    if isinstance(refusal, IssuerUnavailable):
        headers["Retry-After"] = str(refusal.retry_after)
    return headers


def refusal_body(refusal: TokenRefused) -> dict[str, str]:
    """Give the JSON object of the answer: `error` and `error_description` as RFC 6749 §5.2 has them, and our `code`."""
    body = {"error": _error(refusal), "error_description": refusal.message, "code": refusal.code}
    if isinstance(refusal, InsufficientScope):
        body["scope"] = " ".join(refusal.required)
    return body


def _error(refusal: TokenRefused) -> str:
    return refusal.code if isinstance(refusal, InsufficientAuthentication) else _ERRORS[refusal.status]


def _holds_another(value: str) -> bool:
    parts = value.split(",")
    return len(parts) > 1 and any(part.strip().lower().startswith("bearer ") for part in parts)
