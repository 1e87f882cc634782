"""Opening a session: a person with a password, or one whom a trusted back-end has checked itself (SECURITY D4)."""

from typing import Final

import msgspec

from sealring.credentials.login_name import LoginNameRefused, parse_login_name
from sealring.credentials.password_hash import MatchNeedsRehash, NoMatch
from sealring.credentials.password_policy import PasswordRefused, prepare_password
from sealring.ports import (
    ActivityStream,
    HashingBusy,
    PasswordHashing,
    Randomness,
    Signer,
    SignInLimit,
    Store,
)
from sealring.protocol.access_token import SessionFacts
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.device_token import DEVICE_ID_OCTETS, find_known_device, mint_device_token
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.scope import Target, decide_target
from sealring.protocol.secret import Secret
from sealring.protocol.session import AssertedSessionRequest, MfaRequired, PasswordSessionRequest
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User, UserCredentials, next_epoch, subject_of
from sealring.services.access_token import make_access_token
from sealring.services.activity import access_token_issued
from sealring.services.client_session import SessionTerms, new_session, open_family, with_refresh_token

WEIGHED: Final = frozenset({"wrong_credentials", "account_disabled"})
"""Codes of attempts at a password that were weighed: each is an event."""


class DevicePresented(msgspec.Struct, frozen=True, kw_only=True):
    """What a caller sent to be known again, and the key that made it; neither is ever shown."""

    token: Secret
    signer: Signer

    def __repr__(self) -> str:
        return "DevicePresented(…)"


async def sign_in(
    request: PasswordSessionRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    hashing: PasswordHashing,
    limit: SignInLimit,
    now: Instant,
    randomness: Randomness,
    activity: ActivityStream | None,
) -> TokenResponse | MfaRequired | OAuthError:
    """Sign a person in with name and password, and open a session of `client`.

    Outcomes beside the tokens: invalid_login_name, wrong_credentials, account_disabled (told only after the right
    password), too_many_attempts, sign_in_busy, invalid_scope, invalid_target.
    """
    target = await _find_target(client, request.scope, request.resource, store=store)
    if isinstance(target, OAuthError):
        return target
    presented = None if request.device_token is None else DevicePresented(token=request.device_token, signer=signer)
    proven = await prove_password(
        request.login_name,
        request.password.reveal(),
        caller,
        presented=presented,
        store=store,
        hashing=hashing,
        limit=limit,
        now=now,
    )
    if isinstance(proven, OAuthError):
        # An attempt that was never weighed is no row: whoever is being slowed down must not fill the disk.
        if proven.code in WEIGHED:
            personal = {"name": request.login_name[:128]}
            refused = _event("sign_in", client, caller, now=now, code=proven.code, personal=personal)
            await store.audit.record([refused])
        return proven
    terms = SessionTerms(
        user=proven.user, auth_time=now, amr=("pwd",), claims={}, scope=request.scope, target=target[0], api=target[1]
    )
    event = _event("sign_in", client, caller, now=now, sub=proven.user.sub)
    opened = await _open(terms, client, caller, event=event, store=store, signer=signer, now=now, randomness=randomness)
    if isinstance(opened, OAuthError):
        return opened
    _tell(activity, opened, terms, client, caller=caller, now=now)
    device_token = renew_device_token(presented, proven.user.sub, signer=signer, now=now, randomness=randomness)
    return msgspec.structs.replace(opened, device_token=device_token.reveal())


async def assert_session(
    request: AssertedSessionRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
    activity: ActivityStream | None,
) -> TokenResponse | OAuthError:
    """Open a session for a subject that a trusted back-end names; it needs the permission `sessions:create`."""
    if "sessions:create" not in client.permissions:
        return refuse("permission_required")
    target = await _find_target(client, request.scope, request.resource, store=store)
    if isinstance(target, OAuthError):
        return target
    newcomer = User(sub=request.subject, claims={}, epoch=next_epoch(0, now=now), created_at=now)
    added = _event("user_added", client, caller, now=now, sub=request.subject)
    user = await store.users.add_subject(newcomer, events=[added])
    if user is None:
        return refuse("invalid_subject", description="A client has that id: tokens of the two would look the same.")
    if user.disabled_at is not None:
        refused = _event("session_asserted", client, caller, now=now, sub=user.sub, code="account_disabled")
        await store.audit.record([refused])
        return refuse("account_disabled")
    terms = SessionTerms(
        user=user,
        auth_time=request.auth_time,
        amr=request.amr,
        claims=dict(request.claims),
        scope=request.scope,
        target=target[0],
        api=target[1],
    )
    event = _event("session_asserted", client, caller, now=now, sub=user.sub)
    opened = await _open(terms, client, caller, event=event, store=store, signer=signer, now=now, randomness=randomness)
    _tell(activity, opened, terms, client, caller=caller, now=now)
    return opened


