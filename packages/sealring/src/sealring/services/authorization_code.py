"""Redeeming an authorization code: once, by whom it was given to, into a session of the client (SECURITY E1)."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import assert_never

import msgspec

from sealring.ports import ActivityStream, Randomness, Signer, Store
from sealring.protocol.access_token import SessionFacts
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization_code import (
    AuthorizationCode,
    CodeRefused,
    CodeReplayed,
    PresentedCode,
    RedeemCode,
    decide_code,
)
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, client_reach
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.scope import OPENID_SCOPES, Target, decide_target, scope_text
from sealring.protocol.subject_identifier import PairwiseKey
from sealring.protocol.token_request import AuthorizationCodeRequest
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User, subject_of
from sealring.services.access_token import make_access_token
from sealring.services.activity import access_token_issued
from sealring.services.client_session import SessionTerms, new_session, open_family, with_refresh_token
from sealring.services.id_token import make_id_token


class _Redemption(msgspec.Struct, frozen=True, kw_only=True):
    """A good code on its way into a session, with everything that its answer is made of."""

    code: AuthorizationCode
    user: User
    client: Client
    caller: Caller
    target: Target
    api: Api
    now: Instant


async def redeem_authorization_code(
    request: AuthorizationCodeRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    pairwise_key: PairwiseKey,
    now: Instant,
    randomness: Randomness,
    activity: ActivityStream | None,
) -> TokenResponse | OAuthError:
    """Give tokens for a code (RFC 6749 §4.1.3), an ID token among them where `openid` was granted.

    A code that its own client presents twice ends the session that it became. Clients are told `code_refused` with an
    `error_id` for all but scope and target; the code behind it stands in the audit.
    """
    digest = sha256(request.code.reveal().encode()).digest()
    presented = await store.authorization_codes.find(digest, now=now)
    if presented is None:
        return _refuse_code(randomness)
    refusal = await _refuse(presented, request, client, caller, store=store, now=now, randomness=randomness)
    if refusal is not None:
        return refusal
    issuer = signer.realm.issuer
    redemption = await _find_terms(presented.code, request, client, caller, issuer=issuer, store=store, now=now)
    if isinstance(redemption, OAuthError):
        return redemption
    answer = await _open(redemption, store=store, signer=signer, pairwise_key=pairwise_key, randomness=randomness)
    if answer is None:
        # Somebody was quicker: with the same code, or by ending what stood behind it.
        moved = await store.authorization_codes.find(digest, now=now) or presented
        refused = await _refuse(moved, request, client, caller, store=store, now=now, randomness=randomness)
        return refused or _refuse_code(randomness)
    if activity is not None and isinstance(answer, TokenResponse):
        sub, api = presented.code.sub, redemption.api.identifier
        issued = access_token_issued(caller, sub=sub, client_id=client.client_id, sid=answer.sid, api=api, now=now)
        activity.tell(issued)
    return answer


async def _refuse(
    presented: PresentedCode,
    request: AuthorizationCodeRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    now: Instant,
    randomness: Randomness,
) -> OAuthError | None:
    """Say why a code is worth nothing, and persist what that demands; None for a good one."""
    outcome = decide_code(
        presented,
        client_id=client.client_id,
        redirect_uri=request.redirect_uri,
        code_verifier=None if request.code_verifier is None else request.code_verifier.reveal(),
        now=now,
    )
    refusal = _refuse_code(randomness)
    event = AuditEvent(
        event="code_refused",
        at=now,
        actor=f"client:{client.client_id}",
        outcome="refused",
        sub=presented.code.sub,
        client_id=presented.code.client_id,
        network=caller.network,
        country=caller.country,
        error_id=refusal.error_id,
    )
    match outcome:
        case RedeemCode():
            return None
        case CodeReplayed(sid=sid):
            replayed = msgspec.structs.replace(event, event="code_replayed", code="code_replayed", sid=sid)
            await store.sessions.end(sid, reason="code_replayed", now=now, events=[replayed])
        case CodeRefused(code=code):
            await store.audit.record([msgspec.structs.replace(event, code=code)])
        case _:
            assert_never(outcome)
    return refusal


async def _find_terms(
    code: AuthorizationCode,
    request: AuthorizationCodeRequest,
    client: Client,
    caller: Caller,
    *,
    issuer: str,
    store: Store,
    now: Instant,
) -> _Redemption | OAuthError:
    """Find what the code's first access token is for: what was granted, as far as client and API still have it."""
    reach = client_reach(client, issuer=issuer)
    granted = code.scope & frozenset().union(*reach.values())
    target = decide_target(granted, request.resource or code.resource, allowed=reach)
    if isinstance(target, OAuthError):
        return target
    api = await store.apis.find(target.audience)
    if api is None:
        return refuse("invalid_target")
    target = msgspec.structs.replace(target, scope=target.scope & api.scopes.keys())
    user = await store.users.find(code.sub)
    if user is None or not target.scope:
        return refuse("invalid_scope")
    # Under the epoch of the log-in, never today's: where the two differ the code is not spent (SECURITY A4).
    user = msgspec.structs.replace(user, epoch=code.subject_epoch)
    return _Redemption(code=code, user=user, client=client, caller=caller, target=target, api=api, now=now)


