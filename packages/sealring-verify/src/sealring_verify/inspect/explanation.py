"""Why a verifier would refuse a token, and from when on it would not: by the verifier's own pure checks."""

from collections.abc import Collection, Iterator
from typing import Final

import msgspec

from sealring_verify.access_token import check_access_token, check_claims, signed_claims
from sealring_verify.claims import AccessToken, parse_access_token
from sealring_verify.decryption import Decryption, signed_token
from sealring_verify.errors import InsufficientScope, InvalidToken, TokenRefused
from sealring_verify.jose import base64url
from sealring_verify.jose.header import parse_header
from sealring_verify.jose.jwk import PublicKey
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import VerifiedJws

_MOST_REASONS: Final = 8  # issuer, audience, binding and dates, each once


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier of an API is told: the arguments of `Verifier`, and the scopes that an operation needs."""

    keys: KeySet
    algorithms: Collection[str]
    issuer: str
    audience: str
    leeway: int = 30
    scopes: Collection[str] = ()
    decryption: Decryption | None = None


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """What a verifier says: the first of `refusals` is its answer, the others would follow; none: accepted.

    `passes_at`: when, in seconds since 1970, it would pass, if time alone is in its way; the last moment, for a token
    that has expired.
    """

    refusals: tuple[TokenRefused, ...]
    passes_at: int | None = None


def explain(text: str, policy: Policy, *, now: float) -> Explanation:
    """Ask the checks of a `Verifier` about a token, and look behind its refusal for others.

    `text`: the token as an API would get it. Revocation and introspection are not asked for.
    """
    first = _refusal(text, policy, now=now)
    if first is None:
        return Explanation(refusals=())
    further = {refusal.code: refusal for refusal in _further(text, policy, now=now) if refusal.code != first.code}
    moment = _turning_point(text, policy, first.code)
    passes_at = moment if moment is not None and _refusal(text, policy, now=moment) is None else None
    return Explanation(refusals=(first, *further.values()), passes_at=passes_at)


def _refusal(text: str, policy: Policy, *, now: float) -> TokenRefused | None:
    try:
        access_token, _ = check_access_token(
            signed_token(text, policy.decryption),
            keys=policy.keys,
            issuer=policy.issuer,
            audience=policy.audience,
            algorithms=policy.algorithms,
            leeway=policy.leeway,
            now=now,
        )
    except TokenRefused as refusal:
        return refusal
    return _scope_refusal(access_token, policy)


def _further(text: str, policy: Policy, *, now: float) -> Iterator[TokenRefused]:
    """Go on behind each refusal as if it had not been, over a token that is taken for authentic."""
    try:
        jws = _taken_for_authentic(signed_token(text, policy.decryption))
        access_token = parse_access_token(jws.payload)
    except InvalidToken as refusal:
        yield refusal
        return
    try:
        signed_claims(jws)
    except InvalidToken as refusal:
        yield refusal
    issuer, audience = policy.issuer, policy.audience
    for _ in range(_MOST_REASONS):
        try:
            check_claims(access_token, issuer=issuer, audience=audience, leeway=policy.leeway, now=now)
        except InvalidToken as refusal:
            yield refusal
            if refusal.code == "wrong_issuer":
                issuer = access_token.iss
            elif refusal.code == "wrong_audience":
                audience = access_token.aud[0]
            elif refusal.code == "proof_of_possession_required":
                access_token = msgspec.structs.replace(access_token, claims={})
            else:
                break
        else:
            break
    lacking = _scope_refusal(access_token, policy)
    if lacking is not None:
        yield lacking


def _scope_refusal(access_token: AccessToken, policy: Policy) -> InsufficientScope | None:
    return None if access_token.scope.issuperset(policy.scopes) else InsufficientScope(policy.scopes)


def _turning_point(text: str, policy: Policy, code: str) -> int | None:
    """Name the moment at which a token's dates begin to hold, or the last at which they did."""
    if code not in {"token_expired", "token_not_yet_valid"}:
        return None
    claims = parse_access_token(_taken_for_authentic(signed_token(text, policy.decryption)).payload)
    if code == "token_expired":
        return claims.exp + policy.leeway - 1
    return max(claims.iat, claims.nbf or 0) - policy.leeway


def _taken_for_authentic(text: str) -> VerifiedJws:
    # It leaves this module as the code of a refusal, never as a token.
    parts = text.encode("utf-8", "replace").split(b".")
    if len(parts) != 3:
        raise InvalidToken("token_malformed")
    try:
        header, payload = base64url.decode(parts[0]), base64url.decode(parts[1])
    except ValueError:
        raise InvalidToken("token_malformed") from None
    return VerifiedJws(header=parse_header(header), payload=payload, key=PublicKey(kid=None, alg="", verify=_never))


def _never(_message: bytes, _signature: bytes) -> bool:
    return False
