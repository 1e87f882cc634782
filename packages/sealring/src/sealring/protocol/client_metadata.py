"""What a client says of itself to be registered (RFC 7591 §2, OpenID Connect Dynamic Client Registration 1.0 §2)."""

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import msgspec

from sealring.protocol.client import (
    ApplicationType,
    AssertionAlgorithm,
    Client,
    IdTokenAlgorithm,
    TokenEndpointAuthMethod,
)
from sealring.protocol.client_registration import ClientRegistration, parse_client_registration
from sealring.protocol.code_flow_registration import (
    CodeFlowChosen,
    LogoutChosen,
    PagesChosen,
    redirect_uris_problem,
)
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.https_target import parse_target
from sealring.protocol.instant import Instant
from sealring.protocol.request_object import REQUEST_OBJECT_ALGORITHMS
from sealring.protocol.scope import OPENID_SCOPES, scope_text

GrantType = Literal["authorization_code", "refresh_token"]


class ClientMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """A client's own words; None is as good as absent, and members that are not known here are not looked at.

    `scope` is read and not kept: every client of the code flow may ask for the scopes of OpenID Connect, and none may
    give itself those of an API.
    """

    redirect_uris: tuple[str, ...] | None = None
    application_type: ApplicationType | None = None
    grant_types: tuple[GrantType, ...] | None = None
    response_types: tuple[Literal["code"], ...] | None = None
    token_endpoint_auth_method: TokenEndpointAuthMethod | None = None
    token_endpoint_auth_signing_alg: AssertionAlgorithm | None = None
    client_name: str | None = None
    client_uri: str | None = None
    logo_uri: str | None = None
    policy_uri: str | None = None
    tos_uri: str | None = None
    initiate_login_uri: str | None = None
    contacts: tuple[str, ...] | None = None
    scope: str | None = None
    jwks: Mapping[str, object] | None = None
    jwks_uri: str | None = None
    subject_type: Literal["public", "pairwise"] | None = None
    sector_identifier_uri: str | None = None
    id_token_signed_response_alg: IdTokenAlgorithm | None = None
    userinfo_signed_response_alg: IdTokenAlgorithm | None = None
    default_max_age: int | None = None
    require_auth_time: bool | None = None
    default_acr_values: tuple[str, ...] | None = None
    post_logout_redirect_uris: tuple[str, ...] | None = None
    backchannel_logout_uri: str | None = None
    backchannel_logout_session_required: bool | None = None
    frontchannel_logout_uri: str | None = None
    frontchannel_logout_session_required: bool | None = None
    request_uris: tuple[str, ...] | None = None
    request_object_signing_alg: str | None = None


_PAGES: Final = ("client_uri", "logo_uri", "policy_uri", "tos_uri", "initiate_login_uri", "contacts")
_LOGOUT: Final = (
    *("post_logout_redirect_uris", "backchannel_logout_uri", "backchannel_logout_session_required"),
    *("frontchannel_logout_uri", "frontchannel_logout_session_required"),
)
_FLOW: Final = (
    *("id_token_signed_response_alg", "userinfo_signed_response_alg", "sector_identifier_uri"),
    *("default_max_age", "require_auth_time", "default_acr_values"),
)


class _Sector(msgspec.Struct, frozen=True):
    """The host that pairwise subjects are made for; None where subjects are public."""

    host: str | None


