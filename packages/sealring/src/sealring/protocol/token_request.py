"""The messages of `/token` (RFC 6749 §3.2): one type for each grant that exists, and who may send which."""

from collections.abc import Mapping
from typing import assert_never

import msgspec

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import ClientCredentials, parse_form_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.scope import parse_scope
from sealring.protocol.secret import Secret

GRANT_TYPES = ("authorization_code", "client_credentials", "refresh_token")


class AuthorizationCodeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Redeem an authorization code (RFC 6749 §4.1.3, RFC 7636 §4.5); `resource` names one API of the grant."""

    credentials: ClientCredentials
    code: Secret
    redirect_uri: str | None
    code_verifier: Secret | None
    resource: str | None


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


TokenRequest = AuthorizationCodeRequest | RefreshTokenRequest | ClientCredentialsRequest


def parse_token_request(form: Mapping[str, str], headers: Mapping[str, str]) -> TokenRequest | OAuthError:
    """Parse the form of `POST /token`, credentials included. `headers`: lower-case names.

    Parameters that no grant knows are ignored, as RFC 6749 §3.2 demands.
    """
    grant_type = form.get("grant_type")
    if grant_type is None:
        return refuse("missing_parameter", description="Say which grant you use as `grant_type`.")
    if grant_type not in GRANT_TYPES:
        return refuse("unsupported_grant_type")
    credentials = parse_form_credentials(headers.get("authorization"), form)
    if isinstance(credentials, OAuthError):
        return credentials
    if grant_type == "authorization_code":
        return _parse_code_request(form, credentials)
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


def _parse_code_request(
    form: Mapping[str, str], credentials: ClientCredentials
) -> AuthorizationCodeRequest | OAuthError:
    if "code" not in form:
        return refuse("missing_parameter", description="Send the authorization code as `code`.")
    verifier = form.get("code_verifier")
    return AuthorizationCodeRequest(
        credentials=credentials,
        code=Secret(form["code"]),
        redirect_uri=form.get("redirect_uri"),
        code_verifier=None if verifier is None else Secret(verifier),
        resource=form.get("resource"),
    )


def refuse_grant(request: TokenRequest, client: Client) -> OAuthError | None:
    """Say why this client may not use the grant of `request`, or None (RFC 6749 §5.2, `unauthorized_client`)."""
    match request:
        case AuthorizationCodeRequest():
            return None if client.code_flow is not None else refuse("grant_not_registered")
        case ClientCredentialsRequest():
            return None if client.client_credentials else refuse("grant_not_registered")
        case RefreshTokenRequest():
            if client.token_delivery == "cookie":
                return refuse("grant_not_registered", description="This client's tokens come by cookie, not from here.")
            return None if client.refresh else refuse("grant_not_registered")
        case _:
            assert_never(request)
