"""`/session`: first-party clients sign people in, refresh and log out (DESIGN §5, SECURITY D4)."""

from typing import assert_never

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import parse_client_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.session import (
    MfaRequired,
    PasswordSessionRequest,
    parse_end_session_request,
    parse_refresh_request,
    parse_session_request,
    refuse_sender,
)
from sealring.protocol.token_response import TokenResponse
from sealring.services.client_authentication import authenticate_client
from sealring.services.end_session import log_out
from sealring.services.house import House
from sealring.services.refresh_token import redeem_refresh_token
from sealring.services.session import assert_session, sign_in
from sealring.web.exchange import Answer, Request, json_answer, mfa_answer, no_content, refusal_answer


async def post_session(request: Request, house: House) -> Answer:
    """Open a session: with a password, or for a person whom a trusted back-end has checked itself."""
    now = house.clock()
    refusal = refuse_content(request)
    message = refusal or parse_session_request(request.body, now=now)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    client = await find_sender(request, message.client_id, house)
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    outcome: TokenResponse | MfaRequired | OAuthError
    if isinstance(message, PasswordSessionRequest):
        outcome = await sign_in(
            message,
            client,
            request.caller,
            store=house.store,
            signer=house.signer,
            hashing=house.hashing,
            limit=house.limit,
            now=now,
            randomness=house.randomness,
            activity=house.activity,
        )
    else:
        outcome = await assert_session(
            message,
            client,
            request.caller,
            store=house.store,
            signer=house.signer,
            now=now,
            randomness=house.randomness,
            activity=house.activity,
        )
    match outcome:
        case OAuthError():
            return refusal_answer(outcome)
        case MfaRequired():
            return mfa_answer(outcome)
        case TokenResponse():
            return json_answer(outcome)
        case _:
            assert_never(outcome)


async def post_session_refresh(request: Request, house: House) -> Answer:
    """Redeem a refresh token."""
    refusal = refuse_content(request)
    message = refusal or parse_refresh_request(request.body)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    client = await find_sender(request, message.client_id, house)
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    outcome = await redeem_refresh_token(
        message,
        client,
        request.caller,
        store=house.store,
        signer=house.signer,
        now=house.clock(),
        service_clock=house.service_clock,
        randomness=house.randomness,
        activity=house.activity,
    )
    return refusal_answer(outcome) if isinstance(outcome, OAuthError) else json_answer(outcome)


async def delete_session(request: Request, house: House) -> Answer:
    """Log out."""
    refusal = refuse_content(request)
    message = refusal or parse_end_session_request(request.body)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    client = await find_sender(request, message.client_id, house)
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    outcome = await log_out(
        message,
        client,
        request.caller,
        store=house.store,
        signer=house.signer,
        now=house.clock(),
        randomness=house.randomness,
    )
    return no_content() if outcome is None else refusal_answer(outcome)


def refuse_content(request: Request) -> OAuthError | None:
    """Refuse what is not sent as JSON: a form could be posted by any page without asking the browser."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return None if media_type == "application/json" else refuse("wrong_content_type")


async def find_sender(request: Request, client_id: str | None, house: House) -> Client | OAuthError:
    """Authenticate the client behind a request to `/session` and say whether it may send it."""
    if house.halted:
        return refuse("store_rolled_back", retry_after=60)
    credentials = parse_client_credentials(request.headers.get("authorization"), client_id=client_id)
    if isinstance(credentials, OAuthError):
        return credentials
    client = await authenticate_client(
        credentials, store=house.store, keys=house.client_keys, issuer=house.issuer, now=house.clock()
    )
    if isinstance(client, OAuthError):
        return client
    origin = request.headers.get("origin")
    from_page = origin is not None or "sec-fetch-site" in request.headers
    return refuse_sender(client, origin=origin, from_page=from_page) or client
