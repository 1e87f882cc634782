"""Answering authorization requests: what is asked, what is still needed, and the code in the end (RFC 6749 §4.1)."""

from hashlib import sha256
from typing import Final, Literal, assert_never

import msgspec

from sealring.ports import Randomness, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.authorization import (
    AskConsent,
    CannotAsk,
    Grant,
    LogInFirst,
    Proof,
    decide_authorization,
    extend_consent,
    remember_consent,
)
from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.authorization_request import (
    AuthorizationRequest,
    Parameters,
    ReturnAddress,
    find_client_id,
    find_return_address,
    one_redirect_uri,
    parse_authorization_request,
    parse_parameters,
)
from sealring.protocol.authorization_response import code_response, error_response
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client, client_reach
from sealring.protocol.consent import Consent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds, later
from sealring.protocol.redirect_uri import find_redirect_uri
from sealring.protocol.scope import OPENID_SCOPES, scope_text
from sealring.protocol.secret import make_secret
from sealring.protocol.sso_session import SsoSession
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier
from sealring.services.id_token import read_id_token_hint

_CODE_LIFETIME: Final = Seconds(60)
_MOST_SESSIONS: Final = 100


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization request that is understood, and the client that sent it."""

    request: AuthorizationRequest
    client: Client


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal that must not be redirected: a page of ours says it."""

    refusal: OAuthError


class Returned(msgspec.Struct, frozen=True, kw_only=True):
    """An answer for the client, whatever it says."""

    address: ReturnAddress
    parameters: dict[str, str]


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """The person has to do something first."""

    step: Literal["login", "consent"]
    asked: Asked


AuthorizationAnswer = Shown | Returned | Waiting


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the browser that asks. `began_at`, `allowed`, `chosen`: as in `Proof`."""

    session: SsoSession | None
    began_at: Instant | None = None
    allowed: bool = False
    chosen: bool = False


async def find_authorization_request(encoded: bytes, *, store: Store, issuer: str) -> Asked | Shown | Returned:
    """Understand an encoded request. Until client and redirect URI fit each other nothing is redirected.

    Faults of a client that registered itself are shown as well: nobody shall make us send people to wherever it likes
    before they have done anything (RFC 9700 §4.11.2).
    """
    parameters = parse_parameters(encoded)
    if isinstance(parameters, OAuthError):
        return Shown(refusal=parameters)
    client_id, asked_uri = find_client_id(parameters), one_redirect_uri(parameters)
    if isinstance(client_id, OAuthError):
        return Shown(refusal=client_id)
    client = await store.clients.find(client_id)
    if client is None or client.disabled_at is not None or client.code_flow is None:
        return Shown(refusal=refuse("client_not_registered"))
    if isinstance(asked_uri, OAuthError):
        return Shown(refusal=asked_uri)
    if find_redirect_uri(asked_uri, registered=client.code_flow.redirect_uris) is None:
        return Shown(refusal=refuse("redirect_uri_not_registered"))
    address = find_return_address(parameters, redirect_uri=asked_uri)
    request = parse_authorization_request(parameters, client, address, issuer=issuer)
    if not isinstance(request, OAuthError):
        return Asked(request=request, client=client)
    if client.self_registered:
        return Shown(refusal=request)
    return Returned(address=address, parameters=error_response(request, address, issuer=issuer))


def send_back(refusal: OAuthError, parameters: Parameters, client: Client, *, issuer: str) -> Shown | Returned:
    """Refuse a request before it was understood: to where it says, if that is its client's, else by a page of ours."""
    uris = parameters.get("redirect_uri", ())
    registered = () if client.code_flow is None else client.code_flow.redirect_uris
    if client.self_registered or len(uris) != 1 or find_redirect_uri(uris[0], registered=registered) is None:
        return Shown(refusal=refusal)
    address = find_return_address(parameters, redirect_uri=uris[0])
    return Returned(address=address, parameters=error_response(refusal, address, issuer=issuer))


async def answer_authorization(
    asked: Asked,
    standing: Standing,
    *,
    store: Store,
    signer: Signer,
    pairwise_key: PairwiseKey,
    now: Instant,
    randomness: Randomness,
) -> Shown | Returned | Waiting:
    """Grant a request, or say what it needs first; what the client forbade to ask for is an error for it.

    The errors of a silent request go back at once even to a client that registered itself: they are all that it is
    for (RFC 9700 §4.11.2).
    """
    request, client, issuer = asked.request, asked.client, signer.realm.issuer
    proof = await _find_proof(asked, standing, store=store, signer=signer, pairwise_key=pairwise_key, now=now)
    if isinstance(proof, OAuthError) and client.self_registered and "none" not in request.prompt:
        return Shown(refusal=proof)
    if isinstance(proof, OAuthError):
        return Returned(address=request.address, parameters=error_response(proof, request.address, issuer=issuer))
    outcome = decide_authorization(request, client, proof, now=now)
    match outcome:
        case LogInFirst():
            return Waiting(step="login", asked=asked)
        case AskConsent():
            return Waiting(step="consent", asked=asked)
        case CannotAsk(code=code):
            parameters = error_response(refuse(code), request.address, issuer=issuer)
            return Returned(address=request.address, parameters=parameters)
        case Grant(scope=scope):
            if proof.session is None:  # never granted to nobody
                return Waiting(step="login", asked=asked)
            return await _issue(
                asked, proof.session, scope=scope, store=store, issuer=issuer, now=now, randomness=randomness
            )
        case _:
            assert_never(outcome)


