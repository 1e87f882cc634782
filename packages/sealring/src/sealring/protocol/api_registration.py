"""What an API's registration must be to hold together (RFC 8707, RFC 9068)."""

import re
from collections.abc import Mapping

import msgspec

from sealring.protocol.access_token import INTROSPECTION_MEMBERS, PERSONAL_CLAIMS, REGISTERED_CLAIMS
from sealring.protocol.api import AccessTokenFormat, Api, SigningAlgorithm, longest_access_token_lifetime
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds, later
from sealring.protocol.scope import OPENID_SCOPES, parse_scope
from sealring_verify.jose.jwe import parse_encryption_jwks

_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!$%&'()*+,./0-9:;=?@A-Z\[\]_a-z~-]{1,240}")  # RFC 3986, no '#'
_CLAIM_NAME = re.compile(r"[A-Za-z0-9._:/-]{1,128}")
_ENCRYPTED_LATER = (
    "Only a new API can have its tokens encrypted: the verifiers of this one would refuse every token. Add another."
)
_LONGEST_OPAQUE = 15 * 1024  # octets
_LONGEST_JWKS = 8 * 1024  # characters
_LONGEST_DESCRIPTION = 256  # characters
_MOST_SCOPES = 64
_MOST_CLAIMS = 32
_HOUR = 3600
_DAY = 24 * _HOUR
_MONTH = 31 * _DAY


class ApiRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An API to be registered. `scopes`: name → description; lifetime in seconds; `byte_budget` in octets."""

    identifier: str
    scopes: Mapping[str, str]
    access_token_lifetime: int = 600
    byte_budget: int = 4096
    claims: tuple[str, ...] = ()
    access_token_signing_alg: SigningAlgorithm = "ES256"
    access_token_format: AccessTokenFormat = "jwt"
    encryption_jwks: str | None = None
    insecure_long_access_tokens: bool = False
    insecure_allow_personal_claims: bool = False


class ApiChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a registered API; None leaves a member as it is.

    The format of its tokens never changes: its verifiers take one of them, and would refuse every token of the other.
    """

    identifier: str
    scopes: Mapping[str, str] | None = None
    access_token_lifetime: int | None = None
    byte_budget: int | None = None
    claims: tuple[str, ...] | None = None
    access_token_signing_alg: SigningAlgorithm | None = None
    encryption_jwks: str | None = None
    insecure_long_access_tokens: bool | None = None
    insecure_allow_personal_claims: bool | None = None


def parse_api_registration(registration: ApiRegistration, *, now: Instant) -> Api | OAuthError:
    """Make an API without secrets of its registration."""
    api = Api(
        identifier=registration.identifier,
        scopes=dict(registration.scopes),
        access_token_lifetime=Seconds(registration.access_token_lifetime),
        byte_budget=registration.byte_budget,
        claims=registration.claims,
        access_token_signing_alg=registration.access_token_signing_alg,
        access_token_format=registration.access_token_format,
        encryption_jwks=registration.encryption_jwks,
        insecure_long_access_tokens=registration.insecure_long_access_tokens,
        insecure_allow_personal_claims=registration.insecure_allow_personal_claims,
        created_at=now,
    )
    return _judged(api)


def parse_api_change(api: Api, change: ApiChange, *, now: Instant) -> Api | OAuthError:
    """Make of `api` what it shall be; the whole is judged again as if it were new.

    A lifetime that is shortened is remembered for a day, since its tokens live on (SECURITY B2).
    """
    if change.encryption_jwks is not None and api.encryption_jwks is None:
        return refuse("invalid_registration", description=_ENCRYPTED_LATER)
    members = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    changed = msgspec.structs.replace(api, **members)
    longest = longest_access_token_lifetime(api, now=now)
    if changed.access_token_lifetime < longest:
        until = later(now, _DAY) if api.access_token_lifetime == longest else api.former_lifetime_until
        changed = msgspec.structs.replace(changed, former_lifetime=longest, former_lifetime_until=until)
    return _judged(changed)


