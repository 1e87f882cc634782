"""Keys that turn by themselves: what is due is done by one node at a time (SECURITY C1)."""

import asyncio
from collections.abc import Iterable
from typing import Final

import msgspec

from sealring.ports import KeyChange, KeyForge, KeyStock, Signer, Store
from sealring.protocol.api import longest_access_token_lifetime
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds, later
from sealring.protocol.key_schedule import (
    HOUSE_SCHEDULES,
    KeyPolicy,
    KeyState,
    KeyStep,
    MakeKey,
    RetireKey,
    Schedule,
    StoredKey,
    TurnKey,
    access_token_schedule,
    client_schedules,
    due_steps,
    key_of,
)

_LEASE: Final = "key_schedule"
_LEASE_SECONDS: Final = 30
_MOST_ROUNDS: Final = 16
_ACTOR: Final = "sealring"


class KeyTerms(msgspec.Struct, frozen=True, kw_only=True):
    """How this house turns its keys, and who makes them. Durations as in `KeyPolicy`."""

    forge: KeyForge
    pending: Seconds = Seconds(24 * 3600)
    active: Seconds = Seconds(30 * 24 * 3600)
    key_set_life: Seconds = Seconds(300)


async def complete_key_stock(*, store: Store, terms: KeyTerms, now: Instant) -> KeyStock:
    """Make the keys that the store lacks and return all it has then; two nodes that do so at once agree."""
    for _ in range(_MOST_ROUNDS):
        stock = await store.keys.stock()
        steps = await _due(stock, store=store, terms=terms, now=now)
        making = tuple(step for step in steps if isinstance(step, MakeKey))
        if not making:
            return stock
        await _perform(making, stock, store=store, terms=terms, now=now)
    raise RuntimeError("the stock of keys does not become complete")


async def turn_due_keys(*, store: Store, signer: Signer, terms: KeyTerms, holder: str, now: Instant) -> None:
    """Do what is due, unless another node has the lease of it; `holder` names this one."""
    stock = await store.keys.stock()
    for _ in range(_MOST_ROUNDS):
        steps = await _due(stock, store=store, terms=terms, now=now)
        if not steps or not await store.leases.take(
            _LEASE, holder=holder, now=now, expires_at=later(now, _LEASE_SECONDS)
        ):
            return
        await _perform(steps, stock, store=store, terms=terms, now=now)
        stock = await adopt_keys(store=store, signer=signer)


async def adopt_keys(*, store: Store, signer: Signer) -> KeyStock:
    """Let this node work with the store's keys as they are now. RuntimeError where they cannot be used."""
    while True:
        stock = await store.keys.stock()
        problem = signer.use(stock.keys)
        if problem is not None:
            raise RuntimeError(problem)
        # Several of this node may adopt at once, and whoever read first may be the last to use what it read.
        if await store.keys.version() == stock.version:
            return stock


async def begin_line(schedule: Schedule, *, store: Store, signer: Signer, terms: KeyTerms, now: Instant) -> None:
    """Make the first key of a line, and let this node work with it, before anything asks for its signature.

    It signs without having been published before: verifiers fetch the set again when they meet a key they do not know.
    """
    if schedule in HOUSE_SCHEDULES:
        return
    for _ in range(_MOST_ROUNDS):
        stock = await store.keys.stock()
        if key_of(stock.keys, schedule, "active") is not None:
            await adopt_keys(store=store, signer=signer)
            return
        await _perform([MakeKey(schedule=schedule, state="active")], stock, store=store, terms=terms, now=now)
    raise RuntimeError("the line of keys cannot be begun")


async def key_policy(*, store: Store, terms: KeyTerms, now: Instant) -> KeyPolicy:
    """Join the house's terms with the longest lifetimes that its APIs and clients have."""
    lifetimes = [longest_access_token_lifetime(api, now=now) for api in await store.apis.list_all()]
    idle = [client.idle_lifetime for client in await store.clients.list_all()]
    return KeyPolicy(
        pending=terms.pending,
        active=terms.active,
        key_set_life=terms.key_set_life,
        access_token_lifetime=max(lifetimes, default=Seconds(0)),
        idle_lifetime=max(idle, default=Seconds(0)),
    )


def forge_key(
    schedule: Schedule, state: KeyState, keys: Iterable[StoredKey], *, terms: KeyTerms, now: Instant
) -> StoredKey:
    """Make a key whose MAC number, if it has one, no key of `keys` bears."""
    beside = tuple(keys)
    taken = {key.mac_key_id for key in beside if key.mac_key_id is not None}
    while True:
        key = terms.forge(schedule, state, now, beside=beside)
        if key.mac_key_id not in taken:
            return key


async def keep_for_sessions(retiring: StoredKey | None, *, store: Store) -> StoredKey | None:
    """Let a retiring MAC key stay for whoever may still hold a token under it.

    The longest idle lifetime of today says too little where a client's was shortened: sessions keep the one they have.
    """
    if retiring is None or retiring.mac_key_id is None or retiring.leaves_at is None:
        return retiring
    latest = await store.sessions.latest_idle_expiry(retiring.mac_key_id)
    if latest is None or latest <= retiring.leaves_at:
        return retiring
    return msgspec.structs.replace(retiring, leaves_at=latest)


async def _due(stock: KeyStock, *, store: Store, terms: KeyTerms, now: Instant) -> tuple[KeyStep, ...]:
    policy = await key_policy(store=store, terms=terms, now=now)
    lines = [access_token_schedule(api) for api in await store.apis.list_all()]
    for client in await store.clients.list_all():
        lines += client_schedules(client)
    wanted = [*HOUSE_SCHEDULES, *(line for line in lines if line.api is None)]
    return due_steps(stock.keys, wanted=wanted, now=now, policy=policy)


async def _perform(steps: Iterable[KeyStep], stock: KeyStock, *, store: Store, terms: KeyTerms, now: Instant) -> None:
    """Write all steps as one change; where another node was quicker nothing is written, and the next look decides."""
    rows: list[StoredKey] = []
    events: list[AuditEvent] = []
    for step in steps:
        match step:
            case MakeKey(schedule=schedule, state=state):
                # In a thread: the primes of an RSA key take from a tenth of a second to seconds.
                made = await asyncio.to_thread(forge_key, schedule, state, [*stock.keys, *rows], terms=terms, now=now)
                rows.append(made)
                events.append(key_event("key_added", made, actor=_ACTOR, now=now))
            case TurnKey(activated=activated):
                retiring = await keep_for_sessions(step.retiring, store=store)
                rows += [activated] if retiring is None else [retiring, activated]
                events.append(key_event("key_activated", activated, actor=_ACTOR, now=now))
            case RetireKey(retired=retired):
                rows.append(retired)
                events.append(key_event("key_retired", retired, actor=_ACTOR, now=now))
    await store.keys.change(KeyChange(version=stock.version, keys=tuple(rows)), now=now, events=events)


def key_event(event: str, key: StoredKey, *, actor: str, now: Instant) -> AuditEvent:
    """Describe what happened to a key."""
    details = {"kid": key.kid, "purpose": key.purpose, "alg": key.alg, "state": key.state}
    return AuditEvent(event=event, at=now, actor=actor, details=details, api=key.api)
