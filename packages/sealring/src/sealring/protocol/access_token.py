"""The claims of an access token (RFC 9068 §2.2) and the rules for what else may stand in it."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping

import msgspec

from sealring.protocol.api import Api
from sealring.protocol.instant import Instant, numeric_date
from sealring.protocol.opaque_token import opaque_token_octets
from sealring.protocol.scope import scope_text
from sealring.protocol.user import Subject

REGISTERED_CLAIMS = frozenset(
    {
        "iss",
        "sub",
        "aud",
        "exp",
        "nbf",
        "iat",
        "jti",
        "client_id",
        "scope",
        "sid",
        "sub_epoch",
        "client_epoch",
        "auth_time",
        "acr",
        "amr",
        "azp",
        "cnf",
        "act",
        "may_act",
        "nonce",
        "at_hash",
        "c_hash",
        "s_hash",
        "typ",
        "events",
        "sub_id",
        "token_introspection",
        "token_use",
        "status_list",
        "htm",
        "htu",
        "authorization_details",
        "roles",
        "groups",
        "entitlements",
        "admin",
        "administrator",
        "seal",
    }
)
"""Names that no custom claim may take; `roles` comes from the user's roles, by the API's configuration."""

INTROSPECTION_MEMBERS = frozenset({"active", "token_type", "username"})
"""Names that mean something in an answer about a token (RFC 7662 §2.2), where an opaque one tells its claims."""

PERSONAL_CLAIMS = frozenset(
    {
        "email",
        "email_verified",
        "phone",
        "phone_number",
        "phone_number_verified",
        "birthdate",
        "address",
        "name",
        "given_name",
        "family_name",
        "middle_name",
        "nickname",
        "preferred_username",
        "profile",
        "picture",
        "gender",
    }
)
"""Names that are personal data: refused in a token that is only signed (anybody who sees it can read it)."""


class SessionFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a session tells its access tokens. `claims`: from a trusted back-end, beside the user's own.

    `auth_time`: None where nobody signed in, so that no API takes the token for a fresh log-in (RFC 9470).
    """

    sid: str
    client_id: str
    client_epoch: int
    auth_time: Instant | None
    amr: tuple[str, ...]
    acr: str | None = None
    claims: Mapping[str, object]


class AccessTokenTooLarge(msgspec.Struct, frozen=True, kw_only=True):
    """The token would be longer than the API's byte budget."""

    octets: int
    byte_budget: int


_HEADER_OCTETS = 120
# As base64url. Of HS256 the seal too, which comes into the claims when they are signed.
_SIGNATURE_OCTETS: Mapping[str, int] = {"ES256": 86, "Ed25519": 86, "PS256": 342, "RS256": 342, "HS256": 43 + 44}
_SEAL_MAC_OCTETS = 16
_SEALED = re.compile(rb'(.+),"seal":"([A-Za-z0-9_-]{22})"}', re.DOTALL)


def access_token_payload(
    *, issuer: str, api: Api, subject: Subject, session: SessionFacts, scope: frozenset[str], jti: str, now: Instant
) -> bytes | AccessTokenTooLarge:
    """Write the JSON claims of an access token for `api`, or say that it would not fit its byte budget."""
    issued_at = numeric_date(now)
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": subject.sub,
        "aud": api.identifier,
        "exp": issued_at + api.access_token_lifetime,
        "iat": issued_at,
        "jti": jti,
        "client_id": session.client_id,
        "scope": scope_text(scope),
        "sid": session.sid,
        "sub_epoch": subject.epoch,
        "client_epoch": session.client_epoch,
        "amr": session.amr,
    }
    if session.auth_time is not None:
        claims["auth_time"] = numeric_date(session.auth_time)
    if session.acr is not None:
        claims["acr"] = session.acr
    for name in api.claims:
        if name == "roles":
            claims["roles"] = subject.roles
        elif name in session.claims:
            claims[name] = session.claims[name]
        elif name in subject.claims:
            claims[name] = subject.claims[name]
    return _fitted(claims, api)


def client_token_payload(
    *, issuer: str, api: Api, client_id: str, client_epoch: int, scope: frozenset[str], jti: str, now: Instant
) -> bytes | AccessTokenTooLarge:
    """Write the JSON claims of an access token in a client's own name, or say that it would not fit.

    `sub` is the client (RFC 9068 §2.2). There is no session behind it, and nobody's log-in.
    """
    issued_at = numeric_date(now)
    claims: dict[str, object] = {
        "iss": issuer,
        "sub": client_id,
        "aud": api.identifier,
        "exp": issued_at + api.access_token_lifetime,
        "iat": issued_at,
        "jti": jti,
        "client_id": client_id,
        "scope": scope_text(scope),
        "client_epoch": client_epoch,
    }
    return _fitted(claims, api)


def _fitted(claims: Mapping[str, object], api: Api) -> bytes | AccessTokenTooLarge:
    payload = msgspec.json.encode(claims)
    if api.access_token_format == "opaque":
        octets = opaque_token_octets(len(payload))
    else:
        octets = (len(payload) * 4 + 2) // 3 + _HEADER_OCTETS + _SIGNATURE_OCTETS[api.access_token_signing_alg]
    return payload if octets <= api.byte_budget else AccessTokenTooLarge(octets=octets, byte_budget=api.byte_budget)


def seal_payload(payload: bytes, *, seal_key: bytes) -> bytes:
    """Add the claim `seal` to claims that HS256 will sign: proof that Sealring wrote them, and not another holder.

    `payload`: a JSON object with members. The seal is a MAC of 128 bits under a key that no API has.
    """
    return payload[:-1] + b',"seal":"' + _seal(payload, seal_key) + b'"}'


def seal_holds(payload: bytes, *, seal_key: bytes) -> bool:
    """Say whether a payload is, octet by octet, one that `seal_payload` sealed under that key."""
    match = _SEALED.fullmatch(payload)
    return match is not None and hmac.compare_digest(_seal(match[1] + b"}", seal_key), match[2])


def _seal(payload: bytes, seal_key: bytes) -> bytes:
    mac = hmac.digest(seal_key, payload, hashlib.sha256)[:_SEAL_MAC_OCTETS]
    return urlsafe_b64encode(mac).rstrip(b"=")
