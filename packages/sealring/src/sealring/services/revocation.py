"""Ending tokens: one access token by the operator, whatever a client holds by the client (RFC 7009, SECURITY B5)."""

from typing import Final

import msgspec

from sealring.ports import Clock, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.caller import Caller
from sealring.protocol.client import Client
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.refresh_token_format import RefreshToken, family_key
from sealring.protocol.revocation import Revocation
from sealring.protocol.secret import Secret
from sealring.services.access_token import read_own_token
from sealring.services.acknowledgement import ApiKnowledge
from sealring.services.refresh_token import find_authentic_token
from sealring_verify.claims import AccessToken

_MOST_OF_A_CLIENT: Final = 1000
_QUIET: Final = Seconds(60)


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
    """End one live access token. A client with a thousand of them has its epoch raised instead.

    Of an API with a secret of its own only what we sealed ourselves is a token: no holder of the secret can name a
    `jti`, or a client, that should end.
    """
    now = clock()
    claims = await read_own_token(request.token.reveal(), store=store, signer=signer, now=now)
    if claims is None:
        return refuse("token_refused", description="That is no live access token of this issuer.")
    event = _event("token_revoked", claims, actor=actor, now=now)
    collapsed = not await _end_token(claims, event, store=store, now=now)
    if collapsed:
        await _step_client(claims.client_id, event, store=store, now=now)
    return TokenRevoked(jti=claims.jti, sub=claims.sub, client_id=claims.client_id, aud=claims.aud, collapsed=collapsed)


async def revoke_as_client(
    token: Secret, client: Client, caller: Caller, *, store: Store, signer: Signer, now: Instant
) -> None:
    """End what an authenticated client gives back (RFC 7009 §2.1): its session, or one access token.

    What is unknown, malformed, expired or another client's ends nothing, and the client is told the same. A token of
    somebody else's session is an event: tokens do not wander by themselves.
    """
    refresh_token = find_authentic_token(token.reveal(), signer=signer)
    if refresh_token is not None:
        await _revoke_family(refresh_token, client, caller, store=store, now=now)
        return
    claims = await read_own_token(token.reveal(), store=store, signer=signer, now=now)
    if claims is not None:
        await _revoke_access_token(claims, client, caller, store=store, now=now)


async def _revoke_access_token(
    claims: AccessToken, client: Client, caller: Caller, *, store: Store, now: Instant
) -> None:
    event = msgspec.structs.replace(
        _event("token_revoked", claims, actor=f"client:{client.client_id}", now=now),
        network=caller.network,
        country=caller.country,
    )
    if claims.client_id != client.client_id:
        await _record_foreign(event, store=store)
    elif claims.client_epoch != client.epoch:
        return  # It ended with all that its client had, and every API was told so in one entry.
    elif not await _end_token(claims, event, store=store, now=now):
        await _end_more(claims, event, store=store, now=now)


async def _end_more(claims: AccessToken, event: AuditEvent, *, store: Store, now: Instant) -> None:
    """End what is behind a token, in one entry, where its client has filled its share of the feed with single ones.

    That is its session. A client's epoch would end everybody's, and one person with one account can give back tokens by
    the thousand; only a client that does so with tokens in its own name ends as a whole.
    """
    if claims.sid is None:
        await _step_client(claims.client_id, event, store=store, now=now)
    else:
        ended = msgspec.structs.replace(event, event="session_ended")
        await store.sessions.end(claims.sid, reason="revoked_by_client", now=now, events=[ended])


async def _step_client(client_id: str, event: AuditEvent, *, store: Store, now: Instant) -> None:
    compromised = msgspec.structs.replace(event, event="client_compromised")
    await store.clients.raise_epoch(client_id, now=now, events=[compromised])


async def _revoke_family(token: RefreshToken, client: Client, caller: Caller, *, store: Store, now: Instant) -> None:
    family = await store.sessions.find_family(family_key(born=token.born, secret=token.secret))
    if family is None:
        return
    event = AuditEvent(
        event="session_ended",
        at=now,
        actor=f"client:{client.client_id}",
        sub=family.sub,
        client_id=family.client_id,
        sid=family.sid,
        network=caller.network,
        country=caller.country,
    )
    if family.client_id == client.client_id:
        await store.sessions.end(family.sid, reason="revoked_by_client", now=now, events=[event])
        return
    await _record_foreign(event, store=store)


async def _record_foreign(event: AuditEvent, *, store: Store) -> None:
    if event.sid is None:  # without a session nothing would keep a thousand repeats from a thousand rows
        return
    refused = msgspec.structs.replace(
        event, event="token_revocation_refused", outcome="refused", code="token_of_another_client"
    )
    await store.audit.record_refusal(refused, quiet=_QUIET)


async def _end_token(claims: AccessToken, event: AuditEvent, *, store: Store, now: Instant) -> bool:
    """End one token; False where its client has a thousand that ended and have not expired."""
    revocation = Revocation(
        kind="jti", value=claims.jti, at=now, audiences=frozenset(claims.aud), client_id=claims.client_id
    )
    return await store.revocations.end_token(revocation, most=_MOST_OF_A_CLIENT, now=now, events=[event])


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