async def _open(
    redemption: _Redemption, *, store: Store, signer: Signer, pairwise_key: PairwiseKey, randomness: Randomness
) -> TokenResponse | OAuthError | None:
    """Spend the code and open its session; None where it could not be spent any more.

    All tokens are made before, so that one that cannot be made leaves the code as it is.
    """
    code, client, now = redemption.code, redemption.client, redemption.now
    sid = make_opaque_id(15, randomness=randomness)
    response = _make_tokens(redemption, sid, signer=signer, pairwise_key=pairwise_key, randomness=randomness)
    if isinstance(response, OAuthError):
        return response
    terms = SessionTerms(
        user=redemption.user,
        auth_time=code.auth_time,
        amr=code.amr,
        claims={},
        scope=code.scope,
        target=redemption.target,
        api=redemption.api,
        sso_id=code.sso_id,
        acr=code.acr,
        requested_claims=code.requested_claims,
    )
    family, mac_key, issuer = open_family(now=now, randomness=randomness), signer.current_mac_key(), signer.realm.issuer
    session = new_session(
        terms, client, redemption.caller, sid=sid, family=family, mac_key=mac_key, issuer=issuer, now=now
    )
    event = _redeemed(redemption, sid=sid)
    if not await store.authorization_codes.redeem(code.digest, session, now=now, events=[event]):
        return None
    return with_refresh_token(response, family, mac_key=mac_key, signer=signer) if client.refresh else response


def _make_tokens(
    redemption: _Redemption, sid: str, *, signer: Signer, pairwise_key: PairwiseKey, randomness: Randomness
) -> TokenResponse | OAuthError:
    code, client, now = redemption.code, redemption.client, redemption.now
    facts = SessionFacts(
        sid=sid,
        client_id=client.client_id,
        client_epoch=client.epoch,
        auth_time=code.auth_time,
        amr=code.amr,
        acr=code.acr,
        claims={},
    )
    response = make_access_token(
        api=redemption.api,
        subject=subject_of(redemption.user),
        session=facts,
        scope=redemption.target.scope,
        signer=signer,
        now=now,
        randomness=randomness,
    )
    if isinstance(response, OAuthError):
        return response
    told = scope_text(redemption.target.scope | (code.scope & OPENID_SCOPES))
    response = msgspec.structs.replace(response, scope=told)
    if "openid" not in code.scope:
        return response
    id_token = make_id_token(code, redemption.user, client, response, signer=signer, pairwise_key=pairwise_key, now=now)
    return id_token if isinstance(id_token, OAuthError) else msgspec.structs.replace(response, id_token=id_token)


def _redeemed(redemption: _Redemption, *, sid: str) -> AuditEvent:
    return AuditEvent(
        event="code_redeemed",
        at=redemption.now,
        actor=f"client:{redemption.client.client_id}",
        sub=redemption.user.sub,
        client_id=redemption.client.client_id,
        sid=sid,
        api=redemption.api.identifier,
        network=redemption.caller.network,
        country=redemption.caller.country,
    )


def _refuse_code(randomness: Randomness) -> OAuthError:
    return refuse("code_refused", error_id=urlsafe_b64encode(randomness(9)).decode())
