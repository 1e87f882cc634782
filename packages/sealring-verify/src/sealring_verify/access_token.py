"""The check of an access token (RFC 9068 §4, RFC 8725), pure: keys and time are arguments."""

from collections.abc import Collection, Mapping

from sealring_verify.claims import AccessToken, parse_access_token
from sealring_verify.errors import InvalidToken
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import VerifiedJws, verify_compact
from sealring_verify.provider_profile import (
    ProviderProfile,
    accepted_audience,
    accepted_issuer,
    read_provider_token,
)

# RFC 9068 §4; media types are compared without regard to case (RFC 7515 §4.1.9, RFC 2045 §5.1).
_TYPES = frozenset({"at+jwt", "application/at+jwt"})
# RFC 8725 §3.12: rules that exclude one another. Each of these claims makes a token another thing than an access token.
_CLAIMS_OF_OTHER_KINDS = frozenset(
    {
        "at_hash",  # an ID token (OpenID Connect Core §3.1.3.6), as the next one
        "c_hash",
        "events",  # a log-out token (OpenID Connect Back-Channel Logout §2.4), a security event (RFC 8417 §2.2)
        "htm",  # a DPoP proof (RFC 9449 §4.2), as the next one
        "htu",
        "token_introspection",  # an introspection answer (RFC 9701 §5)
        "status_list",  # a status list (OAuth Token Status List §5.1)
    }
)
# How Keycloak (`typ`) and Amazon Cognito (`token_use`) name a token's kind in its claims; an access token is Bearer or
# access there.
_OTHER_KINDS = frozenset({"id", "refresh", "offline", "logout"})


def check_access_token(
    token: str | bytes,
    *,
    keys: KeySet,
    issuer: str,
    audience: str,
    algorithms: Collection[str],
    leeway: int,
    now: float,
    profile: ProviderProfile | None = None,
) -> tuple[AccessToken, str | None]:
    """Say what a presented bearer token is worth, and under which `kid` it was signed.

    The order is: signature, then type, issuer, audience, binding and time.

    `issuer` is compared octet by octet; `audience` must be one of the token's; `leeway` (seconds) is granted to `exp`,
    `nbf` and `iat`; `now` is seconds since 1970; `profile` says where the issuer's tokens differ from RFC 9068.
    Raises InvalidToken and nothing else, whatever the token.
    """
    jws = verify_compact(token, keys=keys, algorithms=algorithms)
    if profile is None:
        access_token = signed_claims(jws)
    else:
        access_token = read_provider_token(jws, issuer=issuer, profile=profile)
        issuer = accepted_issuer(access_token, issuer=issuer, profile=profile)
        audience = accepted_audience(access_token, audience=audience, profile=profile)
    check_claims(access_token, issuer=issuer, audience=audience, leeway=leeway, now=now)
    return access_token, jws.key.kid


def signed_claims(jws: VerifiedJws) -> AccessToken:
    """Read the claims of a JWS whose signature held. Raises InvalidToken where it is no access token."""
    # RFC 8725 §3.11: an ID token or a log-out token of the same issuer must never pass.
    typ = jws.header.typ
    if typ not in _TYPES and (typ is None or typ.lower() not in _TYPES):
        raise InvalidToken("wrong_type")
    access_token = parse_access_token(jws.payload)
    if access_token.claims:
        check_kind(access_token.claims)
    return access_token


def check_kind(claims: Mapping[str, object]) -> None:
    """Refuse claims that only other kinds of tokens have, whatever `typ` says. Raises InvalidToken: wrong_type."""
    foreign = _CLAIMS_OF_OTHER_KINDS.intersection(claims)
    if foreign:
        raise InvalidToken("wrong_type", min(foreign))
    for claim in ("typ", "token_use"):
        kind = claims.get(claim)
        if isinstance(kind, str) and kind.lower() in _OTHER_KINDS:
            raise InvalidToken("wrong_type", claim)


def check_claims(access_token: AccessToken, *, issuer: str, audience: str, leeway: int, now: float) -> None:
    """Refuse authentic claims that are another issuer's, for another API, bound to a key, or outside of their time.

    Raises InvalidToken and nothing else.
    """
    if access_token.iss != issuer:
        raise InvalidToken("wrong_issuer", "iss")
    if audience not in access_token.aud:
        raise InvalidToken("wrong_audience", "aud")
    # RFC 7800 §3, RFC 9449 §7.1: without the proof, a bound token is only a stolen one.
    if "cnf" in access_token.claims:
        raise InvalidToken("proof_of_possession_required", "cnf")
    check_time(access_token, leeway, now)


def check_time(access_token: AccessToken, leeway: int, now: float) -> None:
    """Refuse a token outside of its time. Raises InvalidToken: token_expired, token_not_yet_valid."""
    if now >= access_token.exp + leeway:
        raise InvalidToken("token_expired", "exp")
    if access_token.nbf is not None and now < access_token.nbf - leeway:
        raise InvalidToken("token_not_yet_valid", "nbf")
    if now < access_token.iat - leeway:
        raise InvalidToken("token_not_yet_valid", "iat")
