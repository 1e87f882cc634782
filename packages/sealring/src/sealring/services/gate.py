"""The gate: a proxy asks about each request, and the session's own row answers (SECURITY B6, D5)."""

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

import msgspec

from sealring.ports import Randomness, Session, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.gate import (
    GATE_ASSERTION_TYPE,
    GatePassage,
    GateQuestion,
    decide_gate,
    gate_assertion_payload,
    refuse_passage,
)
from sealring.protocol.gate_registration import gate_client_id, is_gate_host
from sealring.protocol.instant import Instant
from sealring.protocol.refresh_token_format import family_key, mac_holds, parse_refresh_token
from sealring.protocol.secret import Secret
from sealring.protocol.subject_identifier import PairwiseKey
from sealring.protocol.token_request import AuthorizationCodeRequest
from sealring.services.access_token import recall_token_of
from sealring.services.authorization_code import redeem_authorization_code
from sealring.services.introspection import token_lives
from sealring_verify.verified_tokens import VerifiedTokens


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What a request brings to a gate. `bearer`: counts alone where there is one; `cookie`: the host's gate cookie."""

    bearer: Secret | None = None
    cookie: Secret | None = None


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """The request may pass. `assertion`: the signed JWT that tells the service so."""

    passage: GatePassage
    assertion: str


async def find_gate(host: str, *, store: Store) -> Client | None:
    """Return the client behind a gated host that is not disabled."""
    client = await find_registered_gate(host, store=store)
    return None if client is None or client.disabled_at is not None else client


async def find_registered_gate(host: str, *, store: Store) -> Client | None:
    """Return the client behind a host that is registered under exactly that name."""
    client = await store.clients.find(gate_client_id(host)) if is_gate_host(host) else None
    return None if client is None or client.gate is None or client.gate.host != host else client


async def authenticate_proxy(key: str | None, host: str, *, store: Store) -> Client | OAuthError:
    """Return the gate whose proxy asks, by the key that is this host's alone."""
    client = await find_gate(host, store=store)
    digest = sha256((key or "").encode("utf-8", "surrogatepass")).digest()
    known = () if client is None else client.secret_digests
    if client is None or not any(hmac.compare_digest(digest, each) for each in known):
        return refuse("gate_key_refused")
    return client


async def pass_gate(
    question: GateQuestion,
    client: Client,
    credentials: Credentials,
    *,
    store: Store,
    signer: Signer,
    checked: VerifiedTokens,
    now: Instant,
) -> Passed | OAuthError:
    """Say whether a request may pass the gate `client`, by the rows as they are now."""
    if credentials.bearer is not None:
        passage = await _bearer_passage(
            credentials.bearer, client, store=store, signer=signer, checked=checked, now=now
        )
    else:
        passage = await _cookie_passage(credentials.cookie, client, store=store, signer=signer, now=now)
    if isinstance(passage, OAuthError):
        return passage
    by_cookie = credentials.bearer is None
    outcome = decide_gate(question.scope, held=passage.scope, client=client, by_cookie=by_cookie)
    if outcome != "pass":
        return refuse_passage(outcome, question.scope)
    payload = gate_assertion_payload(passage, question, issuer=signer.realm.issuer, now=now)
    assertion = signer.sign_jwt(payload, typ=GATE_ASSERTION_TYPE, alg="ES256")
    return (
        refuse("no_signing_key", retry_after=5) if assertion is None else Passed(passage=passage, assertion=assertion)
    )


async def sign_in_at_gate(
    request: AuthorizationCodeRequest,
    client: Client,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    pairwise_key: PairwiseKey,
    now: Instant,
    randomness: Randomness,
) -> Secret | OAuthError:
    """Redeem the code of a gate's own flow, and return what its cookie holds: its session's first refresh token.

    It is never rotated: at its host it is shown with each request, and elsewhere it opens nothing.
    """
    response = await redeem_authorization_code(
        request,
        client,
        caller,
        store=store,
        signer=signer,
        pairwise_key=pairwise_key,
        now=now,
        randomness=randomness,
        activity=None,
    )
    if isinstance(response, OAuthError):
        return response
    if response.refresh_token is None:  # a gate's client always gets one
        return refuse("code_refused", error_id=urlsafe_b64encode(randomness(9)).decode())
    return Secret(response.refresh_token)


async def sign_out_at_gate(
    cookie: Secret | None, client: Client, caller: Caller, *, store: Store, signer: Signer, now: Instant
) -> None:
    """End the session behind a gate's cookie, if one lives."""
    session = await _find_session(cookie, client, store=store, signer=signer, now=now)
    if session is None:
        return
    event = AuditEvent(
        event="session_ended",
        at=now,
        actor=f"user:{session.sub}",
        sub=session.sub,
        client_id=client.client_id,
        sid=session.sid,
        network=caller.network,
        country=caller.country,
    )
    await store.sessions.end(session.sid, reason="logged_out", now=now, events=[event])


async def _cookie_passage(
    cookie: Secret | None, client: Client, *, store: Store, signer: Signer, now: Instant
) -> GatePassage | OAuthError:
    session = await _find_session(cookie, client, store=store, signer=signer, now=now)
    if session is None:
        return refuse("gate_session_missing")
    return GatePassage(sub=session.sub, client_id=session.client_id, sid=session.sid, scope=session.scope)


async def _find_session(
    cookie: Secret | None, client: Client, *, store: Store, signer: Signer, now: Instant
) -> Session | None:
    """Return the live session behind a gate's cookie; that of another gate or client is nobody's here."""
    token = None if cookie is None else parse_refresh_token(cookie.reveal())
    key = None if token is None else signer.find_mac_key(token.mac_key_id)
    if token is None or key is None or not mac_holds(token, mac_key=key.secret, realm=signer.realm):
        return None
    family = await store.sessions.find_family(family_key(born=token.born, secret=token.secret))
    if family is None or family.client_id != client.client_id or family.generation != token.generation:
        return None
    return await store.sessions.find(family.sid, now=now)


async def _bearer_passage(
    token: Secret, client: Client, *, store: Store, signer: Signer, checked: VerifiedTokens, now: Instant
) -> GatePassage | OAuthError:
    identifier = None if client.gate is None else client.gate.api
    api = None if identifier is None else await store.apis.find(identifier)
    claims = None if api is None else recall_token_of(api, token.reveal(), checked=checked, signer=signer, now=now)
    if api is None or claims is None:
        return refuse("token_refused")
    if not await token_lives(claims, api, store=store, now=now):
        return refuse("session_ended")
    return GatePassage(sub=claims.sub, client_id=claims.client_id, sid=claims.sid, scope=claims.scope)
