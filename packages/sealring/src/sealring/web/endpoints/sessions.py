"""`/sessions` and `/subjects/{sub}/revoke`: people see and end their sessions; a back-end ends a subject's."""

from sealring.protocol.api import SESSIONS_SCOPE
from sealring.protocol.client_authentication import parse_client_credentials
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.scope import scope_text
from sealring.protocol.session import is_subject
from sealring.services.access_token import Bearer, authenticate_bearer
from sealring.services.client_authentication import authenticate_client
from sealring.services.end_session import end_own_session, end_own_sessions, list_own_sessions, revoke_subject
from sealring.services.house import House
from sealring.web.exchange import Answer, Request, json_answer, no_content, refusal_answer


async def get_sessions(request: Request, house: House) -> Answer:
    """List the live sessions of the person who asks."""
    bearer = await find_bearer(request, house)
    if isinstance(bearer, OAuthError):
        return refusal_answer(bearer)
    sessions = [
        {
            "sid": session.sid,
            "client_id": session.client_id,
            "scope": scope_text(session.scope),
            "created_at": session.created_at // 1000,
            "last_used_at": session.last_used_at // 1000,
            "expires_at": session.expires_at // 1000,
            "network": session.network,
            "user_agent": session.user_agent,
            "current": session.sid == bearer.session.sid,
        }
        for session in await list_own_sessions(bearer.session.sub, store=house.store, now=house.clock())
    ]
    return json_answer({"sessions": sessions})


async def delete_one_session(request: Request, house: House) -> Answer:
    """End one session of the person who asks."""
    bearer = await find_bearer(request, house)
    if isinstance(bearer, OAuthError):
        return refusal_answer(bearer)
    sid = request.parameters["sid"]
    refusal = await end_own_session(bearer.session.sub, sid, request.caller, store=house.store, now=house.clock())
    return no_content() if refusal is None else refusal_answer(refusal)


async def delete_sessions(request: Request, house: House) -> Answer:
    """Log the person who asks out everywhere."""
    bearer = await find_bearer(request, house)
    if isinstance(bearer, OAuthError):
        return refusal_answer(bearer)
    ended = await end_own_sessions(bearer.session.sub, request.caller, store=house.store, now=house.clock())
    return json_answer({"ended": ended})


async def post_subject_revoke(request: Request, house: House) -> Answer:
    """End everything that a subject held before now, for a trusted back-end."""
    if house.halted:
        return refusal_answer(refuse("store_rolled_back", retry_after=60))
    credentials = parse_client_credentials(request.headers.get("authorization"), client_id=None)
    client = (
        credentials
        if isinstance(credentials, OAuthError)
        else await authenticate_client(
            credentials, store=house.store, keys=house.client_keys, issuer=house.issuer, now=house.clock()
        )
    )
    if isinstance(client, OAuthError):
        return refusal_answer(client)
    sub = request.parameters["sub"]
    if not is_subject(sub):
        return refusal_answer(refuse("invalid_subject"))
    ended = await revoke_subject(sub, client, request.caller, store=house.store, now=house.clock())
    return refusal_answer(ended) if isinstance(ended, OAuthError) else json_answer({"ended": ended})


async def find_bearer(request: Request, house: House) -> Bearer | OAuthError:
    """Take the access token of the issuer's own API from a request."""
    # What a rolled-back store says of sessions is not so, and what it ends the recovery ends anyway.
    if house.halted:
        return refuse("store_rolled_back", retry_after=60)
    return await authenticate_bearer(
        request.headers.get("authorization"),
        scope=SESSIONS_SCOPE,
        store=house.store,
        signer=house.signer,
        now=house.clock(),
    )
