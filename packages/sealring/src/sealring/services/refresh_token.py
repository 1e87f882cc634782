"""Redeeming a refresh token: one statement when all is well, an explanation when it is not (SECURITY A)."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, assert_never

import msgspec

from sealring.ports import ActivityStream, Randomness, ServiceClock, SessionGrant, Signer, Store
from sealring.protocol.access_token import SessionFacts
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, client_reach
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.refresh_token import (
    Ahead,
    Ended,
    Expired,
    PresentedRefreshToken,
    RefreshFamily,
    RefreshPolicy,
    Repeat,
    Reused,
    Rotate,
    ScopeExceeded,
    WrongBinding,
    WrongClient,
    decide_refresh,
)
from sealring.protocol.refresh_token_format import (
    RefreshToken,
    family_key,
    mac_holds,
    mint_refresh_token,
    parse_refresh_token,
)
from sealring.protocol.scope import OPENID_SCOPES, decide_target, scope_text
from sealring.protocol.session import RefreshRequest
from sealring.protocol.token_request import RefreshTokenRequest
from sealring.protocol.token_response import TokenResponse
from sealring.services.access_token import make_access_token
from sealring.services.activity import access_token_issued, refresh_refused

# Two holders of one family can move the row between our reading and our writing, but not for ever.
_TRIES: Final = 16

_QUIET: Final = Seconds(60)

_REFUSALS: Mapping[type, str] = MappingProxyType(
    {
        WrongClient: "refresh_wrong_client",
        WrongBinding: "refresh_wrong_binding",
        Ended: "refresh_ended",
        Expired: "refresh_expired",
    }
)


class _Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One redemption on its way through this module. `impossible`: why its scope and resource can never be met."""

    token: RefreshToken
    presented: PresentedRefreshToken
    client: Client
    caller: Caller
    impossible: OAuthError | None
    now: Instant


async def redeem_refresh_token(
    request: RefreshTokenRequest | RefreshRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    now: Instant,
    service_clock: ServiceClock,
    randomness: Randomness,
    activity: ActivityStream | None,
) -> TokenResponse | OAuthError:
    """Give the successor of a refresh token with a new access token (RFC 6749 §6).

    The same token presented again in good faith gets the same successor; anything later ends the session. Clients
    are told `refresh_refused` with an `error_id` for all but scope; the code behind it stands in the audit.
    """
    presented = request.refresh_token
    token = None if presented is None else find_authentic_token(presented.reveal(), signer=signer)
    if token is None or not client.refresh:
        refusal = refuse_refresh_token(randomness)
        if activity is not None:
            activity.tell(refresh_refused(refusal, client.client_id, caller, now=now))
        return refusal
    attempt = _attempt(request, token, client, caller, issuer=signer.realm.issuer, now=now)
    advanced, grant = await _find_grant(
        attempt, store=store, signer=signer, service_clock=service_clock, randomness=randomness
    )
    if isinstance(grant, OAuthError):
        if activity is not None:
            activity.tell(refresh_refused(grant, client.client_id, caller, now=now))
        return grant
    answer = await _answer(attempt, grant, store=store, signer=signer, randomness=randomness)
    if isinstance(answer, OAuthError) and grant.generation == token.generation + 1:
        # API, client or user were changed so that no access token fits. The client keeps the token that it has; left
        # rotated, its next try would look like a theft.
        await store.sessions.retreat(grant, mac_key_id=token.mac_key_id)
    if activity is not None:
        _tell(activity, attempt, grant, answer, advanced=advanced)
    return answer


def find_authentic_token(text: str, *, signer: Signer) -> RefreshToken | None:
    """Take a refresh token apart and check its MAC; None for anything that we did not make."""
    token = parse_refresh_token(text)
    mac_key = None if token is None else signer.find_mac_key(token.mac_key_id)
    if token is None or mac_key is None or not mac_holds(token, mac_key=mac_key.secret, realm=signer.realm):
        return None
    return token


