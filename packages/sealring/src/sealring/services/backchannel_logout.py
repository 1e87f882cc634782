"""Telling clients of sessions that have ended (OpenID Connect Back-Channel Logout 1.0): soon, and again where it fails.

The row of an ended session is its own outbox, so what has to be told survives any crash.
"""

import asyncio
from base64 import urlsafe_b64encode
from typing import Final

import msgspec

from sealring.ports import LogoutNotice, Outgoing, OutgoingAnswer, Randomness, Signer, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client
from sealring.protocol.id_token import ID_TOKEN_ALGORITHMS
from sealring.protocol.instant import Instant, later
from sealring.protocol.logout_token import LOGOUT_TOKEN_TYPE, logout_token_payload, wait_after
from sealring.protocol.subject_identifier import PairwiseKey, subject_identifier

_LEASE: Final = "backchannel_logout"
# Longer than one call may take, so that no other node tells the same while this one waits.
_LEASE_SECONDS: Final = 30
_AT_ONCE: Final = 64


class Teller(msgspec.Struct, frozen=True, kw_only=True):
    """Who tells: with which keys, by which way out. `holder`: this node."""

    store: Store
    signer: Signer
    outgoing: Outgoing
    pairwise_key: PairwiseKey
    randomness: Randomness
    holder: str


async def tell_due_logouts(teller: Teller, *, now: Instant) -> int:
    """Tell what is due, unless another node is at it; return how many were tried."""
    due = await teller.store.logout_notices.list_due(now=now, limit=_AT_ONCE)
    if not due:
        return 0
    expires_at = later(now, _LEASE_SECONDS)
    if not await teller.store.leases.take(_LEASE, holder=teller.holder, now=now, expires_at=expires_at):
        return 0
    await asyncio.gather(*(_tell(notice, teller, now=now) for notice in due))
    return len(due)


async def _tell(notice: LogoutNotice, teller: Teller, *, now: Instant) -> None:
    client = await teller.store.clients.find(notice.client_id)
    uri = None if client is None else client.logout.backchannel_logout_uri
    if client is None or uri is None:
        await teller.store.logout_notices.close(notice.sid, events=[])
        return
    token = _logout_token(notice, client, teller, now=now)
    answer = None if token is None else await teller.outgoing.post_form(uri, {"logout_token": token})
    if isinstance(answer, OutgoingAnswer) and answer.status in {200, 204}:
        await teller.store.logout_notices.close(notice.sid, events=[])
        return
    wait = wait_after(notice.attempts + 1)
    if wait is None:
        await teller.store.logout_notices.close(notice.sid, events=[_given_up(notice, now=now)])
    else:
        await teller.store.logout_notices.postpone(notice.sid, due_at=later(now, wait))


def _logout_token(notice: LogoutNotice, client: Client, teller: Teller, *, now: Instant) -> str | None:
    alg = ID_TOKEN_ALGORITHMS[0] if client.code_flow is None else client.code_flow.id_token_signed_response_alg
    payload = logout_token_payload(
        issuer=teller.signer.realm.issuer,
        client_id=client.client_id,
        sub=subject_identifier(notice.sub, client, key=teller.pairwise_key),
        sid=notice.sid,
        jti=urlsafe_b64encode(teller.randomness(15)).decode(),
        now=now,
    )
    return teller.signer.sign_jwt(payload, typ=LOGOUT_TOKEN_TYPE, alg=alg)


def _given_up(notice: LogoutNotice, *, now: Instant) -> AuditEvent:
    return AuditEvent(
        event="logout_not_told",
        at=now,
        actor="sealring",
        outcome="refused",
        sub=notice.sub,
        client_id=notice.client_id,
        sid=notice.sid,
        details={"attempts": notice.attempts + 1},
    )