def _judged(api: Api) -> Api | OAuthError:
    sentence = (
        _identifier_problem(api.identifier) or _scope_problem(api.scopes) or _size_problem(api) or _format_problem(api)
    )
    if sentence is not None:
        return refuse("invalid_registration", description=sentence)
    return _refuse_lifetime(api) or _refuse_claims(api) or api


def _identifier_problem(identifier: str) -> str | None:
    if _PLAIN_NAME.fullmatch(identifier) or _ABSOLUTE_URI.fullmatch(identifier):
        return None
    return (
        "An API is named by a plain name (1 to 64 characters out of A-Z a-z 0-9 . _ -) "
        "or by an absolute URI without fragment, such as https://api.example.com/orders."
    )


def _scope_problem(scopes: Mapping[str, str]) -> str | None:
    if not 1 <= len(scopes) <= _MOST_SCOPES:
        return f"An API has 1 to {_MOST_SCOPES} scopes."
    for name, description in scopes.items():
        if parse_scope(name) != frozenset({name}):
            return f"{name!r} is no scope: printable ASCII without space, quote and backslash (RFC 6749 §3.3)."
        if name in OPENID_SCOPES:
            return f"The scope {name!r} belongs to OpenID Connect: choose another name, such as orders:{name}."
        if len(description) > _LONGEST_DESCRIPTION or not description.isprintable():
            return f"The description of a scope has at most {_LONGEST_DESCRIPTION} printable characters."
    return None


def _size_problem(api: Api) -> str | None:
    if not 512 <= api.byte_budget <= 16384:
        return "The byte budget of an access token is 512 to 16384 octets."
    if len(api.claims) > _MOST_CLAIMS or len(set(api.claims)) != len(api.claims):
        return f"An API names at most {_MOST_CLAIMS} claims, each once."
    for name in api.claims:
        if not _CLAIM_NAME.fullmatch(name):
            return f"{name!r} is no claim name: 1 to 128 characters out of A-Z a-z 0-9 . _ : / -"
    return None


def _format_problem(api: Api) -> str | None:
    if api.access_token_format == "opaque" and api.access_token_signing_alg != "ES256":
        return "An opaque access token is not signed: leave the algorithm out."
    if api.access_token_format == "opaque" and api.byte_budget > _LONGEST_OPAQUE:
        return (
            f"The byte budget of an opaque token is {_LONGEST_OPAQUE} octets at most: a form of 16 KiB asks about it."
        )
    if api.encryption_jwks is None:
        return None
    if api.access_token_format == "opaque":
        return "An opaque access token is encrypted already, for Sealring alone: leave the API's keys out."
    if len(api.encryption_jwks) > _LONGEST_JWKS:
        return f"A set of keys to encrypt to has at most {_LONGEST_JWKS} characters."
    try:
        parse_encryption_jwks(api.encryption_jwks.encode())
    except ValueError as fault:
        return str(fault)
    return None


def _refuse_lifetime(api: Api) -> OAuthError | None:
    lifetime = api.access_token_lifetime
    if not 1 <= lifetime <= _MONTH:
        return refuse(
            "invalid_registration", description="An access token lives for 1 second or more, 31 days at most."
        )
    if lifetime > _HOUR and not api.insecure_long_access_tokens:
        return refuse(
            "long_access_tokens_refused",
            description="Access tokens live at most one hour; over that only with --insecure-long-access-tokens.",
        )
    return None


def _refuse_claims(api: Api) -> OAuthError | None:
    opaque = api.access_token_format == "opaque"
    names = REGISTERED_CLAIMS | INTROSPECTION_MEMBERS if opaque else REGISTERED_CLAIMS
    reserved = sorted(set(api.claims) & (names - {"roles"}))
    if reserved:
        return refuse("reserved_claim", description=f"The claim {reserved[0]!r} is set by Sealring itself.")
    personal = sorted(set(api.claims) & PERSONAL_CLAIMS)
    # Of an opaque or encrypted token nobody but its API learns a claim.
    hidden = opaque or api.encryption_jwks is not None
    if personal and not hidden and not api.insecure_allow_personal_claims:
        return refuse(
            "personal_claims_refused",
            description=f"The claim {personal[0]!r} is personal data, and whoever sees a signed token can read it: "
            "leave it out, or say --insecure-allow-personal-claims.",
        )
    return None
