"""The operator's acts on the store itself: how it stands, and a new beginning after it was rolled back."""

from collections.abc import Callable

import msgspec

from sealring.ports import Clock, Randomness, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError, refuse


class StoreStatus(msgspec.Struct, frozen=True, kw_only=True):
    """How an installation stands. `incarnation`: hexadecimal; `feed_number`: ends counted; `sessions`: live ones."""

    issuer: str
    incarnation: str
    feed_number: int
    demo: bool
    sessions: int
    clients: int
    apis: int


class StoreRecovered(msgspec.Struct, frozen=True, kw_only=True):
    """A new incarnation has begun; `sessions`: how many lived and were ended."""

    incarnation: str
    sessions: int


async def read_status(*, store: Store, issuer: str, clock: Clock) -> StoreStatus:
    """Say how the installation stands."""
    identity = await store.state.identity()
    return StoreStatus(
        issuer=issuer,
        incarnation=identity.incarnation.hex(),
        feed_number=identity.feed_number,
        demo=identity.demo,
        sessions=await store.sessions.count_live(sub=None, now=clock()),
        clients=len(await store.clients.list_all()),
        apis=len(await store.apis.list_all()),
    )


async def recover_store(
    *, store: Store, remember: Callable[[bytes, int], None] | None, clock: Clock, randomness: Randomness, actor: str
) -> StoreRecovered | OAuthError:
    """Begin a new incarnation (SECURITY A9): all epochs rise and everybody signs in again.

    `remember`: writes the incarnation and the feed number down outside of the store; None while a server runs.
    """
    if remember is None:
        return refuse("server_running")
    now, incarnation = clock(), randomness(16)
    event = AuditEvent(event="store_recovered", at=now, actor=actor, details={"incarnation": incarnation.hex()})
    ended = await store.state.recover(incarnation, now=now, events=[event])
    # Only now: a crash in between leaves a store that looks rolled back, and recovering again mends it.
    remember(incarnation, (await store.state.identity()).feed_number)
    return StoreRecovered(incarnation=incarnation.hex(), sessions=ended)
