"""Introspection (RFC 7662): an API asks about a token of its own, and the row behind it answers (SECURITY B6)."""

from collections.abc import Mapping

from sealring.ports import Signer, Store
from sealring.protocol.api import Api
from sealring.protocol.client_credentials import is_client_token
from sealring.protocol.instant import Instant
from sealring.protocol.scope import scope_text
from sealring.services.access_token import check_token_of, find_client_behind, find_session_of
from sealring_verify.claims import AccessToken


async def introspect_token(token: str, api: Api, *, store: Store, signer: Signer, now: Instant) -> Mapping[str, object]:
    """Say what a token is worth now; anything but a live token of this API is exactly `{"active": false}`."""
    claims = check_token_of(api, token, signer=signer, now=now)
    if claims is None or not await _lives(claims, api, store=store, now=now):
        return {"active": False}
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


async def _lives(claims: AccessToken, api: Api, *, store: Store, now: Instant) -> bool:
    if is_client_token(claims):
        return await find_client_behind(claims, api, store=store, now=now) is not None
    return await find_session_of(claims, store=store, now=now) is not None
