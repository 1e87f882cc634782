"""The operator's acts on keys: list, turn at once, withdraw (SECURITY C1)."""

import asyncio
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from sealring.ports import Clock, KeyChange, KeyStock, MasterKeyKeeper, Signer, Store
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import (
    MAC_PURPOSES,
    KeyNotReady,
    KeyPolicy,
    KeyPurpose,
    KeyState,
    Schedule,
    StoredKey,
    TurnKey,
    decide_turn,
    ready_instant,
    retired_key,
    withdraw_key,
)
from sealring.protocol.symmetric_secret import SymmetricSecret
from sealring.services.acknowledgement import ApiKnowledge, Readers
from sealring.services.key_schedule import (
    KeyTerms,
    adopt_keys,
    forge_key,
    keep_for_sessions,
    key_event,
    key_policy,
    turn_due_keys,
)

_TRIES: Final = 8


class KeyDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What the acts on keys work with. `holder`: this node's name in leases.

    `data_folder`: what backups copy, so that no master key may lie in it; None for a store in memory.
    """

    store: Store
    signer: Signer
    terms: KeyTerms
    clock: Clock
    holder: str
    master_key: MasterKeyKeeper
    data_folder: Path | None = None


class RotateKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which line of keys shall turn at once. `force`: although not every verifier can know the new key."""

    purpose: KeyPurpose = "access_token"
    alg: str = "ES256"
    force: bool = False


class RevokeKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which key shall be withdrawn. `compromised`: replace all keys and end all sessions."""

    kid: str
    compromised: bool = False


class KeySeen(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the operator sees it. `api`: whose secret it is.

    `ready_at`: from when on a pending key may be used. `known_to`, `unknown_to`: the APIs whose verifiers said that
    they hold it, and the others.
    """

    kid: str
    purpose: KeyPurpose
    alg: str
    api: str | None = None
    state: KeyState
    created_at: Instant
    activated_at: Instant | None
    leaves_at: Instant | None
    ready_at: Instant | None = None
    known_to: tuple[str, ...] = ()
    unknown_to: tuple[str, ...] = ()


class KeyList(msgspec.Struct, frozen=True, kw_only=True):
    """All keys that are not retired, oldest first; `at`: when it was said."""

    keys: tuple[KeySeen, ...]
    at: Instant


class KeysRotated(msgspec.Struct, frozen=True, kw_only=True):
    """The line turned: `kid` signs now, `retiring` no longer, and leaves the set at `leaves_at`."""

    kid: str
    retiring: str | None
    leaves_at: Instant | None


class KeysRevoked(msgspec.Struct, frozen=True, kw_only=True):
    """Keys withdrawn at once; `successors` work in their place, `sessions` ended; `known`: which APIs know.

    `secrets`: fresh ones among the successors, shown this once. Until an API has its own it refuses every token.
    """

    kids: tuple[str, ...]
    successors: tuple[str, ...]
    sessions: int
    secrets: tuple[SymmetricSecret, ...] = ()
    known: tuple[ApiKnowledge, ...] = ()


async def list_keys(*, desk: KeyDesk, readers: Readers | None) -> KeyList:
    """List keys, and which APIs' verifiers say that they hold the waiting ones. `readers` None: nobody was heard."""
    now = desk.clock()
    stock = await desk.store.keys.stock()
    policy = await key_policy(store=desk.store, terms=desk.terms, now=now)
    issuer = desk.signer.realm.issuer
    apis = [api for api in await desk.store.apis.list_all() if api.identifier != issuer]
    held = {api.identifier: held_by(api.identifier, readers, now=now) for api in apis}
    # An API with a secret of its own never fetches the key set.
    fetching = [api.identifier for api in apis if api.access_token_signing_alg != "HS256"]
    seen = [
        _seen(key, fetching if key.api is None else [key.api], held, policy=policy)
        for key in stock.keys
        if key.state != "retired"
    ]
    return KeyList(keys=tuple(seen), at=now)


