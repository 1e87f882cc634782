"""Introspection (RFC 7662): an API or a client asks about a token of its own, and the row answers (SECURITY B6)."""

from collections.abc import Mapping

import msgspec

from sealring.ports import ActivityStream, Signer, Store
from sealring.protocol.activity import Activity
from sealring.protocol.api import Api
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.client_credentials import is_client_token
from sealring.protocol.instant import Instant
from sealring.protocol.refresh_token import is_current
from sealring.protocol.refresh_token_format import family_key
from sealring.protocol.scope import scope_text
from sealring.protocol.secret import Secret
from sealring.services.access_token import find_client_behind, recall_token_of
from sealring.services.refresh_token import find_authentic_token
from sealring_verify.claims import AccessToken
from sealring_verify.verified_tokens import VerifiedTokens


async def introspect_token(
    token: str,
    api: Api,
    caller: Caller,
    *,
    store: Store,
    signer: Signer,
    checked: VerifiedTokens,
    now: Instant,
    activity: ActivityStream | None,
) -> Mapping[str, object]:
    """Say what a token is worth now; anything but a live token of this API is exactly `{"active": false}`."""
    claims = recall_token_of(api, token, checked=checked, signer=signer, now=now)
    active = claims is not None and await token_lives(claims, api, store=store, now=now)
    if activity is not None:
        activity.tell(_answered(claims, api, caller, active=active, now=now))
    if claims is None or not active:
        return {"active": False}
    if api.access_token_format == "opaque":
        return _told_in_full(token, signer=signer)
    answer = {
        "active": True,
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud[0] if len(claims.aud) == 1 else list(claims.aud),
        "client_id": claims.client_id,
        "scope": scope_text(claims.scope),
        "exp": claims.exp,
        "iat": claims.iat,
        "jti": claims.jti,
        "token_type": "Bearer",
    }
    return answer if claims.sid is None else {**answer, "sid": claims.sid}


async def introspect_refresh_token(
    token: Secret, client: Client, *, store: Store, signer: Signer, now: Instant
) -> Mapping[str, object]:
    """Say to a client whether the session of its own refresh token lives, from the row itself; nothing is rotated.

    A site that keeps the token and asks so on each request knows of a log-out at the next one. Anything but the current
    token of this client is exactly `{"active": false}`.
    """
    parsed = find_authentic_token(token.reveal(), signer=signer)
    family = (
        None if parsed is None else await store.sessions.find_family(family_key(born=parsed.born, secret=parsed.secret))
    )
    if parsed is None or family is None:
        return {"active": False}
    if not is_current(family, generation=parsed.generation, client_id=client.client_id, now=now):
        return {"active": False}
    return {
        "active": True,
        "iss": signer.realm.issuer,
        "client_id": client.client_id,
        "scope": scope_text(family.scope),
        "exp": min(family.idle_expires_at, family.absolute_expires_at) // 1000,
        "sid": family.sid,
    }


def _told_in_full(token: str, *, signer: Signer) -> Mapping[str, object]:
    """Tell all that stands in a live opaque token: its API has no other way to read it."""
    payload = signer.open_opaque_token(token)
    if payload is None:  # its key was withdrawn while the row was read
        return {"active": False}
    return {**msgspec.json.decode(payload, type=dict[str, object]), "active": True, "token_type": "Bearer"}


async def token_lives(claims: AccessToken, api: Api, *, store: Store, now: Instant) -> bool:
    """Say by its rows whether a checked token of an API lives: its session, or the client that has it itself."""
    if is_client_token(claims):
        return await find_client_behind(claims, api, store=store, now=now) is not None
    if claims.sid is None or claims.sub_epoch is None:
        return False
    return await store.sessions.stands_behind(
        claims.sid, sub=claims.sub, client_id=claims.client_id, sub_epoch=claims.sub_epoch, jti=claims.jti, now=now
    )


def _answered(claims: AccessToken | None, api: Api, caller: Caller, *, active: bool, now: Instant) -> Activity:
    refusal = "token_refused" if claims is None else "session_ended"
    return Activity(
        event="introspection_answered",
        at=now,
        outcome="active" if active else "inactive",
        code=None if active else refusal,
        sub=None if claims is None else claims.sub,
        client_id=None if claims is None else claims.client_id,
        sid=None if claims is None else claims.sid,
        api=api.identifier,
        network=caller.network,
        country=caller.country,
    )
