"""What a client's registration must be to hold together, whoever writes it down (RFC 6749 §2)."""

import re
from collections.abc import Mapping

import msgspec

from sealring.protocol.client import (
    PERMISSIONS,
    AssertionAlgorithm,
    Client,
    ClientType,
    TokenDelivery,
    TokenEndpointAuthMethod,
)
from sealring.protocol.client_key_registration import MethodChosen, MethodProblem, choose_method, key_problem
from sealring.protocol.code_flow_registration import (
    CodeFlowChosen,
    LogoutChosen,
    PagesChosen,
    choose_code_flow,
    code_flow_problem,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds

_CLIENT_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}")
_LONGEST_NAME = 128  # characters
_LONGEST_LIFETIME = 10 * 366 * 24 * 3600  # seconds
_LONGEST_GRACE_WINDOW = 60  # seconds, SECURITY A5
_MOST_ORIGINS = 32
_CHOSEN_APART = (
    *("token_endpoint_auth_method", "token_endpoint_auth_signing_alg", "token_endpoint_audience"),
    *("code_flow", "logout", "pages"),
)


class ClientRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client to be registered. `allowed`: API identifier → scopes. Lifetimes and `grace_window` in seconds.

    `token_endpoint_auth_method`: None for `client_secret_basic`, or `none` where the client is public. `jwks`: a JWK
    set as JSON. `code_flow`: None where people do not sign in to it by /authorize.
    """

    client_id: str
    name: str | None = None
    type: ClientType
    token_endpoint_auth_method: TokenEndpointAuthMethod | None = None
    token_endpoint_auth_signing_alg: AssertionAlgorithm | None = None
    token_endpoint_audience: bool | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    first_party: bool = False
    permissions: tuple[str, ...] = ()
    allowed: Mapping[str, tuple[str, ...]]
    token_delivery: TokenDelivery = "body"
    origins: tuple[str, ...] = ()
    client_credentials: bool = False
    refresh: bool = True
    idle_lifetime: int = 30 * 24 * 3600
    absolute_lifetime: int = 90 * 24 * 3600
    grace_window: int = 10
    code_flow: CodeFlowChosen | None = None
    logout: LogoutChosen | None = None
    pages: PagesChosen | None = None


class ClientChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall be different about a registered client; None leaves a member as it is. The type never changes."""

    client_id: str
    name: str | None = None
    token_endpoint_auth_method: TokenEndpointAuthMethod | None = None
    token_endpoint_auth_signing_alg: AssertionAlgorithm | None = None
    token_endpoint_audience: bool | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    first_party: bool | None = None
    permissions: tuple[str, ...] | None = None
    allowed: Mapping[str, tuple[str, ...]] | None = None
    token_delivery: TokenDelivery | None = None
    origins: tuple[str, ...] | None = None
    client_credentials: bool | None = None
    refresh: bool | None = None
    idle_lifetime: int | None = None
    absolute_lifetime: int | None = None
    grace_window: int | None = None
    code_flow: CodeFlowChosen | None = None
    logout: LogoutChosen | None = None
    pages: PagesChosen | None = None


def parse_client_registration(
    registration: ClientRegistration, *, known: Mapping[str, frozenset[str]], now: Instant
) -> Client | OAuthError:
    """Make a client without secrets of its registration. `known`: registered API identifier → its scopes.

    Its origins must have been parsed before. The first epoch is the time in seconds.
    """
    client = Client(
        client_id=registration.client_id,
        name=registration.client_id if registration.name is None else registration.name,
        type=registration.type,
        first_party=registration.first_party,
        permissions=frozenset(registration.permissions),
        allowed=_scopes_by_api(registration.allowed),
        token_delivery=registration.token_delivery,
        origins=frozenset(registration.origins),
        client_credentials=registration.client_credentials,
        jwks=registration.jwks,
        jwks_uri=registration.jwks_uri,
        refresh=registration.refresh,
        idle_lifetime=Seconds(registration.idle_lifetime),
        absolute_lifetime=Seconds(registration.absolute_lifetime),
        grace_window=Seconds(registration.grace_window),
        epoch=now // 1000,
        created_at=now,
    )
    return _judged(_with_code_flow(client, registration), _method_chosen(registration), known=known)


