"""Giving a client an access token in its own name (RFC 6749 §4.4): two reads and a signature, nothing is written."""

from sealring.ports import Randomness, Signer, Store
from sealring.protocol.client import Client
from sealring.protocol.client_credentials import decide_client_target
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring.protocol.token_response import TokenResponse
from sealring.services.access_token import make_client_token


async def grant_client_credentials(
    request: ClientCredentialsRequest,
    client: Client,
    *,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
) -> TokenResponse | OAuthError:
    """Give an authenticated client its token, and never a refresh token (RFC 6749 §4.4.3).

    Outcomes beside the token: invalid_scope, invalid_target, access_token_over_budget.
    """
    target = decide_client_target(request, client, issuer=signer.realm.issuer)
    if isinstance(target, OAuthError):
        return target
    api = await store.apis.find(target.audience)
    if api is None or not target.scope <= api.scopes.keys():
        return refuse("invalid_scope")
    return make_client_token(api=api, client=client, scope=target.scope, signer=signer, now=now, randomness=randomness)
