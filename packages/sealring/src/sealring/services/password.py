"""People change their own password: the other sessions end, the one that did it gets new tokens (SECURITY A4)."""

from functools import partial

import msgspec

from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import (
    ActivityStream,
    MacKey,
    PasswordHashing,
    Randomness,
    RenewedSession,
    Signer,
    SignInLimit,
    Store,
)
from sealring.protocol.access_token import SessionFacts
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, client_reach
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.refresh_token_format import family_key
from sealring.protocol.session import PasswordChangeRequest
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User, UserCredentials, subject_of
from sealring.services.access_token import Bearer, make_access_token
from sealring.services.activity import access_token_issued
from sealring.services.client_session import OpenedFamily, open_family, with_refresh_token
from sealring.services.session import WEIGHED, prove_password
from sealring.services.user import hash_new_password


async def change_password(
    request: PasswordChangeRequest,
    bearer: Bearer,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    hashing: PasswordHashing,
    limit: SignInLimit,
    policy: PasswordPolicy,
    now: Instant,
    randomness: Randomness,
    activity: ActivityStream | None,
) -> TokenResponse | OAuthError:
    """Set a new password after checking the old one; answer with new tokens for the session that asked.

    Beside the outcomes of a sign-in: password_refused, whose sentence says what would be taken.
    """
    client = await store.clients.find(bearer.session.client_id)
    proven = await _prove_old_password(request, bearer, caller, store=store, hashing=hashing, limit=limit, now=now)
    if isinstance(proven, OAuthError):
        return proven
    if client is None:
        return refuse("wrong_credentials")
    fresh = await hash_new_password(
        request.new_password, tuple(_login_names(proven.user)), hashing=hashing, policy=policy, known_device=True
    )
    if isinstance(fresh, OAuthError):
        return fresh
    family, mac_key = open_family(now=now, randomness=randomness), signer.current_mac_key()
    # Tried before anything changes: where no access token can be made, the old tokens must go on.
    answer = partial(_answer, mac_key=mac_key, store=store, signer=signer, now=now, randomness=randomness)
    trial = await answer(bearer, client, proven.user, family)
    if isinstance(trial, OAuthError):
        return trial
    epoch = await store.users.set_password(
        proven.user.sub,
        password_hash=fresh,
        proven_epoch=proven.user.epoch,
        keep=_renewed(bearer, caller, family, mac_key=mac_key, now=now),
        now=now,
        events=[_event(bearer, caller, now=now)],
    )
    if epoch is None:
        return refuse("wrong_credentials")  # another change, or the end of this session, came first
    changed = msgspec.structs.replace(proven.user, epoch=epoch)
    answered = await answer(bearer, client, changed, family)
    if activity is not None and not isinstance(answered, OAuthError):
        told = bearer.session
        activity.tell(
            access_token_issued(
                caller, sub=told.sub, client_id=told.client_id, sid=told.sid, api=told.resource, now=now
            )
        )
    return answered


def _renewed(bearer: Bearer, caller: Caller, family: OpenedFamily, *, mac_key: MacKey, now: Instant) -> RenewedSession:
    return RenewedSession(
        sid=bearer.session.sid,
        key=family_key(born=family.born, secret=family.secret),
        mac_key_id=mac_key.mac_key_id,
        auth_time=now,
        amr=("pwd",),
        binding_digest=caller.binding_digest,
    )


async def _prove_old_password(
    request: PasswordChangeRequest,
    bearer: Bearer,
    caller: Caller,
    *,
    store: Store,
    hashing: PasswordHashing,
    limit: SignInLimit,
    now: Instant,
) -> UserCredentials | OAuthError:
    known = await store.users.find(bearer.session.sub)
    login_names = [] if known is None else _login_names(known)
    if not login_names:
        return refuse("wrong_credentials")
    proven = await prove_password(
        login_names[0],
        request.current_password.reveal(),
        caller,
        signed_in=True,
        store=store,
        hashing=hashing,
        limit=limit,
        now=now,
    )
    if isinstance(proven, OAuthError) and proven.code in WEIGHED:
        await store.audit.record([_event(bearer, caller, now=now, code=proven.code)])
    return proven


def _login_names(user: User) -> list[str]:
    return [name for name in (user.username, user.email) if name is not None]


async def _answer(
    bearer: Bearer,
    client: Client,
    user: User,
    family: OpenedFamily,
    *,
    mac_key: MacKey,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
) -> TokenResponse | OAuthError:
    session = bearer.session
    api = await store.apis.find(session.resource)
    if api is None:
        return refuse("invalid_target")
    reach = client_reach(client, issuer=signer.realm.issuer)
    scope = session.scope & reach.get(session.resource, frozenset()) & api.scopes.keys()
    if not scope:
        return refuse("invalid_scope")
    facts = SessionFacts(
        sid=session.sid,
        client_id=client.client_id,
        client_epoch=client.epoch,
        auth_time=now,
        amr=("pwd",),
        claims={} if session.claims is None else msgspec.json.decode(session.claims),
    )
    response = make_access_token(
        api=api, subject=subject_of(user), session=facts, scope=scope, signer=signer, now=now, randomness=randomness
    )
    if isinstance(response, OAuthError) or not client.refresh:
        return response
    return with_refresh_token(response, family, mac_key=mac_key, signer=signer)


def _event(bearer: Bearer, caller: Caller, *, now: Instant, code: str | None = None) -> AuditEvent:
    session = bearer.session
    return AuditEvent(
        event="password_changed",
        at=now,
        actor=f"user:{session.sub}",
        outcome="done" if code is None else "refused",
        code=code,
        sub=session.sub,
        client_id=session.client_id,
        sid=session.sid,
        network=caller.network,
        country=caller.country,
        personal={"user_agent": caller.user_agent},
    )
