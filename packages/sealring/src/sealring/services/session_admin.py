"""The operator's acts on sessions: list them, end one, a user's or all."""

import msgspec

from sealring.ports import Clock, Session, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.services.acknowledgement import ApiKnowledge
from sealring.services.user import find_user

_REASON = "ended_by_operator"


class ListSessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Live sessions of one user (login name or sub) or of everybody, newest first, at most `limit` (1 to 1000)."""

    user: str | None = None
    limit: int = 100


class EndSessions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sessions to end: exactly one of the three."""

    sid: str | None = None
    user: str | None = None
    everybody: bool = False


class SessionSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A live session as the operator sees it. `login_name`: None for a subject that has none."""

    sid: str
    sub: str
    login_name: str | None
    client_id: str
    scope: frozenset[str]
    resource: str
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    network: str | None
    user_agent: str | None
    refreshes: int


class SessionList(msgspec.Struct, frozen=True, kw_only=True):
    """Live sessions. `live`: how many there are, of which `sessions` may be the newest only."""

    sessions: tuple[SessionSeen, ...]
    live: int


class SessionsEnded(msgspec.Struct, frozen=True, kw_only=True):
    """How many sessions lived and were ended; `sub`: whose, None for everybody's. `known`: which APIs know."""

    sub: str | None
    sessions: int
    known: tuple[ApiKnowledge, ...] = ()


async def list_sessions(request: ListSessions, *, store: Store, clock: Clock) -> SessionList | OAuthError:
    """List live sessions with their users' names."""
    if not 1 <= request.limit <= 1000:
        return refuse("invalid_parameter", description="The limit is 1 to 1000.")
    sub = None
    if request.user is not None:
        user = await find_user(request.user, store=store)
        if isinstance(user, OAuthError):
            return user
        sub = user.sub
    now = clock()
    sessions = await store.sessions.list_live(sub=sub, now=now, limit=request.limit)
    names = {each: await _login_name(each, store=store) for each in {session.sub for session in sessions}}
    return SessionList(
        sessions=tuple(_seen(session, names[session.sub]) for session in sessions),
        live=await store.sessions.count_live(sub=sub, now=now),
    )


async def end_sessions(request: EndSessions, *, store: Store, clock: Clock, actor: str) -> SessionsEnded | OAuthError:
    """End one session, all of one user (whose epoch rises), or everybody's (every epoch rises)."""
    now = clock()
    match request:
        case EndSessions(sid=str(sid), user=None, everybody=False):
            return await _end_one(sid, store=store, now=now, actor=actor)
        case EndSessions(sid=None, user=str(name), everybody=False):
            user = await find_user(name, store=store)
            if isinstance(user, OAuthError):
                return user
            event = AuditEvent(event="sessions_ended", at=now, actor=actor, sub=user.sub)
            ended = await store.sessions.end_all_of(user.sub, reason=_REASON, now=now, events=[event])
            return SessionsEnded(sub=user.sub, sessions=ended)
        case EndSessions(sid=None, user=None, everybody=True):
            event = AuditEvent(event="sessions_ended", at=now, actor=actor)
            ended = await store.sessions.end_everything(reason=_REASON, now=now, events=[event])
            return SessionsEnded(sub=None, sessions=ended)
        case _:
            return refuse("missing_parameter", description="Name one session, one user, or everybody.")


async def _end_one(sid: str, *, store: Store, now: Instant, actor: str) -> SessionsEnded | OAuthError:
    unknown = refuse("session_not_found", description="There is no such live session.")
    session = await store.sessions.find(sid, now=now)
    if session is None:
        return unknown
    event = AuditEvent(
        event="session_ended", at=now, actor=actor, sub=session.sub, client_id=session.client_id, sid=sid
    )
    ended = await store.sessions.end(sid, reason=_REASON, now=now, events=[event])
    return SessionsEnded(sub=session.sub, sessions=1) if ended else unknown


async def _login_name(sub: str, *, store: Store) -> str | None:
    user = await store.users.find(sub)
    return None if user is None else user.username or user.email


def _seen(session: Session, login_name: str | None) -> SessionSeen:
    members = msgspec.structs.asdict(session)
    shown = {name: members[name] for name in SessionSeen.__struct_fields__ if name != "login_name"}
    return SessionSeen(login_name=login_name, **shown)