def parse_client_change(
    client: Client, change: ClientChange, *, known: Mapping[str, frozenset[str]]
) -> Client | OAuthError:
    """Make of `client` what it shall be; the whole is judged again as if it were new."""
    members = {name: value for name, value in msgspec.structs.asdict(change).items() if value is not None}
    for name in _CHOSEN_APART:
        members.pop(name, None)
    if members.keys() & {"jwks", "jwks_uri"}:  # one takes the other's place
        members = {"jwks": None, "jwks_uri": None, **members}
    for name in members.keys() & {"permissions", "origins"}:
        members[name] = frozenset(members[name])
    if change.allowed is not None:
        members["allowed"] = _scopes_by_api(change.allowed)
    changed = _with_code_flow(msgspec.structs.replace(client, **members), change)
    return _judged(changed, _method_chosen(change), known=known)


def _scopes_by_api(allowed: Mapping[str, tuple[str, ...]]) -> dict[str, frozenset[str]]:
    return {identifier: frozenset(scopes) for identifier, scopes in allowed.items()}


def _with_code_flow(client: Client, written: ClientRegistration | ClientChange) -> Client:
    return choose_code_flow(client, flow=written.code_flow, logout=written.logout, pages=written.pages)


def _method_chosen(written: ClientRegistration | ClientChange) -> MethodChosen:
    return MethodChosen(
        method=written.token_endpoint_auth_method,
        signing_alg=written.token_endpoint_auth_signing_alg,
        token_endpoint_audience=written.token_endpoint_audience,
    )


def _judged(registered: Client, chosen: MethodChosen, *, known: Mapping[str, frozenset[str]]) -> Client | OAuthError:
    client = choose_method(registered, chosen)
    if isinstance(client, MethodProblem):
        return refuse("invalid_registration", description=client.sentence)
    sentence = (
        _identity_problem(client)
        or _permission_problem(client)
        or _authentication_problem(client)
        or key_problem(client)
        or _delivery_problem(client)
        or _lifetime_problem(client)
        or code_flow_problem(client)
    )
    if sentence is not None:
        return refuse("invalid_registration", description=sentence)
    return _refuse_targets(client.allowed, known=known) or client


def _identity_problem(client: Client) -> str | None:
    if not _CLIENT_ID.fullmatch(client.client_id):
        return "A client id has 1 to 64 characters out of A-Z a-z 0-9 . _ ~ -"
    if not 1 <= len(client.name) <= _LONGEST_NAME or not client.name.isprintable():
        return f"A client's name has 1 to {_LONGEST_NAME} printable characters."
    if len(client.origins) > _MOST_ORIGINS:
        return f"A client has at most {_MOST_ORIGINS} origins."
    return None


def _permission_problem(client: Client) -> str | None:
    strangers = sorted(client.permissions - PERMISSIONS.keys())
    if strangers:
        return f"There is no permission {strangers[0]!r}; there are {', '.join(sorted(PERMISSIONS))}."
    if client.permissions and client.type == "public":
        return "A public client cannot prove who it is, so it may not have permissions."
    return None


def _authentication_problem(client: Client) -> str | None:
    if client.client_credentials and client.type == "public":
        return "A public client cannot prove who it is, so it may not have tokens in its own name."
    in_form = client.token_endpoint_auth_method in {"client_secret_post", "private_key_jwt"}
    if in_form and (client.first_party or client.permissions):
        # There the body is JSON, and has no place for a secret or an assertion.
        return "What a first-party client and one with permissions may use takes client_secret_basic only."
    return None


def _delivery_problem(client: Client) -> str | None:
    if client.token_delivery == "body":
        return None
    if client.type == "confidential":
        return "Cookie delivery is for pages, which keep no secret: register a public client for it."
    if not client.origins:
        return "Cookie delivery is for pages: name the origin that they come from (--origin)."
    return None


def _lifetime_problem(client: Client) -> str | None:
    if not 1 <= client.idle_lifetime <= client.absolute_lifetime <= _LONGEST_LIFETIME:
        return (
            "Session lifetimes are whole seconds, 1 ≤ idle ≤ absolute ≤ ten years: "
            f"not idle {client.idle_lifetime}, absolute {client.absolute_lifetime}."
        )
    if not 0 <= client.grace_window <= _LONGEST_GRACE_WINDOW:
        return f"The grace window is 0 to {_LONGEST_GRACE_WINDOW} seconds."
    return None


def _refuse_targets(allowed: Mapping[str, frozenset[str]], *, known: Mapping[str, frozenset[str]]) -> OAuthError | None:
    for identifier, scopes in sorted(allowed.items()):
        if identifier not in known:
            return refuse("unknown_api", description=f"There is no API {identifier!r}: add it first.")
        missing = sorted(scopes - known[identifier])
        if missing or not scopes:
            named = f"no scope {missing[0]!r}" if missing else "scopes, and the client must be allowed one at least"
            return refuse("invalid_registration", description=f"The API {identifier!r} has {named}.")
    return None
