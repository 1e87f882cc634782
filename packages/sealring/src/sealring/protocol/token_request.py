"""The messages of `/token` (RFC 6749 §3.2): one type for each grant that exists, and who may send which."""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import ClientCredentials, parse_form_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.scope import parse_scope
from sealring.protocol.secret import Secret


class RefreshTokenRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Redeem a refresh token (RFC 6749 §6); `scope` and `resource` may narrow (RFC 8707 §2.2)."""

    credentials: ClientCredentials
    refresh_token: Secret
    scope: frozenset[str] | None
    resource: str | None


class ClientCredentialsRequest(msgspec.Struct, frozen=True, kw_only=True):
    """An access token in the client's own name (RFC 6749 §4.4); `scope` None: none was asked for."""

    credentials: ClientCredentials
    scope: frozenset[str] | None
    resource: str | None


TokenRequest = RefreshTokenRequest | ClientCredentialsRequest


def parse_token_request(form: Mapping[str, str], headers: Mapping[str, str]) -> TokenRequest | OAuthError:
    """Parse the form of `POST /token`, credentials included. `headers`: lower-case names.

    Parameters that no grant knows are ignored, as RFC 6749 §3.2 demands.
    """
    grant_type = form.get("grant_type")
    if grant_type is None:
        return refuse("missing_parameter", description="Say which grant you use as `grant_type`.")
    if grant_type not in {"refresh_token", "client_credentials"}:
        return refuse("unsupported_grant_type")
    credentials = parse_form_credentials(headers.get("authorization"), form)
    if isinstance(credentials, OAuthError):
        return credentials
    scope = parse_scope(form["scope"]) if "scope" in form else None
    if isinstance(scope, OAuthError):
        return scope
    resource = form.get("resource")
    if grant_type == "client_credentials":
        return ClientCredentialsRequest(credentials=credentials, scope=scope, resource=resource)
    if "refresh_token" not in form:
        return refuse("missing_parameter", description="Send the refresh token as `refresh_token`.")
    return RefreshTokenRequest(
        credentials=credentials, refresh_token=Secret(form["refresh_token"]), scope=scope, resource=resource
    )


def refuse_grant(request: TokenRequest, client: Client) -> OAuthError | None:
    """Say why this client may not use the grant of `request`, or None (RFC 6749 §5.2, `unauthorized_client`)."""
    match request:
        case ClientCredentialsRequest():
            return None if client.client_credentials else refuse("grant_not_registered")
        case RefreshTokenRequest():
            if client.token_delivery == "cookie":
                return refuse("grant_not_registered", description="This client's tokens come by cookie, not from here.")
            return None if client.refresh else refuse("grant_not_registered")
        case _:
            assert_never(request)
