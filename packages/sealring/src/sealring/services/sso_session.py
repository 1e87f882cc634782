"""Signing a person in in a browser: a session that many clients share, under a cookie that nobody could plant."""

from hashlib import sha256
from typing import Final

import msgspec

from sealring.ports import PasswordHashing, Randomness, Signer, SignInLimit, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, later
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.secret import Secret, make_secret
from sealring.protocol.sso_session import PASSWORD_ACR, SsoPolicy, SsoProof, SsoSession
from sealring.protocol.user import User
from sealring.services.session import WEIGHED, DevicePresented, prove_password, renew_device_token

_TOUCH_SECONDS: Final = 60


class PasswordForm(msgspec.Struct, frozen=True, kw_only=True):
    """What a person typed into the log-in page. `client_id`: of the client that sent them, None for our own pages."""

    login_name: str
    password: Secret
    client_id: str | None


class BrowserSignedIn(msgspec.Struct, frozen=True, kw_only=True):
    """A browser in which somebody is signed in now: its new cookie, and the token by which the device is known."""

    cookie: Secret
    device_token: Secret


async def find_sso_session(cookie: str | None, *, store: Store, policy: SsoPolicy, now: Instant) -> SsoSession | None:
    """Return the live session of a browser's cookie, and note about once a minute that it is used."""
    if cookie is None:
        return None
    session = await store.sso_sessions.find(_digest(cookie), now=now)
    if session is not None and now - session.last_used_at > _TOUCH_SECONDS * 1000:
        await store.sso_sessions.touch(session.id, idle_expires_at=later(now, policy.idle), now=now)
    return session


async def sign_in_browser(
    form: PasswordForm,
    caller: Caller,
    *,
    current: SsoSession | None,
    presented: DevicePresented | None,
    store: Store,
    signer: Signer,
    hashing: PasswordHashing,
    limit: SignInLimit,
    policy: SsoPolicy,
    now: Instant,
    randomness: Randomness,
) -> BrowserSignedIn | OAuthError:
    """Sign a person in with name and password. `current`: who is signed in in this browser so far.

    The same person goes on under a new cookie; anybody else begins a session of their own. Outcomes beside it: those
    of `prove_password`.
    """
    proven = await prove_password(
        form.login_name,
        form.password.reveal(),
        caller,
        presented=presented,
        store=store,
        hashing=hashing,
        limit=limit,
        now=now,
    )
    if isinstance(proven, OAuthError):
        if proven.code in WEIGHED:
            refused = _event(form, caller, now=now, code=proven.code)
            await store.audit.record([refused])
        return proven
    user = proven.user
    cookie = make_secret(randomness=randomness)
    event = _event(form, caller, now=now, sub=user.sub)
    opened = await _open(
        user, cookie, caller, current=current, event=event, store=store, policy=policy, now=now, randomness=randomness
    )
    if not opened:
        # A password change, a disabling or a deletion came in between: whatever was proven is worth nothing now.
        return refuse("wrong_credentials")
    device_token = renew_device_token(presented, user.sub, signer=signer, now=now, randomness=randomness)
    return BrowserSignedIn(cookie=cookie, device_token=device_token)


async def _open(
    user: User,
    cookie: Secret,
    caller: Caller,
    *,
    current: SsoSession | None,
    event: AuditEvent,
    store: Store,
    policy: SsoPolicy,
    now: Instant,
    randomness: Randomness,
) -> bool:
    idle_expires_at, digest = later(now, policy.idle), _digest(cookie.reveal())
    if current is not None and current.sub == user.sub:
        proof = SsoProof(
            digest=digest,
            subject_epoch=user.epoch,
            auth_time=now,
            amr=("pwd",),
            acr=PASSWORD_ACR,
            idle_expires_at=idle_expires_at,
        )
        if await store.sso_sessions.prove(current.id, proof, now=now, events=[event]):
            return True
    session = SsoSession(
        id=make_opaque_id(15, randomness=randomness),
        sub=user.sub,
        subject_epoch=user.epoch,
        auth_time=now,
        amr=("pwd",),
        acr=PASSWORD_ACR,
        created_at=now,
        last_used_at=now,
        idle_expires_at=idle_expires_at,
        absolute_expires_at=later(now, policy.absolute),
        network=caller.network,
        user_agent=caller.user_agent,
    )
    return await store.sso_sessions.create(session, digest=digest, now=now, events=[event])


def _digest(cookie: str) -> bytes:
    return sha256(cookie.encode()).digest()


def _event(
    form: PasswordForm, caller: Caller, *, now: Instant, sub: str | None = None, code: str | None = None
) -> AuditEvent:
    name = {} if code is None else {"name": form.login_name[:128]}
    return AuditEvent(
        event="sign_in",
        at=now,
        actor="browser",
        outcome="done" if code is None else "refused",
        code=code,
        sub=sub,
        client_id=form.client_id,
        network=caller.network,
        country=caller.country,
        personal={"user_agent": caller.user_agent} | name,
    )
