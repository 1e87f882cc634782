"""`/token` (RFC 6749 §3.2): clients redeem codes and refresh tokens, and get tokens in their own name."""

from typing import assert_never

from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.token_request import (
    AuthorizationCodeRequest,
    ClientCredentialsRequest,
    RefreshTokenRequest,
    TokenRequest,
    parse_token_request,
    refuse_grant,
)
from sealring.protocol.token_response import TokenResponse
from sealring.services.authorization_code import redeem_authorization_code
from sealring.services.client_authentication import authenticate_client
from sealring.services.client_credentials import grant_client_credentials
from sealring.services.house import House
from sealring.services.refresh_token import redeem_refresh_token
from sealring.web.delivery import bind, deliver, make_binding, refuse_delivery
from sealring.web.exchange import Answer, Request, refusal_answer
from sealring.web.form import read_form


async def post_token(request: Request, house: House) -> Answer:
    """Give tokens for what the form proves; every client that is registered for the grant may ask."""
    if house.halted:
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    form = read_form(request)
    message = form if isinstance(form, OAuthError) else parse_token_request(form, request.headers)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    # Before the grants part, so that none can forget it.
    client = await authenticate_client(
        message.credentials, store=house.store, keys=house.client_keys, issuer=house.issuer, now=house.clock()
    )
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    # Else any page could sign its visitors in to an account of its own, by a code of its own.
    refusal = refuse_grant(message, client) or refuse_delivery(request, client)
    if refusal is not None:
        return refusal_answer(refusal)
    binding = make_binding(client, randomness=house.randomness)
    outcome = await _grant(message, client, bind(request.caller, binding), house)
    if isinstance(outcome, OAuthError):
        return refusal_answer(outcome)
    return deliver(outcome, client, house, binding=binding)


async def _grant(message: TokenRequest, client: Client, caller: Caller, house: House) -> TokenResponse | OAuthError:
    match message:
        case AuthorizationCodeRequest():
            return await redeem_authorization_code(
                message,
                client,
                caller,
                store=house.store,
                signer=house.signer,
                pairwise_key=house.pairwise_key,
                now=house.clock(),
                randomness=house.randomness,
                activity=house.activity,
            )
        case RefreshTokenRequest():
            return await redeem_refresh_token(
                message,
                client,
                caller,
                store=house.store,
                signer=house.signer,
                now=house.clock(),
                service_clock=house.service_clock,
                randomness=house.randomness,
                activity=house.activity,
            )
        case ClientCredentialsRequest():
            return await grant_client_credentials(
                message,
                client,
                caller,
                store=house.store,
                signer=house.signer,
                now=house.clock(),
                randomness=house.randomness,
                activity=house.activity,
            )
        case _:
            assert_never(message)