async def rotate_keys(request: RotateKeys, *, desk: KeyDesk, actor: str) -> KeysRotated | OAuthError:
    """Turn a line of keys to its pending one now; `key_not_ready` says when it may."""
    schedule = Schedule(request.purpose, "HS256" if request.purpose in MAC_PURPOSES else request.alg)
    for _ in range(_TRIES):
        now = desk.clock()
        stock = await desk.store.keys.stock()
        policy = await key_policy(store=desk.store, terms=desk.terms, now=now)
        turn = decide_turn(stock.keys, schedule, force=request.force, now=now, policy=policy)
        if isinstance(turn, KeyNotReady):
            return _refuse_turn(turn, schedule, now=now)
        rotated = await write_turn(turn, stock, desk=desk, actor=actor, now=now)
        if rotated is not None:
            await turn_due_keys(store=desk.store, signer=desk.signer, terms=desk.terms, holder=desk.holder, now=now)
            return rotated
    return refuse("store_unavailable", retry_after=1)


async def write_turn(turn: TurnKey, stock: KeyStock, *, desk: KeyDesk, actor: str, now: Instant) -> KeysRotated | None:
    """Write a turn and let this node work with it; None where the keys were changed since `stock` was read."""
    retiring = await keep_for_sessions(turn.retiring, store=desk.store)
    rows = tuple(key for key in (retiring, turn.activated) if key is not None)
    event = key_event("key_activated", turn.activated, actor=actor, now=now)
    change = KeyChange(version=stock.version, keys=rows)
    if await desk.store.keys.change(change, now=now, events=[event]) is None:
        return None
    await adopt_keys(store=desk.store, signer=desk.signer)
    return KeysRotated(
        kid=turn.activated.kid,
        retiring=None if retiring is None else retiring.kid,
        leaves_at=None if retiring is None else retiring.leaves_at,
    )


async def revoke_key(request: RevokeKey, *, desk: KeyDesk, actor: str) -> KeysRevoked | OAuthError:
    """Withdraw a key at once: it leaves the set, and what was made under it is good no longer.

    An active key's successor is the waiting one, known everywhere or not. Unknown or retired: `unknown_key_id`.
    """
    for _ in range(_TRIES):
        now = desk.clock()
        stock = await desk.store.keys.stock()
        key = next((key for key in stock.keys if key.kid == request.kid and key.state != "retired"), None)
        if key is None:
            return refuse("unknown_key_id")
        decide = _replace_everything if request.compromised else partial(_withdraw, key)
        # In a thread: the primes of an RSA key take from a tenth of a second to seconds.
        change, secrets = await asyncio.to_thread(decide, stock, desk, now=now)
        before = {key.kid: key for key in stock.keys}
        gone = [row for row in change.keys if row.state == "retired"]
        successors = tuple(row.kid for row in change.keys if row.state == "active")
        events = [key_event("key_withdrawn", before[row.kid], actor=actor, now=now) for row in gone]
        events += [key_event("key_added", row, actor=actor, now=now) for row in change.keys if row.kid not in before]
        events += [
            key_event("key_activated", row, actor=actor, now=now)
            for row in change.keys
            if row.kid in before and row.state == "active"
        ]
        ended = await desk.store.keys.change(change, now=now, events=events)
        if ended is not None:
            await _settle(desk, now=now)
            kids = tuple(row.kid for row in gone)
            return KeysRevoked(kids=kids, successors=successors, sessions=ended, secrets=secrets)
    return refuse("store_unavailable", retry_after=1)


