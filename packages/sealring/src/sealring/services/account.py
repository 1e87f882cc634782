"""The account page's acts: see where one is signed in, end it, take consents back, change the password."""

from base64 import urlsafe_b64encode
from collections.abc import Collection, Iterable, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import PasswordHashing, Randomness, Session, SignInLimit, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.consent import Consent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, later
from sealring.protocol.redirect_uri import add_parameters, redirect_host
from sealring.protocol.secret import Secret, make_secret
from sealring.protocol.sso_session import PASSWORD_ACR, SsoPolicy, SsoProof, SsoSession
from sealring.protocol.user import User
from sealring.services.session import WEIGHED, prove_password
from sealring.services.user import hash_new_password

_MOST: Final = 100


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """A client that begins a log-in when it is asked to. `address`: where, told by whom (OpenID Connect Core §4)."""

    name: str
    address: str


class AccountSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A person's own account: the browsers in which they are signed in, their clients' sessions, what they allowed.

    `client_names`: by client id, of clients that still exist. `applications`: where log-ins can begin, the operator's
    and those that the person used.
    """

    user: User
    browsers: tuple[SsoSession, ...]
    sessions: tuple[Session, ...]
    consents: tuple[Consent, ...]
    client_names: dict[str, str]
    applications: tuple[Application, ...]


class PasswordChange(msgspec.Struct, frozen=True, kw_only=True):
    """The old password and the new one, as typed."""

    current_password: Secret
    new_password: Secret


async def see_account(session: SsoSession, *, store: Store, issuer: str, now: Instant) -> AccountSeen | None:
    """Read the account of whoever is signed in; None where it is gone."""
    user = await store.users.find(session.sub)
    if user is None:
        return None
    sessions = await store.sessions.list_live(sub=session.sub, now=now, limit=_MOST)
    consents = await store.consents.list_of(session.sub)
    used = {each.client_id for each in sessions} | {each.client_id for each in consents}
    names: dict[str, str] = {}
    for client_id in used:
        client = await store.clients.find(client_id)
        if client is not None:
            names[client_id] = _shown_name(client)
    initiating = await store.clients.list_initiating(limit=_MOST)
    return AccountSeen(
        user=user,
        browsers=await store.sso_sessions.list_live(session.sub, now=now, limit=_MOST),
        sessions=sessions,
        consents=consents,
        client_names=names,
        applications=tuple(_applications(initiating, used=used, issuer=issuer)),
    )


def _applications(clients: Iterable[Client], *, used: Collection[str], issuer: str) -> Iterator[Application]:
    for client in clients:
        uri = client.pages.initiate_login_uri
        if uri is not None and (not client.self_registered or client.client_id in used):
            yield Application(name=_shown_name(client), address=add_parameters(uri, {"iss": issuer}))


def _shown_name(client: Client) -> str:
    """Name a client; one that registered itself is known by where it leads alone (SECURITY E3)."""
    if not client.self_registered or client.code_flow is None:
        return client.name
    return f"{redirect_host(client.code_flow.redirect_uris[0])} (not verified)"


def browser_name(session: SsoSession) -> str:
    """Name a browser session on a page: its id never leaves the server (SECURITY E7)."""
    return urlsafe_b64encode(sha256(session.id.encode()).digest()[:12]).decode()


async def end_own_browser(session: SsoSession, name: str, caller: Caller, *, store: Store, now: Instant) -> bool:
    """Sign the person out of one of their browsers, and of all that came from it; False for an unknown name."""
    for each in await store.sso_sessions.list_live(session.sub, now=now, limit=_MOST):
        if browser_name(each) == name:
            event = _event("session_ended", session, caller, now=now)
            await store.sso_sessions.end(each.id, reason="ended_by_user", now=now, events=[event])
            return True
    return False


async def withdraw_consent(session: SsoSession, client_id: str, caller: Caller, *, store: Store, now: Instant) -> bool:
    """Take back what was allowed to a client, and end its sessions of this person; False where nothing was."""
    event = msgspec.structs.replace(_event("consent_withdrawn", session, caller, now=now), client_id=client_id)
    return await store.consents.withdraw(session.sub, client_id, now=now, events=[event]) is not None


async def change_own_password(
    change: PasswordChange,
    session: SsoSession,
    caller: Caller,
    *,
    store: Store,
    hashing: PasswordHashing,
    limit: SignInLimit,
    policy: PasswordPolicy,
    sso_policy: SsoPolicy,
    now: Instant,
    randomness: Randomness,
) -> Secret | OAuthError:
    """Set a new password: every session ends but this browser's, which goes on under a new cookie (SECURITY A4).

    Outcomes beside the cookie: those of `prove_password`, and password_refused.
    """
    user = await store.users.find(session.sub)
    names = [] if user is None else [name for name in (user.username, user.email) if name is not None]
    if not names:
        return refuse("wrong_credentials")
    typed = change.current_password.reveal()
    proven = await prove_password(
        names[0], typed, caller, signed_in=True, store=store, hashing=hashing, limit=limit, now=now
    )
    event = _event("password_changed", session, caller, now=now)
    if isinstance(proven, OAuthError):
        if proven.code in WEIGHED:
            await store.audit.record([msgspec.structs.replace(event, outcome="refused", code=proven.code)])
        return proven
    fresh = await hash_new_password(
        change.new_password, tuple(names), hashing=hashing, policy=policy, known_device=True
    )
    if isinstance(fresh, OAuthError):
        return fresh
    epoch = await store.users.set_password(
        session.sub, password_hash=fresh, proven_epoch=proven.user.epoch, keep=None, now=now, events=[event]
    )
    if epoch is None:
        return refuse("wrong_credentials")
    cookie = make_secret(randomness=randomness)
    # Where this browser was signed out meanwhile the new cookie is nobody's, and the person signs in anew.
    proof = _proof(cookie, epoch=epoch, idle_expires_at=later(now, sso_policy.idle), now=now)
    await store.sso_sessions.prove(session.id, proof, now=now, events=[])
    return cookie


def _proof(cookie: Secret, *, epoch: int, idle_expires_at: Instant, now: Instant) -> SsoProof:
    return SsoProof(
        digest=sha256(cookie.reveal().encode()).digest(),
        subject_epoch=epoch,
        auth_time=now,
        amr=("pwd",),
        acr=PASSWORD_ACR,
        idle_expires_at=idle_expires_at,
    )


def _event(event: str, session: SsoSession, caller: Caller, *, now: Instant) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=now,
        actor=f"user:{session.sub}",
        sub=session.sub,
        network=caller.network,
        country=caller.country,
        personal={"user_agent": caller.user_agent},
    )
