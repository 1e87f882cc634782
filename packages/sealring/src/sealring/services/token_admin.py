"""The operator's own tokens, for scripts: one access token of one API, with its reason in the audit."""

from typing import Final

import msgspec

from sealring.ports import Clock, Randomness, Signer, Store
from sealring.protocol.access_token import SessionFacts
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.client_authentication import NoSecret
from sealring.protocol.client_credentials import decide_client_target
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.scope import Target, parse_scope
from sealring.protocol.secret import Secret
from sealring.protocol.token_request import ClientCredentialsRequest
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import User, subject_of
from sealring.services.access_token import check_token_of, encrypted_response, make_access_token, make_client_token
from sealring.services.client_session import SessionTerms, new_session, open_family
from sealring.services.user import find_user

_LONGEST_REASON: Final = 256
# Nobody proved to be the person. RFC 8176 has no word for that, and an API must not take it for a log-in.
_AMR: Final = ("operator",)
_CALLER: Final = Caller(network="", user_agent="sealring tokens issue")


class IssueToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An access token of `api` for a client in its own name or, with `user`, for that person through that client.

    `scope`: single spaces between. `lifetime`: seconds, at most the API's own, which it is where none is named.
    """

    client_id: str
    user: str | None = None
    api: str
    scope: str
    reason: str
    lifetime: int | None = None


class TokenIssued(msgspec.Struct, frozen=True, kw_only=True):
    """The token, shown this once. `sid`: the session behind a person's, None for a client's own."""

    access_token: Secret
    token_type: str
    expires_in: int
    scope: str
    jti: str
    sub: str
    client_id: str
    api: str
    sid: str | None


class _Grant(msgspec.Struct, frozen=True, kw_only=True):
    """A request that holds: `api` has the lifetime of the token."""

    client: Client
    api: Api
    scope: frozenset[str]
    reason: str
    actor: str
    now: Instant


async def issue_token(
    request: IssueToken,
    *,
    store: Store,
    signer: Signer,
    clock: Clock,
    randomness: Randomness,
    actor: str,
    halted: bool,
) -> TokenIssued | OAuthError:
    """Issue one access token, never a refresh token, and never one of the issuer's own API.

    A person's gets a session, which lists and ends it; a client's own is ended as such tokens are. `halted`: the store
    is not the one that this node knew, so nothing is issued (SECURITY A9). Outcomes beside the token:
    store_rolled_back, invalid_parameter, issuer_api_refused, unknown_client, client_disabled, grant_not_registered,
    unknown_user, ambiguous_user, account_disabled, invalid_scope, invalid_target, access_token_over_budget,
    changed_meanwhile.
    """
    if halted:
        return refuse("store_rolled_back")
    grant = await _find_grant(request, store=store, issuer=signer.realm.issuer, actor=actor, now=clock())
    if isinstance(grant, OAuthError):
        return grant
    if request.user is None:
        return await _issue_for_client(grant, store=store, signer=signer, randomness=randomness)
    user = await find_user(request.user, store=store)
    if isinstance(user, OAuthError):
        return user
    if user.disabled_at is not None:
        return refuse("account_disabled")
    return await _issue_for_user(grant, user, store=store, signer=signer, randomness=randomness)


async def _find_grant(
    request: IssueToken, *, store: Store, issuer: str, actor: str, now: Instant
) -> _Grant | OAuthError:
    reason = request.reason.strip()
    if not 1 <= len(reason) <= _LONGEST_REASON or not reason.isprintable():
        return refuse("invalid_parameter", description="The reason is a line of 1 to 256 characters.")
    # With such a token a person's password can be changed and sessions be ended: that takes the person.
    if request.api == issuer:
        return refuse("issuer_api_refused")
    scope = parse_scope(request.scope)
    if isinstance(scope, OAuthError):
        return scope
    client = await store.clients.find(request.client_id)
    if client is None:
        return refuse("unknown_client")
    if client.disabled_at is not None:
        return refuse("client_disabled")
    if request.user is None and not client.client_credentials:
        sentence = f"The client {client.client_id} gets no tokens in its own name: name a --user, or another client."
        return refuse("grant_not_registered", description=sentence)
    # The same rules as at /token; they hold for a person's token as well.
    asked = ClientCredentialsRequest(
        credentials=NoSecret(client_id=client.client_id), scope=scope, resource=request.api
    )
    target = decide_client_target(asked, client, issuer=issuer)
    if isinstance(target, OAuthError):
        return target
    api = await store.apis.find(target.audience)
    # /token leaves out what is of another API (RFC 8707); a script should hear that it named something wrong.
    if api is None or target.scope != scope or not scope <= api.scopes.keys():
        return refuse("invalid_scope")
    lifetime = api.access_token_lifetime if request.lifetime is None else request.lifetime
    if not 1 <= lifetime <= api.access_token_lifetime:
        limit = f"The lifetime is 1 to {api.access_token_lifetime} s, as {api.identifier} has it."
        return refuse("invalid_parameter", description=limit)
    short = msgspec.structs.replace(api, access_token_lifetime=lifetime)
    return _Grant(client=client, api=short, scope=scope, reason=reason, actor=actor, now=now)


async def _issue_for_client(
    grant: _Grant, *, store: Store, signer: Signer, randomness: Randomness
) -> TokenIssued | OAuthError:
    response = make_client_token(
        api=_only_signed(grant.api),
        client=grant.client,
        scope=grant.scope,
        signer=signer,
        now=grant.now,
        randomness=randomness,
    )
    if isinstance(response, OAuthError):
        return response
    issued = _issued(response, grant, signer=signer)
    if isinstance(issued, OAuthError):
        return issued
    # Before anybody has it: no token without its event.
    await store.audit.record([_event(issued, grant)])
    return issued


async def _issue_for_user(
    grant: _Grant, user: User, *, store: Store, signer: Signer, randomness: Randomness
) -> TokenIssued | OAuthError:
    # The session lasts as long as the token, and its family's secret is thrown away: nothing can refresh it.
    client = msgspec.structs.replace(grant.client, refresh=False)
    sid = make_opaque_id(15, randomness=randomness)
    facts = SessionFacts(
        sid=sid, client_id=client.client_id, client_epoch=client.epoch, auth_time=None, amr=_AMR, claims={}
    )
    response = make_access_token(
        api=_only_signed(grant.api),
        subject=subject_of(user),
        session=facts,
        scope=grant.scope,
        signer=signer,
        now=grant.now,
        randomness=randomness,
    )
    if isinstance(response, OAuthError):
        return response
    issued = _issued(response, grant, signer=signer)
    if isinstance(issued, OAuthError):
        return issued
    terms = SessionTerms(
        user=user,
        auth_time=grant.now,
        amr=_AMR,
        claims={},
        scope=grant.scope,
        target=Target(audience=grant.api.identifier, scope=grant.scope),
        api=grant.api,
    )
    family = open_family(now=grant.now, randomness=randomness)
    mac_key = signer.current_mac_key()
    session = new_session(
        terms, client, _CALLER, sid=sid, family=family, mac_key=mac_key, issuer=signer.realm.issuer, now=grant.now
    )
    session = msgspec.structs.replace(session, network=None)
    created = await store.sessions.create(session, now=grant.now, events=[_event(issued, grant)])
    return issued if created else refuse("changed_meanwhile")


def _only_signed(api: Api) -> Api:
    """Give the API without its keys: nobody but itself could read the `jti` of an encrypted token."""
    return msgspec.structs.replace(api, encryption_jwks=None)


def _issued(response: TokenResponse, grant: _Grant, *, signer: Signer) -> TokenIssued | OAuthError:
    claims = check_token_of(grant.api, response.access_token, signer=signer, now=grant.now)
    if claims is None:
        raise RuntimeError("an access token that was just signed does not verify")
    encrypted = encrypted_response(response, grant.api, signer=signer)
    if isinstance(encrypted, OAuthError):
        return encrypted
    return TokenIssued(
        access_token=Secret(encrypted.access_token),
        token_type=response.token_type,
        expires_in=response.expires_in,
        scope=response.scope,
        jti=claims.jti,
        sub=claims.sub,
        client_id=claims.client_id,
        api=grant.api.identifier,
        sid=claims.sid,
    )


def _event(issued: TokenIssued, grant: _Grant) -> AuditEvent:
    return AuditEvent(
        event="token_issued",
        at=grant.now,
        actor=grant.actor,
        sub=issued.sub,
        client_id=issued.client_id,
        sid=issued.sid,
        api=issued.api,
        details={
            "jti": issued.jti,
            "scope": issued.scope,
            "lifetime": issued.expires_in,
            "reason": grant.reason,
        },
    )
