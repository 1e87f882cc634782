"""Access tokens: made for a session's grant, and taken as Bearer by our own endpoints (RFC 9068, SECURITY B6)."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Final

import msgspec

from sealring.ports import Randomness, Session, Signer, Store
from sealring.protocol.access_token import (
    AccessTokenTooLarge,
    SessionFacts,
    access_token_payload,
    client_token_payload,
)
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.client_credentials import client_stands_behind
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import access_token_schedule
from sealring.protocol.scope import scope_text
from sealring.protocol.token_response import TokenResponse
from sealring.protocol.user import Subject
from sealring_verify.access_token import check_claims, check_time, signed_claims
from sealring_verify.claims import AccessToken, parse_access_token
from sealring_verify.errors import TokenRefused
from sealring_verify.jose.algorithms import ALGORITHMS
from sealring_verify.jose.jws import verify_compact
from sealring_verify.verified_tokens import VerifiedToken, VerifiedTokens

_SYMMETRIC: Final = frozenset({"HS256"})


class Bearer(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls one of our own endpoints: the token's claims and the live session behind it."""

    token: AccessToken
    session: Session


def make_access_token(
    *,
    api: Api,
    subject: Subject,
    session: SessionFacts,
    scope: frozenset[str],
    signer: Signer,
    now: Instant,
    randomness: Randomness,
) -> TokenResponse | OAuthError:
    """Make an access token for `api`; a token over the API's byte budget is refused."""
    payload = access_token_payload(
        issuer=signer.realm.issuer,
        api=api,
        subject=subject,
        session=session,
        scope=scope,
        jti=_make_jti(randomness),
        now=now,
    )
    return _written(payload, api, scope, sid=session.sid, signer=signer, randomness=randomness)


def make_client_token(
    *, api: Api, client: Client, scope: frozenset[str], signer: Signer, now: Instant, randomness: Randomness
) -> TokenResponse | OAuthError:
    """Make an access token for `api` in the client's own name: no session, no person, nothing that the store holds."""
    payload = client_token_payload(
        issuer=signer.realm.issuer,
        api=api,
        client_id=client.client_id,
        client_epoch=client.epoch,
        scope=scope,
        jti=_make_jti(randomness),
        now=now,
    )
    return _written(payload, api, scope, sid=None, signer=signer, randomness=randomness)


def _make_jti(randomness: Randomness) -> str:
    return urlsafe_b64encode(randomness(15)).decode()


def _written(
    payload: bytes | AccessTokenTooLarge,
    api: Api,
    scope: frozenset[str],
    *,
    sid: str | None,
    signer: Signer,
    randomness: Randomness,
) -> TokenResponse | OAuthError:
    if isinstance(payload, AccessTokenTooLarge):
        return refuse("access_token_over_budget")
    if api.access_token_format == "opaque":
        access_token: str | None = signer.seal_opaque_token(payload, randomness=randomness)
    else:
        access_token = signer.sign_access_token(payload, line=access_token_schedule(api))
    if access_token is None:  # an API whose secret was lost, with a copied store, or in a crash while it was made
        return refuse("no_signing_key")
    response = TokenResponse(
        access_token=access_token,
        token_type="Bearer",
        expires_in=api.access_token_lifetime,
        scope=scope_text(scope),
        sid=sid,
    )
    return encrypted_response(response, api, signer=signer)


def encrypted_response(response: TokenResponse, api: Api, *, signer: Signer) -> TokenResponse | OAuthError:
    """Encrypt the access token where its API registered keys; the whole must fit the API's byte budget."""
    if api.encryption_jwks is None:
        return response
    encrypted = signer.encrypt_access_token(response.access_token, encryption_jwks=api.encryption_jwks)
    if len(encrypted) > api.byte_budget:
        return refuse("access_token_over_budget")
    return msgspec.structs.replace(response, access_token=encrypted)


async def authenticate_bearer(
    authorization: str | None, *, scope: str, store: Store, signer: Signer, now: Instant
) -> Bearer | OAuthError:
    """Take an access token of the issuer's own API, and read its session's row: not the feed, the row (SECURITY B6)."""
    token = None if authorization is None else _bearer_token(authorization)
    if token is None:
        return refuse("token_missing")
    claims = check_own_token(token, audience=signer.realm.issuer, signer=signer, now=now)
    if claims is None or claims.sid is None:
        return refuse("token_refused")
    if scope not in claims.scope:
        return refuse("insufficient_scope", description=f"The access token lacks the scope {scope}.")
    session = await find_session_of(claims, store=store, now=now)
    return refuse("session_ended") if session is None else Bearer(token=claims, session=session)


def check_own_token(token: str, *, audience: str, signer: Signer, now: Instant) -> AccessToken | None:
    """Check one of our own access tokens for `audience`, or return None."""
    return _check_jwt(token, audience=audience, signer=signer, now=now)


