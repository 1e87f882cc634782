"""Ending sessions: by their refresh token, by their owner, by a trusted back-end."""

from sealring.ports import Randomness, Session, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.refresh_token_format import family_key
from sealring.protocol.secret import Secret
from sealring.services.refresh_token import find_authentic_token, refuse_refresh_token


async def log_out(
    refresh_token: Secret,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
) -> OAuthError | None:
    """End the session of a refresh token of any generation. None: it is over, also where it had been before.

    A token that we never made is refused; another client's looks the same, and another browser's.
    """
    token = find_authentic_token(refresh_token.reveal(), signer=signer)
    if token is None:
        return refuse_refresh_token(randomness)
    family = await store.sessions.find_family(family_key(born=token.born, secret=token.secret))
    if family is None:
        return None
    if family.client_id != client.client_id or family.binding_digest != caller.binding_digest:
        return refuse_refresh_token(randomness)
    event = _ended(family.sid, family.sub, family.client_id, caller, actor=f"user:{family.sub}", now=now)
    await store.sessions.end(family.sid, reason="logged_out", now=now, events=[event])
    return None


async def list_own_sessions(sub: str, *, store: Store, now: Instant) -> tuple[Session, ...]:
    """List the live sessions of the person who asks, newest first, at most 100."""
    return await store.sessions.list_live(sub=sub, now=now, limit=100)


async def end_own_session(sub: str, sid: str, caller: Caller, *, store: Store, now: Instant) -> OAuthError | None:
    """End one session of the person who asks; somebody else's is not found."""
    session = await store.sessions.find(sid, now=now)
    if session is None or session.sub != sub:
        return refuse("session_not_found")
    event = _ended(sid, session.sub, session.client_id, caller, actor=f"user:{session.sub}", now=now)
    await store.sessions.end(sid, reason="ended_by_user", now=now, events=[event])
    return None


async def end_own_sessions(sub: str, caller: Caller, *, store: Store, now: Instant) -> int:
    """Log the person who asks out everywhere; return how many sessions lived."""
    event = AuditEvent(
        event="sessions_ended", at=now, actor=f"user:{sub}", sub=sub, network=caller.network, country=caller.country
    )
    return await store.sessions.end_all_of(sub, reason="ended_by_user", now=now, events=[event])


async def revoke_subject(sub: str, client: Client, caller: Caller, *, store: Store, now: Instant) -> int | OAuthError:
    """End everything that a subject holds, for a back-end with the permission `sessions:revoke`."""
    if "sessions:revoke" not in client.permissions:
        return refuse("permission_required")
    event = AuditEvent(
        event="subject_revoked",
        at=now,
        actor=f"client:{client.client_id}",
        sub=sub,
        client_id=client.client_id,
        network=caller.network,
        country=caller.country,
    )
    return await store.sessions.end_all_of(sub, reason="subject_revoked", now=now, events=[event])


def _ended(sid: str, sub: str, client_id: str, caller: Caller, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(
        event="session_ended",
        at=now,
        actor=actor,
        sub=sub,
        client_id=client_id,
        sid=sid,
        network=caller.network,
        country=caller.country,
    )
