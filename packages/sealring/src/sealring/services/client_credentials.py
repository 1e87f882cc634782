"""Giving a client an access token in its own name (RFC 6749 §4.4): two reads and a signature, nothing is written."""

from sealring.ports import ActivityStream, Randomness, Signer, Store
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.client_credentials import decide_client_target
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring.protocol.token_response import TokenResponse
from sealring.services.access_token import make_client_token
from sealring.services.activity import access_token_issued


async def grant_client_credentials(
    request: ClientCredentialsRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
    activity: ActivityStream | None,
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
    made = make_client_token(api=api, client=client, scope=target.scope, signer=signer, now=now, randomness=randomness)
    if activity is not None and not isinstance(made, OAuthError):
        name = client.client_id
        activity.tell(access_token_issued(caller, sub=name, client_id=name, sid=None, api=api.identifier, now=now))
    return made
