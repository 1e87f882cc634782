"""Token introspection (RFC 7662) from the API's side, pure: the request, the answer, and how long it counts."""

import base64
import contextlib
from collections.abc import Iterator, Mapping
from urllib.parse import quote_plus, urlencode

import msgspec

from sealring_verify.claims import AccessToken, read_claims
from sealring_verify.errors import IntrospectionUnavailable, InvalidToken
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.provider_profile import ProviderProfile, read_provider_claims

# What is revoked is refused after at most this long, in seconds, where signed tokens are asked about as well.
ACTIVE_COUNTS_FOR = 2.0
# Members of an answer that are no claims of the token.
_ABOUT_THE_TOKEN = frozenset({"active", "token_type", "username"})
# Which values speak of an access token: RFC 6749 §7.1; then Keycloak's own member, and that of Ory and Cognito.
_KINDS = {
    "token_type": frozenset({"bearer"}),
    "typ": frozenset({"bearer", "at+jwt"}),
    "token_use": frozenset({"access_token", "access"}),
}


class IntrospectionRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One form POST, ready to be sent. Its repr shows neither token nor credential."""

    url: str
    authorization: str
    body: bytes

    def __repr__(self) -> str:
        return f"IntrospectionRequest(url={self.url!r})"


class IntrospectionClient(msgspec.Struct, frozen=True, kw_only=True):
    """As which client an API asks an issuer about tokens, by HTTP Basic. Its repr shows no secret.

    `endpoint`: where, if not at the `introspection_endpoint` of the issuer's metadata. `requires_token_type=False` is
    for issuers whose answers do not say what kind of token they are about, and are about access tokens alone.
    """

    client_id: str
    client_secret: str
    endpoint: str | None = None
    requires_token_type: bool = True

    def __post_init__(self) -> None:
        """Refuse an empty credential, and an endpoint that would be asked in the open."""
        if not self.client_id or not self.client_secret:
            raise ValueError("IntrospectionClient needs client_id and client_secret")
        if self.endpoint is not None:
            try:
                parse_issuer(self.endpoint)
            except ValueError:
                raise ValueError(f"endpoint must be an https URL without a query: {self.endpoint!r}") from None

    def __repr__(self) -> str:
        return f"IntrospectionClient(client_id={self.client_id!r}, endpoint={self.endpoint!r})"


def introspection_request(token: str, *, endpoint: str, client: IntrospectionClient) -> IntrospectionRequest:
    """Ask about a token as an API's client: HTTP Basic, both halves form-encoded first (RFC 6749 §2.3.1)."""
    credential = f"{quote_plus(client.client_id)}:{quote_plus(client.client_secret)}".encode()
    return IntrospectionRequest(
        url=endpoint,
        authorization="Basic " + base64.b64encode(credential).decode(),
        body=urlencode({"token": token, "token_type_hint": "access_token"}).encode(),
    )


def require_active(status: int, body: bytes) -> bool:
    """Read an answer about a token that was verified already: True where it is active (RFC 7662 §2.2).

    Raises InvalidToken where it is not, and IntrospectionUnavailable for any other answer.
    """
    if not _active(status, _members(status, body)):
        raise InvalidToken("token_inactive")
    return True


def parse_introspected_token(status: int, body: bytes) -> AccessToken | None:
    """Read the claims of an active token, None for one that is not (RFC 7662 §2.2).

    Raises IntrospectionUnavailable for any other answer, and for one that lacks what an access token must say: what
    the issuer of a token answers about it is no fault of whoever has it.
    """
    members = _members(status, body)
    if not _active(status, members):
        return None
    with _as_fault_of_the_issuer():
        return read_claims(_claims(members))


def parse_foreign_token(
    status: int, body: bytes, *, issuer: str, client: IntrospectionClient, profile: ProviderProfile
) -> AccessToken | None:
    """Read what another issuer than Sealring says of an active token, None for one that is not (RFC 7662 §2.2).

    `iss` may be left out, as the issuer's own endpoint was asked; `jti` may be missing; all else that RFC 9068 demands
    must be there. Issuers answer about refresh and ID tokens too: what the answer calls no access token is refused.
    Raises InvalidToken, and IntrospectionUnavailable as `parse_introspected_token` does.
    """
    members = _members(status, body)
    if not _active(status, members):
        return None
    _check_kind(members, client)
    # An answer has RFC 7662's names, whatever those in the tokens themselves are.
    read_as = ProviderProfile(
        name=profile.name, issuers=profile.issuers, roles_path=profile.roles_path, may_lack=frozenset({"jti"})
    )
    with _as_fault_of_the_issuer():
        return read_provider_claims({"iss": issuer, **_claims(members)}, issuer=issuer, profile=read_as)


def _check_kind(members: Mapping[str, object], client: IntrospectionClient) -> None:
    told = {name: members[name] for name in _KINDS if members.get(name) is not None}
    for name, kind in told.items():
        if not isinstance(kind, str) or kind.lower() not in _KINDS[name] | {"jwt"}:
            raise InvalidToken("wrong_type", name)
    # Every kind of signed token is a JWT.
    if client.requires_token_type and set(told.values()) <= {"JWT", "jwt"}:
        raise InvalidToken(
            "wrong_type",
            "token_type",
            "The issuer's answer does not say what kind of token it is about (token_type). If it says so of none, "
            "requires_token_type=False takes its word for access tokens.",
        )


def _claims(members: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in members.items() if name not in _ABOUT_THE_TOKEN}


@contextlib.contextmanager
def _as_fault_of_the_issuer() -> Iterator[None]:
    try:
        yield
    except InvalidToken as fault:
        if fault.code not in {"missing_claim", "invalid_claim"}:
            raise
        raise _unavailable(
            f"The introspection endpoint answered with claims that cannot be used ({fault.code} {fault.claim})."
        ) from None


def _members(status: int, body: bytes) -> Mapping[str, object]:
    if status == 401:
        raise _unavailable(
            "The issuer refuses this API's credential: check SEALRING_API_KEY and SEALRING_AUDIENCE, or for another "
            "issuer the IntrospectionClient."
        )
    try:
        return parse_json_object(body) if status == 200 else {}
    except ValueError:
        return {}


def _active(status: int, members: Mapping[str, object]) -> bool:
    active = members.get("active")
    if not isinstance(active, bool):
        raise _unavailable(f"The introspection endpoint answered {status} without saying whether the token is active.")
    return active


def _unavailable(message: str) -> IntrospectionUnavailable:
    return IntrospectionUnavailable("introspection_unavailable", message)