def check_token_of(api: Api, token: str, *, signer: Signer, now: Instant) -> AccessToken | None:
    """Check one of our own access tokens for an API that asks about it, or return None.

    An opaque token counts where its API has such, and a JWT where it has these; HS256 counts here alone.
    """
    if api.access_token_format == "opaque":
        return _check_opaque_token(token, audience=api.identifier, signer=signer, now=now)
    if api.access_token_signing_alg == "HS256":
        return _check_symmetric_token(api, token, signer=signer, now=now)
    return _check_jwt(token, audience=api.identifier, signer=signer, now=now)


def recall_token_of(
    api: Api, token: str, *, checked: VerifiedTokens, signer: Signer, now: Instant
) -> AccessToken | None:
    """Check a token as `check_token_of` does, and its signature only where it is not among those that held.

    A turn of keys makes other key sets, under which all of them are judged anew.
    """
    symmetric = api.access_token_signing_alg == "HS256"
    keys = signer.symmetric_keys(api.identifier) if symmetric else signer.verification_keys()
    digest = sha256(f"{api.identifier} {token}".encode()).digest()
    known = checked.recall(digest, keys=keys)
    if known is None:
        claims = check_token_of(api, token, signer=signer, now=now)
        if claims is not None:
            checked.note(digest, VerifiedToken(claims, ids=None, keys=keys))
        return claims
    try:
        check_time(known.access_token, 0, now // 1000)
    except TokenRefused:
        return None
    return known.access_token


async def read_own_token(token: str, *, store: Store, signer: Signer, now: Instant) -> AccessToken | None:
    """Check one of our own access tokens for whatever API it names, or return None."""
    return (
        _check_opaque_token(token, audience=None, signer=signer, now=now)
        or _check_jwt(token, audience=None, signer=signer, now=now)
        or await _read_symmetric_token(token, store=store, signer=signer, now=now)
    )


def _check_jwt(token: str, *, audience: str | None, signer: Signer, now: Instant) -> AccessToken | None:
    """Check a JWT under the published keys for one API, or for the one that it names."""
    signed = signer.recall_signed_token(token)
    try:
        if signed is not None:
            claims = parse_access_token(signed)
        else:
            claims = signed_claims(verify_compact(token, keys=signer.verification_keys(), algorithms=ALGORITHMS))
    except TokenRefused:
        return None
    return _if_good(claims, audience=audience, signer=signer, now=now)


def _check_symmetric_token(api: Api, token: str, *, signer: Signer, now: Instant) -> AccessToken | None:
    """Check a JWT of an API with a secret (SECURITY C3).

    Whoever has the secret can sign whatever it likes, so the claims must carry our seal besides: what an API made
    itself is no token of ours.
    """
    try:
        signed = verify_compact(token, keys=signer.symmetric_keys(api.identifier), algorithms=_SYMMETRIC)
        if not signer.seal_holds(signed.payload, kid=signed.key.kid):
            return None
        claims = signed_claims(signed)
    except TokenRefused:
        return None
    return _if_good(claims, audience=api.identifier, signer=signer, now=now)


def _check_opaque_token(token: str, *, audience: str | None, signer: Signer, now: Instant) -> AccessToken | None:
    """Check an opaque token for one API, or for the one that it names."""
    payload = signer.open_opaque_token(token)
    if payload is None:
        return None
    try:
        claims = parse_access_token(payload)
    except TokenRefused:
        return None
    return _if_good(claims, audience=audience, signer=signer, now=now)


def _if_good(claims: AccessToken, *, audience: str | None, signer: Signer, now: Instant) -> AccessToken | None:
    """Give authentic claims back where they are ours, for `audience` (None: for whom they name) and in their time."""
    wanted = claims.aud[0] if audience is None else audience
    try:
        check_claims(claims, issuer=signer.realm.issuer, audience=wanted, leeway=0, now=now // 1000)
    except TokenRefused:
        return None
    return claims


async def _read_symmetric_token(token: str, *, store: Store, signer: Signer, now: Instant) -> AccessToken | None:
    for api in await store.apis.list_all():
        if api.access_token_signing_alg == "HS256":
            claims = _check_symmetric_token(api, token, signer=signer, now=now)
            if claims is not None:
                return claims
    return None


async def find_session_of(claims: AccessToken, *, store: Store, now: Instant) -> Session | None:
    """Return the live session behind a checked token that was not ended itself: same subject, client and epoch."""
    if await store.revocations.has_ended(claims.jti, now=now):
        return None
    session = None if claims.sid is None else await store.sessions.find(claims.sid, now=now)
    if session is None or session.sub != claims.sub or session.client_id != claims.client_id:
        return None
    user = await store.users.find(claims.sub)
    # A password change keeps the session that made it, but not the tokens made before it.
    return session if user is not None and user.epoch == claims.sub_epoch else None


async def find_client_behind(claims: AccessToken, api: Api, *, store: Store, now: Instant) -> Client | None:
    """Return the client behind a checked token in its own name, where the token was not ended and it may have it."""
    if await store.revocations.has_ended(claims.jti, now=now):
        return None
    client = await store.clients.find(claims.client_id)
    stands = client is not None and client_stands_behind(claims, client, audience=api.identifier)
    return client if stands else None


def _bearer_token(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None
