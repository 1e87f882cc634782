"""ID tokens: how a client learns who signed in, and how (OpenID Connect Core §2)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256, sha512

import msgspec

from sealring.protocol.client import IdTokenAlgorithm
from sealring.protocol.instant import Instant, numeric_date

ID_TOKEN_TYPE = "JWT"
ID_TOKEN_LIFETIME = 600  # seconds; it says who signed in, and opens nothing
ID_TOKEN_ALGORITHMS: tuple[IdTokenAlgorithm, ...] = ("RS256", "ES256", "PS256", "Ed25519")


class LogIn(msgspec.Struct, frozen=True, kw_only=True):
    """A log-in as a client is told of it. `sub`: as this client knows the person. `nonce`: of the request."""

    sub: str
    sid: str
    auth_time: Instant
    amr: tuple[str, ...]
    acr: str | None
    nonce: str | None


def id_token_payload(
    log_in: LogIn,
    *,
    issuer: str,
    client_id: str,
    alg: IdTokenAlgorithm,
    access_token: str,
    claims: Mapping[str, object],
    now: Instant,
) -> bytes:
    """Write the JSON claims of an ID token. `claims`: of the person, only what was asked for in the ID token."""
    issued_at = numeric_date(now)
    told: dict[str, object] = {
        **claims,
        "iss": issuer,
        "sub": log_in.sub,
        "aud": client_id,
        "exp": issued_at + ID_TOKEN_LIFETIME,
        "iat": issued_at,
        "auth_time": numeric_date(log_in.auth_time),
        "amr": log_in.amr,
        "sid": log_in.sid,
        "at_hash": access_token_hash(access_token, alg=alg),
    }
    if log_in.acr is not None:
        told["acr"] = log_in.acr
    if log_in.nonce is not None:
        told["nonce"] = log_in.nonce
    return msgspec.json.encode(told)


def access_token_hash(access_token: str, *, alg: IdTokenAlgorithm) -> str:
    """Return `at_hash`: the left half of the hash that goes with the algorithm, base64url (Core §3.1.3.6)."""
    digest = (sha512 if alg == "Ed25519" else sha256)(access_token.encode("ascii")).digest()
    return urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()
