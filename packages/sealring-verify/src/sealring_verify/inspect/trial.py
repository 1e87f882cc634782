"""What a token is worth under given keys: signature, dates and issuer, with the codes of a `Verifier`; pure."""

import hashlib
import hmac

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.inspect.decoding import Members, SignedToken
from sealring_verify.inspect.remarks import whole_seconds
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jwk import PublicKey
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import VerifiedJws, verify_compact


class NamedKey(KeySet):
    """The key that somebody named: it is meant, whatever the token says of key ids."""

    __slots__ = ()

    def find(self, kid: str | None, alg: str) -> PublicKey | None:
        """Give the key, in the form for the algorithm if it has several."""
        del kid
        fitting = [key for key in self.keys if key.alg == alg]
        return (fitting or self.keys)[0]


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a token is verified with. `issuer`: which it must be from; None where only keys were named."""

    keys: KeySet
    issuer: str | None = None
    leeway: int = 30


def allowed_algorithms(keys: KeySet) -> frozenset[str]:
    """Name the algorithms that count, as a verifier has it: all asymmetric ones, or those of the one key or secret."""
    named = frozenset(key.alg for key in keys.keys)
    return named if isinstance(keys, NamedKey) or named == {"HS256"} else ALGORITHMS


def secret_key(secret: bytes) -> NamedKey:
    """Make the key of an HS256 secret, also of one that is too short for any verifier."""

    def verify(message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(hmac.digest(secret, message, hashlib.sha256), signature)

    return NamedKey([PublicKey(kid=None, alg="HS256", verify=verify)])


def verify_token(token: SignedToken, trial: Trial, *, now: float) -> VerifiedJws:
    """Check what holds of any signed token: its signature, its dates and, where one is named, its issuer.

    Raises InvalidToken.
    """
    allowed = allowed_algorithms(trial.keys)
    # Two names of one algorithm (RFC 9864); a `Verifier` takes the older one where it was told to.
    algorithms = allowed | {"EdDSA"} if "Ed25519" in allowed else allowed
    jws = verify_compact(token.text, keys=trial.keys, algorithms=algorithms)
    claims = token.claims or {}
    if trial.issuer is not None and claims.get("iss") != trial.issuer:
        raise InvalidToken("wrong_issuer", "iss")
    _check_dates(claims, leeway=trial.leeway, now=now)
    return jws


def _check_dates(claims: Members, *, leeway: int, now: float) -> None:
    for name in ("exp", "nbf", "iat"):
        if name in claims and whole_seconds(claims[name]) is None:
            raise InvalidToken("invalid_claim", name)
    exp, nbf, iat = (whole_seconds(claims.get(name)) for name in ("exp", "nbf", "iat"))
    if exp is not None and now >= exp + leeway:
        raise InvalidToken("token_expired", "exp")
    if nbf is not None and now < nbf - leeway:
        raise InvalidToken("token_not_yet_valid", "nbf")
    if iat is not None and now < iat - leeway:
        raise InvalidToken("token_not_yet_valid", "iat")