async def prove_password(
    login_name: str,
    password: str,
    caller: Caller,
    *,
    presented: DevicePresented | None = None,
    signed_in: bool = False,
    store: Store,
    hashing: PasswordHashing,
    limit: SignInLimit,
    now: Instant,
) -> UserCredentials | OAuthError:
    """Check name and password: an unknown name costs the same time and gets the same words (SECURITY A10).

    `presented`: a device token; one of this very account keeps its place in the queue and its own count of failures.
    `signed_in`: the caller holds a live session of the account, and keeps its place as well.
    """
    name = parse_login_name(login_name)
    if isinstance(name, LoginNameRefused):
        return refuse("invalid_login_name", description=name.sentence)
    known = await store.users.find_by_login(name.key)
    device = _find_device(presented, None if known is None else known.user.sub, now=now)
    limited = limit.admit(name.key, caller.network, device=device)
    if limited is not None:
        return refuse("too_many_attempts", retry_after=limited.retry_after)
    # What can be nobody's password is a failure like another, or it would be weighed without a limit.
    prepared = prepare_password(password)
    verdict = (
        NoMatch()
        if isinstance(prepared, PasswordRefused)
        else await hashing.verify(
            None if known is None else known.password_hash,
            prepared,
            known_device=signed_in or device is not None,
            # Not by the device: an account is given as many as it asks for.
            holder=(name.key, caller.network),
        )
    )
    if isinstance(verdict, HashingBusy):
        return refuse("sign_in_busy", retry_after=1)
    # Asked again: of a burst that was admitted whole before its first failure, no more than the limit is answered.
    limited = limit.admit(name.key, caller.network, device=device)
    if limited is not None:
        return refuse("too_many_attempts", retry_after=limited.retry_after)
    if isinstance(verdict, NoMatch) or isinstance(prepared, PasswordRefused):
        limit.count_failure(name.key, caller.network, device=device)
        return refuse("wrong_credentials")
    if known is None:  # a dummy hash never matches; if it did, nobody would be signed in
        return refuse("wrong_credentials")
    if known.user.disabled_at is not None:
        return refuse("account_disabled")
    if isinstance(verdict, MatchNeedsRehash):
        await _rehash(known, prepared, store=store, hashing=hashing, now=now)
    return known


def _find_device(presented: DevicePresented | None, sub: str | None, *, now: Instant) -> bytes | None:
    if presented is None:
        return None
    signer = presented.signer
    return find_known_device(
        presented.token.reveal(), device_keys=signer.device_keys(), issuer=signer.realm.issuer, sub=sub, now=now
    )


def renew_device_token(
    presented: DevicePresented | None, sub: str, *, signer: Signer, now: Instant, randomness: Randomness
) -> Secret:
    """Make the token by which the device that just signed `sub` in is known the next time."""
    # The same device keeps its id, and with it its failures.
    device_id = _find_device(presented, sub, now=now) or randomness(DEVICE_ID_OCTETS)
    newest, issuer = signer.device_keys()[0], signer.realm.issuer
    return mint_device_token(device_key=newest, issuer=issuer, sub=sub, device_id=device_id, now=now)


async def _rehash(
    known: UserCredentials, prepared: bytes, *, store: Store, hashing: PasswordHashing, now: Instant
) -> None:
    """Bring the hash up to today's parameters; where the queue is full, the next sign-in will."""
    fresh = await hashing.hash(prepared)
    if isinstance(fresh, HashingBusy) or known.password_hash is None:
        return
    event = AuditEvent(event="password_rehashed", at=now, actor="sealring", sub=known.user.sub)
    await store.users.rehash(known.user.sub, old=known.password_hash, new=fresh, events=[event])


async def _find_target(
    client: Client, scope: frozenset[str], resource: str | None, *, store: Store
) -> tuple[Target, Api] | OAuthError:
    target = decide_target(scope, resource, allowed=client.allowed)
    if isinstance(target, OAuthError):
        return target
    api = await store.apis.find(target.audience)
    if api is None or not target.scope <= api.scopes.keys():
        return refuse("invalid_scope")
    return target, api


async def _open(
    terms: SessionTerms,
    client: Client,
    caller: Caller,
    *,
    event: AuditEvent,
    store: Store,
    signer: Signer,
    now: Instant,
    randomness: Randomness,
) -> TokenResponse | OAuthError:
    sid = make_opaque_id(15, randomness=randomness)
    facts = SessionFacts(
        sid=sid,
        client_id=client.client_id,
        client_epoch=client.epoch,
        auth_time=terms.auth_time,
        amr=terms.amr,
        claims=terms.claims,
    )
    # Made before the row, so that a token that would not fit its budget opens nothing.
    response = make_access_token(
        api=terms.api,
        subject=subject_of(terms.user),
        session=facts,
        scope=terms.target.scope,
        signer=signer,
        now=now,
        randomness=randomness,
    )
    if isinstance(response, OAuthError):
        return response
    family = open_family(now=now, randomness=randomness)
    # Read once: the keys may turn between the row and the token.
    mac_key = signer.current_mac_key()
    session = new_session(
        terms, client, caller, sid=sid, family=family, mac_key=mac_key, issuer=signer.realm.issuer, now=now
    )
    opened = msgspec.structs.replace(event, sid=sid, api=terms.api.identifier)
    if not await store.sessions.create(session, now=now, events=[opened]):
        # A password change, a disabling or a deletion came in between: whatever was proven is worth nothing now.
        return refuse("wrong_credentials")
    return with_refresh_token(response, family, mac_key=mac_key, signer=signer) if client.refresh else response


def _tell(
    stream: ActivityStream | None,
    opened: TokenResponse | OAuthError,
    terms: SessionTerms,
    client: Client,
    *,
    caller: Caller,
    now: Instant,
) -> None:
    if stream is not None and isinstance(opened, TokenResponse):
        sub, api = terms.user.sub, terms.api.identifier
        issued = access_token_issued(caller, sub=sub, client_id=client.client_id, sid=opened.sid, api=api, now=now)
        stream.tell(issued)


def _event(
    event: str,
    client: Client,
    caller: Caller,
    *,
    now: Instant,
    sub: str | None = None,
    code: str | None = None,
    personal: dict[str, str] | None = None,
) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=now,
        actor=f"client:{client.client_id}",
        outcome="done" if code is None else "refused",
        code=code,
        sub=sub,
        client_id=client.client_id,
        network=caller.network,
        country=caller.country,
        personal={"user_agent": caller.user_agent} | (personal or {}),
    )
