"""Access tokens in a client's own name (RFC 6749 §4.4, RFC 9068 §2.2): for which API, and how long they stand."""

from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError
from sealring.protocol.scope import Target, decide_target
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring_verify.claims import AccessToken


def decide_client_target(request: ClientCredentialsRequest, client: Client, *, issuer: str) -> Target | OAuthError:
    """Find the one API that a client's own token is for: the rules of `decide_target`, without the issuer's own API.

    That API is where people look after their sessions, and a client has none. Without a scope: `invalid_scope`.
    """
    allowed = client.allowed
    if issuer in allowed:
        allowed = {identifier: scopes for identifier, scopes in allowed.items() if identifier != issuer}
    return decide_target(request.scope or frozenset(), request.resource, allowed=allowed)


def is_client_token(claims: AccessToken) -> bool:
    """Say whether a token is in its client's own name. No person is ever called as a client is (RFC 9068 §5)."""
    return claims.sid is None and claims.sub_epoch is None and claims.sub == claims.client_id


def client_stands_behind(claims: AccessToken, client: Client, *, audience: str) -> bool:
    """Say whether `client` would still be given that token: enabled, of that epoch, allowed the grant and the API."""
    return (
        is_client_token(claims)
        and client.client_id == claims.client_id
        and client.disabled_at is None
        and client.epoch == claims.client_epoch
        and client.client_credentials
        and audience in client.allowed
    )