def refuse_refresh_token(randomness: Randomness) -> OAuthError:
    """Refuse in the words that clients get whatever the reason, under a random `error_id` (SECURITY A6)."""
    return refuse("refresh_refused", error_id=urlsafe_b64encode(randomness(9)).decode())


def _attempt(
    request: RefreshTokenRequest | RefreshRequest,
    token: RefreshToken,
    client: Client,
    caller: Caller,
    *,
    issuer: str,
    now: Instant,
) -> _Attempt:
    resource, impossible = request.resource, None
    reach = client_reach(client, issuer=issuer)
    if request.scope is not None:
        target = decide_target(request.scope, request.resource, allowed=reach)
        if isinstance(target, OAuthError):
            impossible = target
        else:
            resource = target.audience
    elif resource is not None and resource not in reach:
        impossible = refuse("invalid_target")
    presented = PresentedRefreshToken(
        key=family_key(born=token.born, secret=token.secret),
        generation=token.generation,
        client_id=client.client_id,
        binding_digest=caller.binding_digest,
        scope=request.scope,
        resource=resource,
        network=caller.network,
        user_agent=caller.user_agent,
    )
    return _Attempt(token=token, presented=presented, client=client, caller=caller, impossible=impossible, now=now)


async def _find_grant(
    attempt: _Attempt, *, store: Store, signer: Signer, service_clock: ServiceClock, randomness: Randomness
) -> tuple[bool, SessionGrant | OAuthError]:
    """Rotate, repeat or refuse; the first of the two says whether the row advanced."""
    for _ in range(_TRIES):
        if attempt.impossible is None:
            grant = await store.sessions.advance(
                attempt.presented,
                mac_key_id=signer.current_mac_key().mac_key_id,
                idle_lifetime=attempt.client.idle_lifetime,
                now=attempt.now,
                service_now=service_clock(),
            )
            if grant is not None:
                return True, grant
        explained = await _explain(attempt, store=store, service_clock=service_clock, randomness=randomness)
        if explained is not None:
            return False, explained
    return False, refuse("store_unavailable", retry_after=1)


async def _explain(
    attempt: _Attempt, *, store: Store, service_clock: ServiceClock, randomness: Randomness
) -> SessionGrant | OAuthError | None:
    """Say why the statement changed nothing, and persist what that demands; None: the row has moved, try again."""
    now = attempt.now
    family = await store.sessions.find_family(attempt.presented.key)
    if family is None:
        return refuse_refresh_token(randomness)
    policy = RefreshPolicy(grace_window=attempt.client.grace_window)
    outcome = decide_refresh(family, attempt.presented, now=now, service_now=service_clock(), policy=policy)
    match outcome:
        case Rotate():
            return attempt.impossible
        case Repeat():
            return attempt.impossible or await _repeat(attempt, family, outcome, store=store)
        case Reused():
            return await _end(
                attempt, family, "session_reuse_detected", "refresh_reused", store=store, randomness=randomness
            )
        case Ahead():
            return await _end(
                attempt, family, "store_rollback_detected", "refresh_ahead", store=store, randomness=randomness
            )
        case ScopeExceeded():
            event = _event(attempt, family, "session_refresh_refused", code="scope_exceeds_grant")
            await store.audit.record_refusal(event, quiet=_QUIET)
            return attempt.impossible or refuse("scope_exceeds_grant")
        case WrongClient() | WrongBinding() | Ended() | Expired():
            refusal = refuse_refresh_token(randomness)
            code = _REFUSALS[type(outcome)]
            event = _event(attempt, family, "session_refresh_refused", code=code, error_id=refusal.error_id)
            await store.audit.record_refusal(event, quiet=_QUIET)
            return refusal
        case _:
            assert_never(outcome)


async def _repeat(attempt: _Attempt, family: RefreshFamily, outcome: Repeat, *, store: Store) -> SessionGrant | None:
    events = [_event(attempt, family, "session_repeated")]
    if outcome.shared:
        events.append(_event(attempt, family, "refresh_shared"))
    shared_generation = family.generation if outcome.elsewhere else family.shared_generation
    return await store.sessions.repeat(family, shared_generation=shared_generation, now=attempt.now, events=events)


