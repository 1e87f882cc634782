"""The check of an ID token (OpenID Connect Core §3.1.3.7), pure: keys and time are arguments."""

import hmac
from collections.abc import Collection, Mapping
from hashlib import sha256, sha512
from typing import Final

import msgspec

from sealring_verify.errors import InvalidToken
from sealring_verify.jose import base64url
from sealring_verify.jose.json_object import DuplicateMember, parse_json_object
from sealring_verify.jose.jwks import KeySet
from sealring_verify.jose.jws import verify_compact

# The algorithms of ID tokens, each with the hash that ties one to its access token (§3.1.3.6).
ALGORITHMS: Final = {"RS256": sha256, "ES256": sha256, "PS256": sha256, "Ed25519": sha512}
_TYPES = frozenset({None, "jwt", "application/jwt"})


class IdToken(msgspec.Struct, frozen=True, kw_only=True):
    """Who signed in, as the issuer said it. `claims`: all of them."""

    sub: str
    sid: str | None
    claims: Mapping[str, object]


def check_id_token(
    token: str,
    *,
    keys: KeySet,
    issuer: str,
    client_id: str,
    nonce: str,
    access_token: str,
    algorithms: Collection[str],
    leeway: int,
    now: float,
) -> IdToken:
    """Say who signed in. `algorithms`: some of ALGORITHMS; `leeway` in seconds, `now` in seconds since 1970.

    Raises InvalidToken and nothing else, whatever the token.
    """
    jws = verify_compact(token, keys=keys, algorithms=algorithms)
    # RFC 8725 §3.11: an access token or a log-out token of the same issuer must never pass.
    if (jws.header.typ and jws.header.typ.lower()) not in _TYPES:
        raise InvalidToken("wrong_type")
    claims = _members(jws.payload)
    if claims.get("iss") != issuer:
        raise InvalidToken("wrong_issuer", "iss")
    # One audience alone: another one beside it would be somebody whom this site does not know (§3.1.3.7, 3 to 5).
    if claims.get("aud") not in (client_id, [client_id]) or claims.get("azp", client_id) != client_id:
        raise InvalidToken("wrong_audience", "aud")
    said = claims.get("nonce")
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise InvalidToken("invalid_claim", "nonce")
    # It may be missing (§3.1.3.8): the two came in one answer of the token endpoint.
    if "at_hash" in claims and claims["at_hash"] != _hash_of(access_token, jws.key.alg):
        raise InvalidToken("invalid_claim", "at_hash")
    if now >= _date(claims, "exp") + leeway:
        raise InvalidToken("token_expired", "exp")
    if _date(claims, "iat") > now + leeway:
        raise InvalidToken("token_not_yet_valid", "iat")
    sub, sid = claims.get("sub"), claims.get("sid")
    if not isinstance(sub, str) or not sub:
        raise InvalidToken("missing_claim", "sub")
    return IdToken(sub=sub, sid=sid if isinstance(sid, str) else None, claims=claims)


def _members(payload: bytes) -> Mapping[str, object]:
    try:
        return parse_json_object(payload)
    except DuplicateMember:
        raise InvalidToken("duplicate_member") from None
    except ValueError:
        raise InvalidToken("token_malformed") from None


def _date(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    if type(value) is not int or not 0 <= value <= 99_999_999_999:
        raise InvalidToken("missing_claim" if value is None else "invalid_claim", name)
    return value


def _hash_of(access_token: str, alg: str) -> str:
    digest = ALGORITHMS[alg](access_token.encode()).digest()
    return base64url.encode(digest[: len(digest) // 2]).decode()
