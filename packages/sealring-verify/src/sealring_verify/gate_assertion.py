"""The assertion of a gate, pure: who passed it, and for which request (docs/how-to/protect-a-site-behind-a-proxy.md).

It is no access token: its type is another one, and neither passes for the other.
"""

from typing import Final

import msgspec

from sealring_verify.claims import parse_claims_set
from sealring_verify.errors import InvalidToken
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import verify_compact

_TYPE: Final = "sealring-gate+jwt"
_LONGEST_LIFETIME: Final = 60  # seconds


class GateAssertion(msgspec.Struct, frozen=True, kw_only=True):
    """Who passed a gate. `sid`: of a person's session, None for a program in its own name."""

    sub: str
    client_id: str
    scope: frozenset[str]
    sid: str | None


class _Claims(msgspec.Struct, frozen=True):
    iss: str
    aud: str
    sub: str
    client_id: str
    scope: str
    method: str
    path: str
    iat: int
    exp: int
    sid: str | None = None


def check_gate_assertion(
    assertion: str, *, keys: KeySet, issuer: str, host: str, method: str, path: str, leeway: int, now: float
) -> GateAssertion:
    """Say who passed the gate `host` with this very request. `now`, `leeway`: seconds.

    `path`: as the request line has it, percent-encoded, without query. Raises InvalidToken, also `wrong_request`.
    """
    jws = verify_compact(assertion, keys=keys, algorithms=ALGORITHMS)
    if jws.header.typ is None or jws.header.typ.lower() != _TYPE:
        raise InvalidToken("wrong_type")
    try:
        claims = msgspec.convert(parse_claims_set(jws.payload), _Claims)
    except msgspec.ValidationError:
        raise InvalidToken("invalid_claim") from None
    if claims.iss != issuer:
        raise InvalidToken("wrong_issuer", "iss")
    if claims.aud != host:
        raise InvalidToken("wrong_audience", "aud")
    if claims.exp - claims.iat > _LONGEST_LIFETIME or now >= claims.exp + leeway:
        raise InvalidToken("token_expired", "exp")
    if now < claims.iat - leeway:
        raise InvalidToken("token_not_yet_valid", "iat")
    if claims.method != method:
        raise InvalidToken("wrong_request", "method")
    if claims.path != path:
        raise InvalidToken("wrong_request", "path")
    scope = frozenset(claims.scope.split())
    return GateAssertion(sub=claims.sub, client_id=claims.client_id, scope=scope, sid=claims.sid)
