"""APIs: the audiences of access tokens, their scopes and what their tokens may carry (RFC 8707, RFC 9068)."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from sealring.protocol.instant import Instant, Seconds

SigningAlgorithm = Literal["ES256", "Ed25519", "PS256", "RS256", "HS256"]
"""What the access tokens of an API may be signed with; HS256 by a secret that this one API has too (SECURITY C3)."""

AccessTokenFormat = Literal["jwt", "opaque"]
"""What the access tokens of an API are: signed for anybody to verify, or readable by Sealring alone (SECURITY C4)."""

SESSIONS_SCOPE = "sessions"
"""The scope of the issuer's own API: people list and end their sessions and change their password with it."""

ISSUER_SCOPES: Mapping[str, str] = {
    SESSIONS_SCOPE: "See and end your own sessions",
    "openid": "Know who you are",
    "profile": "See your name and profile",
    "email": "See your e-mail address",
    "address": "See your postal address",
    "phone": "See your phone number",
    "offline_access": "Go on working while you are away",
}
"""What the issuer's own API has: its sessions, and what OpenID Connect tells of a person (Core §5.4, §11)."""


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """A registered API.

    `identifier`: the audience of its tokens. `scopes`: name → description. `claims`: names of user claims that reach
    its tokens (`roles` among them). `byte_budget`: the longest access token in octets. `access_token_format`: it never
    changes, and opaque tokens are not signed. `encryption_jwks`: the public keys that its signed tokens are encrypted
    to, the first one of use, as JSON; None where they are only signed. `secret_digests`: SHA-256 of its `sla_` secrets,
    at most two. `former_lifetime`: a longer one that was in force until `former_lifetime_until` less a day, tokens of
    which may still live.
    """

    identifier: str
    scopes: Mapping[str, str]
    access_token_lifetime: Seconds = Seconds(600)
    byte_budget: int = 4096
    claims: tuple[str, ...] = ()
    access_token_signing_alg: SigningAlgorithm = "ES256"
    access_token_format: AccessTokenFormat = "jwt"
    encryption_jwks: str | None = None
    secret_digests: tuple[bytes, ...] = ()
    insecure_long_access_tokens: bool = False
    insecure_allow_personal_claims: bool = False
    former_lifetime: Seconds = Seconds(0)
    former_lifetime_until: Instant = Instant(0)
    created_at: Instant


def longest_access_token_lifetime(api: Api, *, now: Instant) -> Seconds:
    """Say how long a token of this API may live under any setting in force in the last 24 hours (SECURITY B2)."""
    former = api.former_lifetime if now < api.former_lifetime_until else Seconds(0)
    return max(api.access_token_lifetime, former)
