"""Introspection (RFC 7662): an API asks about a token of its own, and the session's row answers (SECURITY B6)."""

from collections.abc import Mapping

from sealring.ports import Signer, Store
from sealring.protocol.api import Api
from sealring.protocol.instant import Instant
from sealring.protocol.scope import scope_text
from sealring.services.access_token import check_token_of, find_session_of


async def introspect_token(token: str, api: Api, *, store: Store, signer: Signer, now: Instant) -> Mapping[str, object]:
    """Say what a token is worth now; anything but a live token of this API is exactly `{"active": false}`."""
    claims = check_token_of(api, token, signer=signer, now=now)
    session = None if claims is None else await find_session_of(claims, store=store, now=now)
    if claims is None or session is None:
        return {"active": False}
    return {
        "active": True,
        "iss": claims.iss,
        "sub": claims.sub,
        "aud": claims.aud[0] if len(claims.aud) == 1 else list(claims.aud),
        "client_id": claims.client_id,
        "scope": scope_text(claims.scope),
        "exp": claims.exp,
        "iat": claims.iat,
        "jti": claims.jti,
        "sid": claims.sid,
        "token_type": "Bearer",
    }
