"""Logging a browser out, for a client or for the person: its session ends with every client's (SECURITY E7)."""

import msgspec

from sealring.ports import EndedSession, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_request import Parameters
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.logout_request import (
    LogoutRequest,
    find_logout_client_id,
    parse_logout_request,
    refuse_logout_redirect,
)
from sealring.protocol.redirect_uri import add_parameters
from sealring.protocol.sso_session import SsoSession
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier
from sealring.services.id_token import IdTokenHint, read_id_token_hint


class LogoutAsked(msgspec.Struct, frozen=True, kw_only=True):
    """A log-out request that is understood. `location`: where the browser goes afterwards, None for our own page."""

    client: Client | None
    hint: IdTokenHint | None
    location: str | None


async def find_logout_request(parameters: Parameters, *, store: Store, signer: Signer) -> LogoutAsked | OAuthError:
    """Understand a log-out request (RP-Initiated Logout §2); whatever is wrong with it is shown, never redirected."""
    request = parse_logout_request(parameters)
    if isinstance(request, OAuthError):
        return request
    hint = None if request.id_token_hint is None else read_id_token_hint(request.id_token_hint, signer=signer)
    if hint is None and request.id_token_hint is not None:
        return refuse("invalid_id_token_hint")
    client_id = find_logout_client_id(request, hinted=None if hint is None else hint.aud)
    if isinstance(client_id, OAuthError):
        return client_id
    client = None if client_id is None else await store.clients.find(client_id)
    refusal = refuse_logout_redirect(request, client, hinted=hint is not None)
    return refusal or LogoutAsked(client=client, hint=hint, location=_location(request))


def needs_confirmation(asked: LogoutAsked, session: SsoSession | None, *, pairwise_key: PairwiseKey) -> bool:
    """Say whether the person must say so first: whoever is signed in here is not whom the client's ID token names."""
    if session is None:
        return False
    if asked.hint is None or asked.client is None:
        return True
    return subject_identifier(session.sub, asked.client, key=pairwise_key) != asked.hint.sub


async def log_out_browser(
    session: SsoSession | None, hint: IdTokenHint | None, caller: Caller, *, store: Store, now: Instant
) -> tuple[EndedSession, ...]:
    """End the browser's session and all that came from it, and the client session that an ID token names.

    Return what ended with the browser's session.
    """
    together: tuple[EndedSession, ...] = ()
    if session is not None:
        event = _event(session.sub, caller, now=now, actor=f"user:{session.sub}")
        together = await store.sso_sessions.end(session.id, reason="logged_out", now=now, events=[event]) or ()
    if hint is not None and hint.sid is not None:
        ended = await store.sessions.find(hint.sid, now=now)
        if ended is not None and ended.client_id == hint.aud:
            event = _event(ended.sub, caller, now=now, actor=f"client:{hint.aud}", sid=hint.sid)
            await store.sessions.end(hint.sid, reason="logged_out", now=now, events=[event])
    return together


def _location(request: LogoutRequest) -> str | None:
    uri = request.post_logout_redirect_uri
    if uri is None or request.state is None:
        return uri
    return add_parameters(uri, {"state": request.state})


def _event(sub: str, caller: Caller, *, now: Instant, actor: str, sid: str | None = None) -> AuditEvent:
    return AuditEvent(
        event="session_ended",
        at=now,
        actor=actor,
        sub=sub,
        sid=sid,
        network=caller.network,
        country=caller.country,
    )
