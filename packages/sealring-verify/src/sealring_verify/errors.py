"""Every reason for which a token is refused, or none can be had.

    TokenRefused                    code, claim, message; `status` is the HTTP status to answer
    ├── InvalidRequest         400  the token came by a way that is not allowed
    ├── InvalidToken           401  the caller needs another token
    ├── InsufficientScope      403  the token is good, but not for this
    ├── InsufficientAuthentication
    │                          401  the token is good, but its person must sign in again or in a stronger way
    └── IssuerUnavailable      503  the token could not be judged: `retry_after` says when to ask again
        ├── KeysUnavailable
        ├── IntrospectionUnavailable
        └── RevocationUnknown

    TokenUnavailable                code, message: a service got no token to call with; `retry_after` in seconds

`CODES` is the one table of codes of refused tokens, `UNAVAILABLE_CODES` that of tokens that could not be had. A code
never changes its meaning. No message ever holds the token or a part of it.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import ClassVar

CODES: Mapping[str, str] = MappingProxyType(
    {
        "token_missing": "The request carries no access token in its Authorization header.",
        "token_transport": "The request carries an access token in more than one place, or outside the Authorization "
        "header.",
        "token_malformed": "The token is not a compact JWS: three parts of canonical base64url, a flat JSON header and "
        "a JSON payload.",
        "token_too_large": "The token is longer than 16 KiB, or its header longer than 4 KiB.",
        "duplicate_member": "A JSON object in the token names a member twice.",
        "critical_header": "The token demands header extensions (`crit`), and none is understood here.",
        "algorithm_not_allowed": "The token's algorithm is not on the verifier's list, or not the one of its key.",
        "unknown_key": "The issuer publishes no usable key with the token's key id.",
        "bad_signature": "The signature does not fit the token and its key.",
        "wrong_type": "The token is another kind of token than an access token: its `typ` is not at+jwt, or its claims "
        "say so.",
        "token_encrypted": "The token is encrypted, and this verifier has no keys to decrypt with.",
        "token_not_encrypted": "The token is not encrypted, and this verifier takes encrypted ones alone.",
        "decryption_failed": "The token is not encrypted to a key of this verifier, or it was changed.",
        "missing_claim": "A claim that an access token must have is missing.",
        "invalid_claim": "A claim has the wrong type, or a value that makes no sense.",
        "wrong_issuer": "The token was issued by somebody else than this verifier's issuer.",
        "claim_refused": "A claim has another value than this verifier demands.",
        "wrong_audience": "The token is meant for another API than this verifier's audience.",
        "token_expired": "The token has expired.",
        "token_not_yet_valid": "The token is not valid yet, or was issued in the future: compare the clocks.",
        "issued_before_cutoff": "The API refuses tokens, of this subject or of all, that were issued before a certain "
        "moment.",
        "proof_of_possession_required": "The token is bound to a key (`cnf`) and was presented as a plain bearer "
        "token.",
        "token_inactive": "The issuer says that the token is no longer active: its session ended or it was revoked.",
        "token_revoked": "This token was revoked.",
        "session_ended": "The session of this token has ended, or all of its subject's tokens of that time.",
        "client_revoked": "All tokens of that time of the client that this one was issued to were revoked.",
        "key_withdrawn": "The key that signed the token was withdrawn.",
        "assertion_missing": "The request carries no X-Sealring-Assertion: it did not pass the gate.",
        "wrong_request": "The gate's assertion is about another request: its method or its path is another one.",
        "token_lifetime_exceeded": "The token lives longer than the issuer says that any token for this API does.",
        "insufficient_scope": "The token lacks a scope that this operation needs.",
        "insufficient_user_authentication": "This operation needs a person who signed in more recently, or in a "
        "stronger way.",
        "keys_unavailable": "The issuer's keys could not be fetched, and none that are fresh enough are held.",
        "introspection_unavailable": "The issuer could not be asked whether the token is still active.",
        "revocation_unknown": "It is not known, or was not for too long, which tokens the issuer has ended.",
    }
)

UNAVAILABLE_CODES: Mapping[str, str] = MappingProxyType(
    {
        "issuer_unreachable": "The issuer could not be asked for a token, or was too busy to give one.",
        "token_endpoint_unknown": "The issuer's metadata is not its own, or names no token endpoint.",
        "client_authentication_failed": "The issuer does not know this client, or its secret is wrong.",
        "scope_refused": "The client may not ask for that scope.",
        "audience_refused": "The issuer has no such API for this client and scope.",
        "token_request_refused": "The issuer gives this client no token of its own.",
        "token_response_invalid": "The issuer's answer is not a bearer token with a lifetime.",
        "scope_not_granted": "The issuer granted less than was asked for.",
        "foreign_origin": "The request goes to another place than the API that the token is for.",
    }
)


class TokenRefused(Exception):  # noqa: N818 - it reads as what happened, and is public
    """A token was not accepted. `code` is a key of `CODES`; `claim` names the claim at fault where there is one.

    `message` is a sentence for the author of the API; it holds no part of the token and may be sent to the caller.
    """

    status: ClassVar[int] = 401

    def __init__(self, code: str, claim: str | None = None, message: str | None = None) -> None:
        super().__init__(code, claim, message)
        self.code = code
        self.claim = claim
        self.message = message or CODES[code]

    def __str__(self) -> str:
        if self.message.startswith(f"{self.code}: "):
            return self.message
        return f"{self.code} ({self.claim}): {self.message}" if self.claim else f"{self.code}: {self.message}"


class InvalidRequest(TokenRefused):
    """The request carries its token in several places or a forbidden one: HTTP 400, RFC 6750 §3.1."""

    status: ClassVar[int] = 400


class InvalidToken(TokenRefused):
    """The token is missing, malformed, forged, foreign, expired or ended: HTTP 401, RFC 6750 §3.1 `invalid_token`."""


class InsufficientScope(TokenRefused):
    """The token is good and lacks a scope: HTTP 403, RFC 6750 §3.1. `required` are the scopes to ask for, sorted."""

    status: ClassVar[int] = 403

    def __init__(self, required: Iterable[str]) -> None:
        self.required = tuple(sorted(required))
        scopes = " ".join(self.required)
        super().__init__("insufficient_scope", "scope", f"This operation needs the scope: {scopes}.")
        self.args = (self.required,)


class InsufficientAuthentication(TokenRefused):
    """The person signed in too long ago, or in too weak a way: HTTP 401, RFC 9470 §3.

    `acr_values` are those that would do, the preferred one first; `max_age` is in seconds; `required` are scopes that
    the token lacks besides, sorted.
    """

    def __init__(
        self, claim: str, acr_values: Iterable[str] = (), max_age: int | None = None, required: Iterable[str] = ()
    ) -> None:
        super().__init__("insufficient_user_authentication", claim)
        self.acr_values = tuple(acr_values)
        self.max_age = max_age
        self.required = tuple(sorted(required))
        self.args = (claim, self.acr_values, max_age, self.required)


class IssuerUnavailable(TokenRefused):
    """The issuer could not be asked: HTTP 503, to be asked again after `retry_after` seconds.

    It says nothing about the token, so it must not become a 401, which would send every client to refresh at once.
    """

    status: ClassVar[int] = 503

    def __init__(self, code: str, message: str | None = None, retry_after: int = 5) -> None:
        super().__init__(code, None, message)
        self.retry_after = retry_after
        self.args = (code, message, retry_after)


class KeysUnavailable(IssuerUnavailable):
    """No key set that is fresh enough is held, and none could be fetched (code `keys_unavailable`)."""


class IntrospectionUnavailable(IssuerUnavailable):
    """The introspection endpoint gave no usable answer (code `introspection_unavailable`)."""


class RevocationUnknown(IssuerUnavailable):
    """The revocation feed was not heard from for longer than `max_staleness` (code `revocation_unknown`)."""

    def __init__(self, message: str | None = None, retry_after: int = 5) -> None:
        super().__init__("revocation_unknown", message, retry_after)
        self.args = (message, retry_after)


class TokenUnavailable(Exception):  # noqa: N818 - it reads as what happened, and is public
    """A service has no token to call with. `code` is a key of `UNAVAILABLE_CODES`.

    `message` is a sentence for the operator that holds neither secret nor token; after `retry_after` seconds another
    attempt may help.
    """

    def __init__(self, code: str, message: str | None = None, retry_after: int = 1) -> None:
        super().__init__(code, message, retry_after)
        self.code = code
        self.message = message or UNAVAILABLE_CODES[code]
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