async def allow(asked: Asked, session: SsoSession, caller: Caller, *, store: Store, now: Instant) -> None:
    """Remember that a person allowed a request, where that may be remembered (SECURITY E2)."""
    request, client = asked.request, asked.client
    event = _consent_event("consent_given", asked, session, caller, now=now)
    before = await store.consents.find(session.sub, client.client_id, request.address.redirect_uri)
    consent = remember_consent(request, client, before, sub=session.sub, now=now)
    await store.consents.keep(consent, events=[event])


async def deny(
    asked: Asked, session: SsoSession, caller: Caller, *, store: Store, issuer: str, now: Instant
) -> Returned:
    """Tell the client that the person said no. What was allowed before stays allowed."""
    event = _consent_event("consent_denied", asked, session, caller, now=now)
    await store.audit.record([event])
    address = asked.request.address
    return Returned(address=address, parameters=error_response(refuse("access_denied"), address, issuer=issuer))


def _consent_event(event: str, asked: Asked, session: SsoSession, caller: Caller, *, now: Instant) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=now,
        actor=f"user:{session.sub}",
        sub=session.sub,
        client_id=asked.client.client_id,
        network=caller.network,
        country=caller.country,
        details={"scope": scope_text(asked.request.scope)},
    )


async def _find_proof(
    asked: Asked, standing: Standing, *, store: Store, signer: Signer, pairwise_key: PairwiseKey, now: Instant
) -> Proof | OAuthError:
    request, client, session = asked.request, asked.client, standing.session
    hinted = None
    if request.id_token_hint is not None:
        hint = read_id_token_hint(request.id_token_hint, signer=signer)
        if hint is None or hint.aud != client.client_id:
            return refuse("invalid_id_token_hint")
        hinted = hint.sub
    consent = None
    if session is not None:
        consent = await store.consents.find(session.sub, client.client_id, request.address.redirect_uri)
    if session is not None and consent is not None and client.self_registered and "none" in request.prompt:
        consent = await _extend(consent, client, session, store=store, now=now)
    return Proof(
        session=session,
        known_as=None if session is None else subject_identifier(session.sub, client, key=pairwise_key),
        hinted=hinted,
        consent=consent,
        began_at=standing.began_at,
        allowed=standing.allowed,
        chosen=standing.chosen,
    )


async def _extend(consent: Consent, client: Client, session: SsoSession, *, store: Store, now: Instant) -> Consent:
    live = [
        each
        for each in await store.sessions.list_live(sub=session.sub, now=now, limit=_MOST_SESSIONS)
        if each.sso_id == session.id and each.client_id == consent.client_id
    ]
    return extend_consent(
        consent,
        client,
        scope=frozenset[str]().union(*(each.scope for each in live)),
        resources=frozenset(each.resource for each in live),
    )


async def _issue(
    asked: Asked,
    session: SsoSession,
    *,
    scope: frozenset[str],
    store: Store,
    issuer: str,
    now: Instant,
    randomness: Randomness,
) -> Returned | Waiting:
    request, client = asked.request, asked.client
    code = make_secret(randomness=randomness)
    reach = client_reach(client, issuer=issuer)
    within = OPENID_SCOPES.union(*(reach[resource] for resource in request.resources))
    kept = await store.authorization_codes.add(
        AuthorizationCode(
            digest=sha256(code.reveal().encode()).digest(),
            client_id=client.client_id,
            redirect_uri=request.address.redirect_uri,
            code_challenge=request.code_challenge,
            sub=session.sub,
            subject_epoch=session.subject_epoch,
            client_epoch=client.epoch,
            sso_id=session.id,
            scope=scope & within,
            resource=request.target.audience,
            nonce=request.nonce,
            requested_claims=request.requested_claims,
            auth_time=session.auth_time,
            amr=session.amr,
            acr=session.acr,
            created_at=now,
            expires_at=later(now, _CODE_LIFETIME),
        ),
        now=now,
        events=[],
    )
    if not kept:
        # What was proven a moment ago has ended since.
        return Waiting(step="login", asked=asked)
    return Returned(address=request.address, parameters=code_response(code, request.address, issuer=issuer))
