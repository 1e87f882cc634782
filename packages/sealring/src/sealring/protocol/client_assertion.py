"""Client assertions: a client proves by a JWT that it signed who it is (RFC 7523 §3, tightened by its successor). Pure.

The signature is judged before any claim, and `jti` last: only an assertion that is good in every other way is worth
being remembered as spent.
"""

import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import ClassVar, Final, get_args

import msgspec

from sealring.protocol.client import AssertionAlgorithm, AssertionTerms, TokenEndpointAuthMethod
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.secret import Secret
from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.header import parse_header
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.jose.jws import verify_compact

ASSERTION_TYPE: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_ALGORITHMS: Final[tuple[str, ...]] = get_args(AssertionAlgorithm)
LONGEST_LIFETIME_SECONDS: Final = 600
CLOCK_SKEW_SECONDS: Final = 60
_TYPE: Final = "client-authentication+jwt"
_ED25519: Final = frozenset({"Ed25519", "EdDSA"})  # two names of one algorithm (RFC 8037, RFC 9864)
_LONGEST_JTI: Final = 256
_MOST_KEYS: Final = 32


class ClientAssertion(msgspec.Struct, frozen=True, kw_only=True):
    """An assertion of which nothing is proven yet. `client_id`: as its own `sub` says; `alg`: as its header does."""

    method: ClassVar[TokenEndpointAuthMethod] = "private_key_jwt"
    client_id: str
    alg: str
    text: Secret


class AcceptedAssertion(msgspec.Struct, frozen=True, kw_only=True):
    """An assertion that is good unless it was used before. `digest`: SHA-256 of client and `jti`."""

    digest: bytes
    expires_at: Instant


class NoKeyFits(msgspec.Struct, frozen=True):
    """No key of the client's set is the one that signed the assertion."""


def parse_client_assertion(text: str) -> ClientAssertion | None:
    """Read whose an assertion says that it is; None where it is no signed JWT with a `sub`."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        header = parse_header(base64url.decode(parts[0].encode("ascii")))
        claims = parse_json_object(base64url.decode(parts[1].encode("ascii")))
    except (ValueError, InvalidToken):
        return None
    sub = claims.get("sub")
    if not isinstance(sub, str) or not sub or "\x00" in sub:  # NUL is refused by PostgreSQL
        return None
    return ClientAssertion(client_id=sub, alg=header.alg, text=Secret(text))


def decide_client_assertion(
    assertion: ClientAssertion, *, document: bytes, terms: AssertionTerms, issuer: str, now: Instant
) -> AcceptedAssertion | NoKeyFits | OAuthError:
    """Say what an assertion is worth under the client's JWK set (`document`).

    What only the holder of the key can cause is explained (`client_assertion_refused`); what anybody can is one
    refusal, as for a wrong secret. ValueError where the document is no JWK set.
    """
    registered = terms.token_endpoint_auth_signing_alg
    keys = read_client_keys(document, registered)
    try:
        verified = verify_compact(assertion.text.reveal(), keys=keys, algorithms=chosen_algorithms(registered))
    except InvalidToken as refused:
        # Also where a key has the name but not the signature: it may have been replaced under that name, or none.
        fits = refused.code not in {"unknown_key", "bad_signature"}
        return refuse("client_authentication_failed") if fits else NoKeyFits()
    claims = parse_json_object(verified.payload)
    problem = (
        _type_problem(verified.header.typ)
        or _party_problem(claims, assertion.client_id)
        or _audience_problem(claims.get("aud"), terms, issuer=issuer)
        or _time_problem(claims, now=now)
        or _jti_problem(claims.get("jti"))
    )
    if problem is not None:
        return refuse("client_assertion_refused", description=f"The client assertion is not valid: {problem}.")
    named = f"{assertion.client_id}\x00{claims['jti']}"
    expires_at = Instant(math.ceil((read_seconds(claims["exp"]) or 0) * 1000))
    return AcceptedAssertion(digest=sha256(named.encode()).digest(), expires_at=expires_at)


# Reading a key costs more than checking a signature by it, and the same document comes again with each request.
@lru_cache(maxsize=256)
def read_client_keys(document: bytes, alg: str | None) -> KeySet:
    """Read a client's JWK set for the algorithm that it registered. ValueError where it is none.

    An RSA key that names no algorithm is one for the registered algorithm (RFC 7517 §4.4), else for RS256 alone.
    """
    entries = parse_json_object(document).get("keys")
    if not isinstance(entries, list) or len(entries) > _MOST_KEYS:
        raise ValueError(f"a JWK set needs a list named keys, of {_MOST_KEYS} at most")
    return parse_jwks(msgspec.json.encode({"keys": [_with_algorithm(entry, alg) for entry in entries]}))


def _with_algorithm(entry: object, registered: str | None) -> object:
    if not isinstance(entry, dict):
        return entry
    if entry.get("kty") == "RSA" and entry.get("alg") is None and registered is not None:
        return {**entry, "alg": registered}
    return entry


def chosen_algorithms(registered: str | None) -> Collection[str]:
    """Name the algorithms that a client's signatures may have. `registered`: the one that it registered, if any."""
    if registered is None:
        return ASSERTION_ALGORITHMS
    return _ED25519 if registered in _ED25519 else {registered}


def _type_problem(typ: str | None) -> str | None:
    # A JWT that says it is another thing is that thing, whatever its claims look like (RFC 8725 §3.11).
    kind = "" if typ is None else typ.lower().removeprefix("application/")
    return f"typ must be {_TYPE}" if kind.endswith("+jwt") and kind != _TYPE else None


def _party_problem(claims: Mapping[str, object], client_id: str) -> str | None:
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub must both be the client_id"
    return None


def _audience_problem(audience: object, terms: AssertionTerms, *, issuer: str) -> str | None:
    # RFC 7523 let several values stand there, and an assertion for one server was used at another that named itself
    # alike: the issuer alone, as a plain string, is what the successor demands.
    if audience == issuer:
        return None
    if not terms.token_endpoint_audience:
        return "aud must be the issuer as a plain string"
    named = audience if isinstance(audience, list) else [audience]
    if any(value in (issuer, f"{issuer}/token") for value in named):
        return None
    return "aud must be the issuer or the token endpoint"


def _time_problem(claims: Mapping[str, object], *, now: Instant) -> str | None:
    expires_at, issued_at, valid_from = (read_seconds(claims.get(name)) for name in ("exp", "iat", "nbf"))
    at = now / 1000
    if expires_at is None:
        return "exp must be a number of seconds"
    if expires_at <= at:
        return "it has expired"
    if expires_at > at + LONGEST_LIFETIME_SECONDS:
        return f"exp lies more than {LONGEST_LIFETIME_SECONDS} seconds ahead"
    for name, since in (("iat", issued_at), ("nbf", valid_from)):
        if name not in claims:
            continue
        if since is None:
            return f"{name} must be a number of seconds"
        if since > at + CLOCK_SKEW_SECONDS:
            return f"{name} lies in the future"
    return None


def _jti_problem(jti: object) -> str | None:
    if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_JTI:
        return f"jti must be a text of 1 to {_LONGEST_JTI} characters"
    return None


def read_seconds(value: object) -> float | None:
    """Read a NumericDate (RFC 7519 §2); None for what is none, true and false included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value
