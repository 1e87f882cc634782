"""The operator's acts on initial access tokens: make, list, delete (RFC 7591 §3)."""

from hashlib import sha256
from typing import Final

import msgspec

from sealring.ports import Clock, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.initial_access_token import (
    InitialAccessToken,
    MakeInitialAccessToken,
    initial_access_token_problem,
)
from sealring.protocol.instant import Instant, later
from sealring.protocol.opaque_id import make_opaque_id
from sealring.protocol.secret import Secret, make_secret

_ID_OCTETS: Final = 9
_DAY: Final = 24 * 3600  # seconds


class InitialAccessTokenNamed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which token an act is about: by its id, which opens nothing."""

    id: str


class InitialAccessTokenSeen(msgspec.Struct, frozen=True, kw_only=True):
    """A token as the operator sees it."""

    id: str
    note: str
    uses_left: int
    created_at: Instant
    expires_at: Instant


class InitialAccessTokenList(msgspec.Struct, frozen=True, kw_only=True):
    """All tokens, the oldest first; those that expired are gone before long."""

    initial_access_tokens: tuple[InitialAccessTokenSeen, ...]


class InitialAccessTokenMade(msgspec.Struct, frozen=True, kw_only=True):
    """A token and its text, shown this once."""

    initial_access_token: Secret
    seen: InitialAccessTokenSeen


async def make_initial_access_token(
    request: MakeInitialAccessToken, *, store: Store, clock: Clock, randomness: Randomness, actor: str
) -> InitialAccessTokenMade | OAuthError:
    """Make a token of 256 random bits, stored as SHA-256."""
    problem = initial_access_token_problem(request)
    if problem is not None:
        return problem
    now = clock()
    secret = make_secret("sli_", randomness=randomness)
    token = InitialAccessToken(
        id=make_opaque_id(_ID_OCTETS, randomness=randomness),
        digest=sha256(secret.reveal().encode()).digest(),
        note=request.note,
        uses_left=request.uses,
        created_at=now,
        expires_at=later(now, request.days * _DAY),
    )
    event = _event("initial_access_token_made", token.id, actor=actor, now=now)
    await store.initial_access_tokens.add(token, events=[event])
    return InitialAccessTokenMade(initial_access_token=secret, seen=_seen(token))


async def list_initial_access_tokens(*, store: Store) -> InitialAccessTokenList:
    """List all tokens."""
    return InitialAccessTokenList(
        initial_access_tokens=tuple(_seen(token) for token in await store.initial_access_tokens.list_all())
    )


async def delete_initial_access_token(
    request: InitialAccessTokenNamed, *, store: Store, clock: Clock, actor: str
) -> InitialAccessTokenNamed | OAuthError:
    """Delete a token: it registers nobody any more. The clients that it registered stay."""
    event = _event("initial_access_token_deleted", request.id, actor=actor, now=clock())
    deleted = await store.initial_access_tokens.delete(request.id, events=[event])
    return request if deleted else refuse("unknown_initial_access_token")


def _event(event: str, id_: str, *, actor: str, now: Instant) -> AuditEvent:
    return AuditEvent(event=event, at=now, actor=actor, details={"initial_access_token": id_})


def _seen(token: InitialAccessToken) -> InitialAccessTokenSeen:
    return InitialAccessTokenSeen(
        id=token.id,
        note=token.note,
        uses_left=token.uses_left,
        created_at=token.created_at,
        expires_at=token.expires_at,
    )