def _withdraw(
    key: StoredKey, stock: KeyStock, desk: KeyDesk, *, now: Instant
) -> tuple[KeyChange, tuple[SymmetricSecret, ...]]:
    rows = withdraw_key(key, stock.keys, now=now)
    secrets: tuple[SymmetricSecret, ...] = ()
    if key.state == "active" and len(rows) == 1:
        if key.api is None:
            rows = (*rows, forge_key(key.schedule, "active", stock.keys, terms=desk.terms, now=now))
        else:
            forged = desk.terms.forge.make_secret(key.api, "active", now, beside=stock.keys)
            rows, secrets = (*rows, forged.key), (forged.secret,)
    change = KeyChange(
        version=stock.version,
        keys=rows,
        withdrawn=(key.kid,) if key.purpose == "access_token" else (),
        ended_mac_key_ids=() if key.mac_key_id is None else (key.mac_key_id,),
    )
    return change, secrets


def _replace_everything(
    stock: KeyStock, desk: KeyDesk, *, now: Instant
) -> tuple[KeyChange, tuple[SymmetricSecret, ...]]:
    """Whoever has one key may have all: none that existed before is used again, the waiting ones included."""
    living = [key for key in stock.keys if key.state != "retired"]
    lines = dict.fromkeys(key.schedule for key in living)
    fresh: list[StoredKey] = []
    states: tuple[KeyState, ...] = ("active", "pending")
    for schedule in lines:
        for state in states if schedule.api is None else ():
            fresh.append(forge_key(schedule, state, [*living, *fresh], terms=desk.terms, now=now))
    make_secret = desk.terms.forge.make_secret
    forged = [make_secret(line.api, "active", now, beside=living) for line in lines if line.api is not None]
    change = KeyChange(
        version=stock.version,
        keys=(*(retired_key(key) for key in living), *fresh, *(each.key for each in forged)),
        withdrawn=tuple(key.kid for key in living if key.purpose == "access_token"),
        ends_everything=True,
    )
    return change, tuple(each.secret for each in forged)


async def _settle(desk: KeyDesk, *, now: Instant) -> None:
    """Let this node work with the change before the operator is told, and fill the stock again."""
    await adopt_keys(store=desk.store, signer=desk.signer)
    await turn_due_keys(store=desk.store, signer=desk.signer, terms=desk.terms, holder=desk.holder, now=now)


def _refuse_turn(not_ready: KeyNotReady, schedule: Schedule, *, now: Instant) -> OAuthError:
    if not_ready.ready_at is None:
        sentence = (
            f"No {schedule.alg} key of purpose {schedule.purpose} is waiting: `sealring keys list` shows which are."
        )
        return refuse("unknown_key_id", description=sentence)
    wait = -((now - not_ready.ready_at) // 1000)
    return refuse(
        "key_not_ready",
        description=f"The key {not_ready.kid} was published too short a time ago for every verifier to know it: "
        f"turn in {wait} s, or say --force, and some APIs may refuse tokens until they have fetched it.",
        retry_after=wait,
    )


def held_by(identifier: str, readers: Readers | None, *, now: Instant) -> frozenset[str]:
    """Name the keys that every verifier of an API says it holds; none where one of its streams has said nothing."""
    report = None if readers is None else readers.reports.summary(identifier, now=now)
    if readers is None or report is None or readers.feed.readers(identifier) > report.verifiers:
        return frozenset()
    return frozenset(report.keys)


def _seen(key: StoredKey, apis: list[str], held: Mapping[str, frozenset[str]], *, policy: KeyPolicy) -> KeySeen:
    waiting = key.state == "pending"
    readable = waiting and key.purpose == "access_token"
    known = tuple(api for api in apis if readable and key.kid in held.get(api, frozenset()))
    return KeySeen(
        kid=key.kid,
        purpose=key.purpose,
        alg=key.alg,
        api=key.api,
        state=key.state,
        created_at=key.created_at,
        activated_at=key.activated_at,
        leaves_at=key.leaves_at,
        ready_at=ready_instant(key, policy) if waiting else None,
        known_to=known,
        unknown_to=tuple(api for api in apis if readable and api not in known),
    )
