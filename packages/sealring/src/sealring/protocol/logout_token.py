"""Logout tokens: how a client hears that a session has ended (OpenID Connect Back-Channel Logout 1.0 §2.4)."""

import msgspec

from sealring.protocol.instant import Instant, Seconds, numeric_date

LOGOUT_TOKEN_TYPE = "logout+jwt"
LOGOUT_TOKEN_LIFETIME = 120  # seconds, §2.4
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

# A client that is away for a day hears of it when its own session with us ends: at the next refresh.
_WAITS = (Seconds(2), Seconds(10), Seconds(60), Seconds(300), Seconds(1800), Seconds(3600), Seconds(6 * 3600))


def logout_token_payload(*, issuer: str, client_id: str, sub: str, sid: str, jti: str, now: Instant) -> bytes:
    """Write the JSON claims of a logout token. `sub`: as this client knows the person. It never has a nonce (§2.4)."""
    issued_at = numeric_date(now)
    return msgspec.json.encode(
        {
            "iss": issuer,
            "aud": client_id,
            "iat": issued_at,
            "exp": issued_at + LOGOUT_TOKEN_LIFETIME,
            "jti": jti,
            "events": {LOGOUT_EVENT: {}},
            "sub": sub,
            "sid": sid,
        }
    )


def wait_after(attempts: int) -> Seconds | None:
    """Say how long to wait after so many failed attempts; None where the client is given up."""
    return _WAITS[attempts - 1] if attempts <= len(_WAITS) else None
