"""Telling of ordinary acts, which are no rows of the audit (SECURITY F2)."""

from sealring.protocol.activity import Activity
from sealring.protocol.caller import Caller
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant


def access_token_issued(
    caller: Caller, *, sub: str, client_id: str, sid: str | None, api: str, now: Instant
) -> Activity:
    """Describe that an access token for `api` was given out; without a session, to a client in its own name."""
    return Activity(
        event="access_token_issued",
        at=now,
        sub=sub,
        client_id=client_id,
        sid=sid,
        api=api,
        network=caller.network,
        country=caller.country,
    )


def refresh_refused(refusal: OAuthError, client_id: str, caller: Caller, *, now: Instant) -> Activity:
    """Describe that a refresh was refused, in the code that the client was told."""
    return Activity(
        event="refresh_refused",
        at=now,
        outcome="refused",
        code=refusal.code,
        client_id=client_id,
        network=caller.network,
        country=caller.country,
        error_id=refusal.error_id,
    )
