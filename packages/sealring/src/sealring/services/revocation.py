"""The operator ends one access token: it is told to its API, and our own endpoints refuse it (SECURITY B5)."""

from typing import Final

import msgspec

from sealring.ports import Clock, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import Revocation
from sealring.protocol.secret import Secret
from sealring.services.access_token import read_own_token
from sealring.services.acknowledgement import ApiKnowledge
from sealring_verify.claims import AccessToken

_MOST_OF_A_CLIENT: Final = 1000


class RevokeToken(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An access token of ours that shall end now."""

    token: Secret


class TokenRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """Which token ended. `collapsed`: its client had a thousand ended tokens, so all of them ended."""

    jti: str
    sub: str
    client_id: str
    aud: tuple[str, ...]
    collapsed: bool
    known: tuple[ApiKnowledge, ...] = ()


async def revoke_token(
    request: RevokeToken, *, store: Store, signer: Signer, clock: Clock, actor: str
) -> TokenRevoked | OAuthError:
    """End one live access token. A client with a thousand of them has its epoch raised instead."""
    now = clock()
    claims = read_own_token(request.token.reveal(), signer=signer, now=now)
    if claims is None:
        return refuse("token_refused", description="That is no live access token of this issuer.")
    revocation = Revocation(
        kind="jti", value=claims.jti, at=now, audiences=frozenset(claims.aud), client_id=claims.client_id
    )
    event = _event("token_revoked", claims, actor=actor, now=now)
    collapsed = not await store.revocations.end_token(revocation, most=_MOST_OF_A_CLIENT, now=now, events=[event])
    client = await store.clients.find(claims.client_id) if collapsed else None
    if client is not None:
        await store.clients.compromise(
            client, read=client, now=now, events=[_event("client_compromised", claims, actor=actor, now=now)]
        )
    return TokenRevoked(jti=claims.jti, sub=claims.sub, client_id=claims.client_id, aud=claims.aud, collapsed=collapsed)


def _event(event: str, claims: AccessToken, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(
        event=event,
        at=now,
        actor=actor,
        sub=claims.sub,
        client_id=claims.client_id,
        sid=claims.sid,
        api=claims.aud[0],
        details={"jti": claims.jti},
    )