def client_of_metadata(
    metadata: ClientMetadata, *, client_id: str, require_pkce: bool, now: Instant
) -> Client | OAuthError:
    """Make a client without secrets of what it says of itself, or refuse in the words of RFC 7591 §3.2.2.

    It may ask for no API, is asked about by people, and is nobody's first party: those are the operator's to say. That
    `sector_identifier_uri` lists the redirect URIs is for the caller to find out.
    """
    uris = metadata.redirect_uris or ()
    application_type = metadata.application_type or "web"
    sentence = redirect_uris_problem(uris, application_type=application_type)
    if sentence is not None:
        return refuse("invalid_redirect_uri", description=_plain(sentence))
    problem = _grants_problem(metadata)
    sector = _sector(metadata, uris)
    if problem is not None or isinstance(sector, str):
        return refuse("invalid_client_metadata", description=problem or str(sector))
    method = metadata.token_endpoint_auth_method or "client_secret_basic"
    registration = ClientRegistration(
        client_id=client_id,
        name=metadata.client_name,
        type="public" if method == "none" else "confidential",
        token_endpoint_auth_method=method,
        token_endpoint_auth_signing_alg=metadata.token_endpoint_auth_signing_alg,
        # OpenID Connect Core 1.0 §9, which such clients follow, has them name the token endpoint.
        token_endpoint_audience=True if method == "private_key_jwt" else None,
        jwks=None if metadata.jwks is None else msgspec.json.encode(metadata.jwks).decode(),
        jwks_uri=metadata.jwks_uri,
        allowed={},
        refresh="refresh_token" in (metadata.grant_types or ()),
        code_flow=CodeFlowChosen(
            redirect_uris=uris,
            application_type=application_type,
            # A public client always uses PKCE, whatever the house asks of others.
            require_pkce=require_pkce or method == "none",
            sector_identifier=sector.host,
            **_signed_requests(metadata),
            **_named(metadata, _FLOW),
        ),
        logout=LogoutChosen(**_named(metadata, _LOGOUT)),
        pages=PagesChosen(**_named(metadata, _PAGES)),
    )
    client = parse_client_registration(registration, known={}, now=now)
    if isinstance(client, OAuthError):
        return refuse("invalid_client_metadata", description=_plain(client.description))
    return client


def client_information(client: Client) -> dict[str, object]:
    """Write down a client as it stands registered (RFC 7591 §3.2.1), without secrets; what it has not is absent."""
    flow = client.code_flow
    members: dict[str, object] = {
        "client_id": client.client_id,
        "client_id_issued_at": client.created_at // 1000,
        "client_name": client.name,
        "grant_types": ["authorization_code", *(["refresh_token"] if client.refresh else [])],
        "response_types": ["code"],
        "token_endpoint_auth_method": client.token_endpoint_auth_method,
        "token_endpoint_auth_signing_alg": client.assertion and client.assertion.token_endpoint_auth_signing_alg,
        "jwks": None if client.jwks is None else msgspec.json.decode(client.jwks),
        "jwks_uri": client.jwks_uri,
        "scope": scope_text(OPENID_SCOPES if client.refresh else OPENID_SCOPES - {"offline_access"}),
        **msgspec.structs.asdict(client.pages),
        **msgspec.structs.asdict(client.logout),
    }
    if client.logout.frontchannel_logout_uri is None:
        del members["frontchannel_logout_session_required"]
    if flow is not None:
        shown = ("redirect_uris", "application_type", "request_uris", "request_object_signing_alg", *_FLOW)
        members |= {name: getattr(flow, name) for name in shown}
        members["subject_type"] = "public" if flow.sector_identifier is None else "pairwise"
    return {name: value for name, value in members.items() if value is not None and value != ()}


def _signed_requests(metadata: ClientMetadata) -> dict[str, Any]:
    """Say where a client's signed requests lie. Unsigned ones are not taken: what is said of them is not kept."""
    if metadata.jwks is None and metadata.jwks_uri is None:
        return {}
    alg = metadata.request_object_signing_alg
    return {
        "request_uris": metadata.request_uris,
        "request_object_signing_alg": alg if alg in REQUEST_OBJECT_ALGORITHMS else None,
    }


def _grants_problem(metadata: ClientMetadata) -> str | None:
    if metadata.grant_types is not None and "authorization_code" not in metadata.grant_types:
        return "The grant_types of a client that registers itself include authorization_code."
    if metadata.response_types == ():
        return "The response_types of a client that registers itself are code."
    return None


def _sector(metadata: ClientMetadata, uris: tuple[str, ...]) -> _Sector | str:
    """Find the sector of a client, or say in a sentence why it has none (Core §8.1)."""
    uri = metadata.sector_identifier_uri
    target = None if uri is None else parse_target(uri)
    if uri is not None and target is None:
        return "A sector_identifier_uri is an https address without user name or fragment."
    if metadata.subject_type != "pairwise":
        return _Sector(None)
    hosts = {urlsplit(redirect).hostname for redirect in uris} if target is None else {target.host}
    host = hosts.pop()
    if hosts or host is None:
        return "Pairwise subjects need a sector_identifier_uri where the redirect URIs have not one host."
    return _Sector(host)


def _named(metadata: ClientMetadata, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(metadata, name) for name in names}


def _plain(sentence: str) -> str:
    # An error_description is ASCII (RFC 6749 §5.2).
    return sentence.replace("§", "").encode("ascii", "backslashreplace").decode()
