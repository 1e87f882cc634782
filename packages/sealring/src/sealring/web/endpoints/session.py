"""`/session`: first-party clients sign people in, refresh and log out (DESIGN §5, SECURITY D4)."""

from typing import assert_never

import msgspec

from sealring.protocol.client import Client
from sealring.protocol.client_authentication import parse_client_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.session import (
    MfaRequired,
    PasswordSessionRequest,
    find_refresh_token,
    parse_end_session_request,
    parse_refresh_request,
    parse_session_request,
    refuse_sender,
)
from sealring.protocol.token_response import TokenResponse
from sealring.services.client_authentication import authenticate_client
from sealring.services.end_session import log_out
from sealring.services.house import House
from sealring.services.refresh_token import redeem_refresh_token, refuse_refresh_token
from sealring.services.session import assert_session, sign_in
from sealring.web.delivery import SessionCookies, bind, deliver, forget_session, make_binding, read_session_cookies
from sealring.web.exchange import Answer, Request, is_marked, mfa_answer, refusal_answer


async def post_session(request: Request, house: House) -> Answer:
    """Open a session: with a password, or for a person whom a trusted back-end has checked itself."""
    now = house.clock()
    refusal = refuse_content(request)
    message = refusal or parse_session_request(request.body, now=now)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    sender = await _find_sender(request, message.client_id, house, opens=True)
    if isinstance(sender, OAuthError):
        return refusal_answer(sender)
    client, cookies = sender
    binding = make_binding(client, randomness=house.randomness)
    caller = bind(request.caller, binding)
    outcome: TokenResponse | MfaRequired | OAuthError
    if isinstance(message, PasswordSessionRequest):
        outcome = await sign_in(
            msgspec.structs.replace(message, device_token=message.device_token or cookies.device_token),
            client,
            caller,
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
            caller,
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
            return deliver(outcome, client, house, binding=binding)
        case _:
            assert_never(outcome)


async def post_session_refresh(request: Request, house: House) -> Answer:
    """Redeem a refresh token."""
    refusal = refuse_content(request)
    message = refusal or parse_refresh_request(request.body)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    sender = await _find_sender(request, message.client_id, house)
    if isinstance(sender, OAuthError):
        return refusal_answer(sender)
    client, cookies = sender
    presented = find_refresh_token(client, in_body=message.refresh_token, in_cookie=cookies.refresh_token)
    if presented is None:
        presented = refuse_refresh_token(house.randomness)
    if isinstance(presented, OAuthError):
        return refusal_answer(presented)
    outcome = await redeem_refresh_token(
        msgspec.structs.replace(message, refresh_token=presented),
        client,
        bind(request.caller, cookies.binding),
        store=house.store,
        signer=house.signer,
        now=house.clock(),
        service_clock=house.service_clock,
        randomness=house.randomness,
        activity=house.activity,
    )
    return refusal_answer(outcome) if isinstance(outcome, OAuthError) else deliver(outcome, client, house)


async def delete_session(request: Request, house: House) -> Answer:
    """Log out; a browser's cookies are taken away whatever they were worth."""
    refusal = refuse_content(request)
    message = refusal or parse_end_session_request(request.body)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    sender = await _find_sender(request, message.client_id, house)
    if isinstance(sender, OAuthError):
        return refusal_answer(sender)
    client, cookies = sender
    presented = find_refresh_token(client, in_body=message.refresh_token, in_cookie=cookies.refresh_token)
    if isinstance(presented, OAuthError):
        return refusal_answer(presented)
    if presented is None:
        return forget_session(client, house)
    outcome = await log_out(
        presented,
        client,
        bind(request.caller, cookies.binding),
        store=house.store,
        signer=house.signer,
        now=house.clock(),
        randomness=house.randomness,
    )
    if outcome is not None and client.token_delivery == "body":
        return refusal_answer(outcome)
    return forget_session(client, house)


def refuse_content(request: Request) -> OAuthError | None:
    """Refuse what is not sent as JSON: a form could be posted by any page without asking the browser."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    return None if media_type == "application/json" else refuse("wrong_content_type")


async def _find_sender(
    request: Request, client_id: str | None, house: House, *, opens: bool = False
) -> tuple[Client, SessionCookies] | OAuthError:
    """Authenticate the client behind a request to `/session`, say whether it may send it, and read its cookies.

    `opens`: the request signs somebody in.
    """
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
    refusal = refuse_sender(client, origin=origin, from_page=from_page, marked=is_marked(request), opens=opens)
    if refusal is not None:
        return refusal
    cookies = read_session_cookies(request, client, house)
    return cookies if isinstance(cookies, OAuthError) else (client, cookies)