async def _end(
    attempt: _Attempt, family: RefreshFamily, event: str, code: str, *, store: Store, randomness: Randomness
) -> OAuthError:
    """End the family and refuse: the end is committed before the refusal leaves."""
    refusal = refuse_refresh_token(randomness)
    events = [_event(attempt, family, event, code=code, error_id=refusal.error_id)]
    await store.sessions.end(family.sid, reason=code, now=attempt.now, events=events)
    return refusal


async def _answer(
    attempt: _Attempt, grant: SessionGrant, *, store: Store, signer: Signer, randomness: Randomness
) -> TokenResponse | OAuthError:
    resource = attempt.presented.resource or grant.resource
    api = await store.apis.find(resource)
    if api is None:
        return refuse("invalid_target")
    # What was granted, as far as client and API may still have it.
    asked = grant.scope if attempt.presented.scope is None else attempt.presented.scope
    reach = client_reach(attempt.client, issuer=signer.realm.issuer)
    scope = asked & reach.get(resource, frozenset()) & api.scopes.keys()
    if not scope:
        return refuse("invalid_scope")
    facts = SessionFacts(
        sid=grant.sid,
        client_id=attempt.client.client_id,
        client_epoch=attempt.client.epoch,
        auth_time=grant.auth_time,
        amr=grant.amr,
        acr=grant.acr,
        claims={} if grant.claims is None else msgspec.json.decode(grant.claims),
    )
    response = make_access_token(
        api=api,
        subject=grant.subject,
        session=facts,
        scope=scope,
        signer=signer,
        now=attempt.now,
        randomness=randomness,
    )
    if isinstance(response, OAuthError):
        return response
    return msgspec.structs.replace(
        response,
        refresh_token=_successor(attempt.token, grant, signer=signer),
        scope=scope_text(scope | (asked & OPENID_SCOPES)),
    )


def _successor(token: RefreshToken, grant: SessionGrant, *, signer: Signer) -> str:
    mac_key = signer.find_mac_key(grant.mac_key_id)
    if mac_key is None:
        raise LookupError("a live session names a MAC key that is gone")
    return mint_refresh_token(
        mac_key_id=mac_key.mac_key_id,
        mac_key=mac_key.secret,
        realm=signer.realm,
        born=token.born,
        secret=token.secret,
        generation=grant.generation,
    )


def _tell(
    stream: ActivityStream,
    attempt: _Attempt,
    grant: SessionGrant,
    answer: TokenResponse | OAuthError,
    *,
    advanced: bool,
) -> None:
    client, caller, now = attempt.client, attempt.caller, attempt.now
    sub, api = grant.subject.sub, attempt.presented.resource or grant.resource
    if isinstance(answer, OAuthError):
        refused = refresh_refused(answer, client.client_id, caller, now=now)
        stream.tell(msgspec.structs.replace(refused, sub=sub, sid=grant.sid, api=api))
        return
    issued = access_token_issued(caller, sub=sub, client_id=client.client_id, sid=grant.sid, api=api, now=now)
    if advanced:  # a repeat is an event of the audit
        stream.tell(msgspec.structs.replace(issued, event="refresh_rotated"))
    stream.tell(issued)


def _event(
    attempt: _Attempt, family: RefreshFamily, event: str, *, code: str | None = None, error_id: str | None = None
) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=attempt.now,
        actor=f"client:{attempt.client.client_id}",
        outcome="done" if code is None else "refused",
        code=code,
        sub=family.sub,
        client_id=family.client_id,
        sid=family.sid,
        network=attempt.caller.network,
        country=attempt.caller.country,
        error_id=error_id,
        details={"generation": attempt.presented.generation, "current": family.generation},
        personal={"user_agent": attempt.caller.user_agent},
    )
