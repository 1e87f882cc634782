"""Keys and the states that they pass through by themselves: pending, active, retiring, retired (SECURITY C1, A2).

A schedule is the line of keys of one purpose and one algorithm (for HS256, of one API too). Whatever happens to keys
is decided here as rows that shall stand; the store writes them if nothing came in between.
"""

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec

from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.device_token import DEVICE_TOKEN_LIFETIME
from sealring.protocol.instant import Instant, Seconds, later

KeyState = Literal["pending", "active", "retiring", "retired"]
KeyPurpose = Literal["access_token", "mac", "feed", "cookie"]
"""What a key may do: sign access tokens, make refresh tokens' MACs, sign messages of the revocation feed, make the MACs
of what a browser keeps (device tokens)."""

MAC_PURPOSES: Final = frozenset[KeyPurpose]({"mac", "cookie"})
"""Whose keys nobody else verifies with: in no key set, and two that made something are accepted at a time."""

FORMER_DEVICE_KEY: Final = "cookie-device"
"""Id of the key that made device tokens before cookie keys were a line: the first of it, where there was one."""

NODE_LAG = Seconds(1)
"""How long a node may go on working with the keys that it knew."""

SET_MARGIN = Seconds(60)
"""How long a key stays in the set after the last token under it has expired: clocks differ."""

FEED_KEY_STAYS = Seconds(3600)
"""How long a feed key stays in its set after its last message."""


class Schedule(NamedTuple):
    """One line of keys. `api`: whose secret it is, for HS256 access tokens; None for keys that the house shares."""

    purpose: KeyPurpose
    alg: str
    api: str | None = None


HOUSE_SCHEDULES = (
    Schedule("access_token", "ES256"),
    Schedule("mac", "HS256"),
    Schedule("feed", "ES256"),
    Schedule("cookie", "HS256"),
)
"""The lines that every house has."""


def access_token_schedule(api: Api) -> Schedule:
    """Say which line signs an API's tokens: by HS256 its own, else the one of all APIs of its algorithm."""
    alg = api.access_token_signing_alg
    return Schedule("access_token", alg, api.identifier if alg == "HS256" else None)


def client_schedules(client: Client) -> tuple[Schedule, ...]:
    """Say which lines sign a client's ID tokens and userinfo: those that sign access tokens, under other types."""
    flow = client.code_flow
    if flow is None:
        return ()
    algorithms = {flow.id_token_signed_response_alg, flow.userinfo_signed_response_alg} - {None}
    return tuple(Schedule("access_token", str(alg)) for alg in sorted(algorithms, key=str))


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the store has it: sealed under the master key; `sealed` is empty once the secret was erased.

    `kid`: for keys that sign the JWK thumbprint, for MAC keys `mac-…`, for cookie keys `cookie-…`, for HS256
    `hs-…`. `mac_key_id`: 0–255, in each refresh token. `public_jwk`: JSON for the key set, None for MAC, cookie and
    HS256 keys. A pending key is published from `created_at` on; a retiring one leaves at `leaves_at`.
    """

    kid: str
    purpose: KeyPurpose
    alg: str
    state: KeyState
    mac_key_id: int | None
    sealed: bytes
    public_jwk: bytes | None
    created_at: Instant
    api: str | None = None
    activated_at: Instant | None = None
    leaves_at: Instant | None = None

    @property
    def schedule(self) -> Schedule:
        """The line that this key stands in."""
        return Schedule(self.purpose, self.alg, self.api)


class KeyPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How keys turn. `pending`: how long a key is published before it signs by itself; `active`: how long it signs.

    `key_set_life`: how long verifiers may keep a key set, and so the least that an operator's turn waits.
    `access_token_lifetime`, `idle_lifetime`: the longest of any API, of any client.
    """

    pending: Seconds = Seconds(24 * 3600)
    active: Seconds = Seconds(30 * 24 * 3600)
    key_set_life: Seconds = Seconds(300)
    access_token_lifetime: Seconds
    idle_lifetime: Seconds


class MakeKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key must be made, to stand in `state`."""

    schedule: Schedule
    state: KeyState


class TurnKey(msgspec.Struct, frozen=True, kw_only=True):
    """The pending key signs from now on; `retiring`, which signed so far, no longer."""

    activated: StoredKey
    retiring: StoredKey | None


class RetireKey(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing alive can have been made under the key any more: it leaves."""

    retired: StoredKey


KeyStep = MakeKey | TurnKey | RetireKey


class KeyNotReady(msgspec.Struct, frozen=True, kw_only=True):
    """The pending key is not known everywhere yet. `ready_at`: when it is, None where there is no pending key."""

    kid: str | None
    ready_at: Instant | None


def due_steps(
    keys: tuple[StoredKey, ...], *, wanted: Iterable[Schedule] = HOUSE_SCHEDULES, now: Instant, policy: KeyPolicy
) -> tuple[KeyStep, ...]:
    """Say which steps are due. `wanted`: the lines that must have an active and a waiting key."""
    steps: list[KeyStep] = [
        RetireKey(retired=retired_key(key))
        for key in keys
        if key.state == "retiring" and key.leaves_at is not None and key.leaves_at <= now
    ]
    lines = dict.fromkeys([*wanted, *(key.schedule for key in keys if key.state == "active")])
    for schedule in lines:
        steps += _steps_of(schedule, keys, now=now, policy=policy)
    return tuple(steps)


def decide_turn(
    keys: tuple[StoredKey, ...], schedule: Schedule, *, force: bool, now: Instant, policy: KeyPolicy
) -> TurnKey | KeyNotReady:
    """Say what the operator's wish to turn a line of keys at once comes to.

    The pending key is used where every verifier's copy of the key set has it: published for the life of a key set.
    `force`: also before; whoever has not fetched it then refuses tokens until it fetches again.
    """
    pending = key_of(keys, schedule, "pending")
    if pending is None:
        return KeyNotReady(kid=None, ready_at=None)
    ready_at = ready_instant(pending, policy)
    if now < ready_at and not force:
        return KeyNotReady(kid=pending.kid, ready_at=ready_at)
    return _turn(keys, pending, now=now, policy=policy)


def decide_secret(keys: tuple[StoredKey, ...], line: Schedule) -> KeyState | KeyNotReady:
    """Say in which state the next secret of an API begins: the first signs at once, later ones wait.

    Two are good at a time (SECURITY C3): while one waits, or one has not left yet, there is no third.
    """
    if key_of(keys, line, "active") is None:
        return "active"
    third = key_of(keys, line, "pending") or key_of(keys, line, "retiring")
    return "pending" if third is None else KeyNotReady(kid=third.kid, ready_at=third.leaves_at)


def withdraw_line(keys: tuple[StoredKey, ...], line: Schedule) -> tuple[StoredKey, ...]:
    """Give the rows after all keys of a line are withdrawn, and none follows."""
    return tuple(retired_key(key) for key in keys if key.schedule == line and key.state != "retired")


def ready_instant(pending: StoredKey, policy: KeyPolicy) -> Instant:
    """Say from when on a pending key may be turned to: a key set's life, or a node's lag for MAC and cookie keys.

    An API's secret is carried to its verifiers by hand, so it waits as long as the clock lets it.
    """
    if pending.api is not None:
        return later(pending.created_at, policy.pending)
    known_after = NODE_LAG if pending.purpose in MAC_PURPOSES else policy.key_set_life + NODE_LAG
    return later(pending.created_at, known_after)


def withdraw_key(key: StoredKey, keys: tuple[StoredKey, ...], *, now: Instant) -> tuple[StoredKey, ...]:
    """Give the rows after `key` is withdrawn at once: its pending successor, if it was active, signs from now on."""
    gone = retired_key(key)
    successor = key_of(keys, key.schedule, "pending") if key.state == "active" else None
    if successor is None:
        return (gone,)
    return (gone, msgspec.structs.replace(successor, state="active", activated_at=now))


def retired_key(key: StoredKey) -> StoredKey:
    """Give a key that has left: its secret erased, its MAC number free for another."""
    return msgspec.structs.replace(key, state="retired", sealed=b"", mac_key_id=None, leaves_at=None)


def key_of(keys: tuple[StoredKey, ...], schedule: Schedule, state: KeyState) -> StoredKey | None:
    """Find the key of a line in a state (at most one is pending, one active)."""
    return next((key for key in keys if key.schedule == schedule and key.state == state), None)


def published_keys(keys: tuple[StoredKey, ...], purpose: KeyPurpose) -> tuple[StoredKey, ...]:
    """Return the keys that belong in a key set: pending ones too, so that verifiers know them in time."""
    return tuple(
        key for key in keys if key.purpose == purpose and key.state != "retired" and key.public_jwk is not None
    )


def _steps_of(
    schedule: Schedule, keys: tuple[StoredKey, ...], *, now: Instant, policy: KeyPolicy
) -> tuple[KeyStep, ...]:
    active, pending = key_of(keys, schedule, "active"), key_of(keys, schedule, "pending")
    if pending is None and schedule.api is not None:
        # An API's secret is made when its owner can be given it: by the operator, never by the clock.
        return ()
    if active is None:
        # The first key of a line, or one whose stock was lost: there is none to publish it under in the meantime.
        return (
            (_turn(keys, pending, now=now, policy=policy),)
            if pending
            else (MakeKey(schedule=schedule, state="active"),)
        )
    if pending is None:
        return (MakeKey(schedule=schedule, state="pending"),)
    return (
        (_turn(keys, pending, now=now, policy=policy),)
        if _is_due(active, pending, keys, now=now, policy=policy)
        else ()
    )


def _is_due(
    active: StoredKey, pending: StoredKey, keys: tuple[StoredKey, ...], *, now: Instant, policy: KeyPolicy
) -> bool:
    if now < later(pending.created_at, policy.pending):
        return False
    if pending.api is not None:
        return True
    # Two keys that made something are accepted at a time, so the next turn waits until the older one has left.
    if pending.purpose in MAC_PURPOSES and key_of(keys, pending.schedule, "retiring") is not None:
        return False
    return now >= later(active.activated_at or active.created_at, policy.active)


def _turn(keys: tuple[StoredKey, ...], pending: StoredKey, *, now: Instant, policy: KeyPolicy) -> TurnKey:
    active = key_of(keys, pending.schedule, "active")
    activated = msgspec.structs.replace(pending, state="active", activated_at=now)
    return TurnKey(activated=activated, retiring=None if active is None else _retiring(active, now=now, policy=policy))


def _retiring(key: StoredKey, *, now: Instant, policy: KeyPolicy) -> StoredKey:
    stays = {
        "access_token": policy.access_token_lifetime + SET_MARGIN,
        # Opaque access tokens are made under MAC keys, and may outlive every refresh token.
        "mac": max(policy.idle_lifetime, policy.access_token_lifetime + SET_MARGIN),
        "feed": FEED_KEY_STAYS,
        "cookie": DEVICE_TOKEN_LIFETIME,
    }[key.purpose]
    # What only signs is erased at once; a secret that also verifies stays until the last thing under it is gone.
    sealed = key.sealed if key.public_jwk is None else b""
    return msgspec.structs.replace(key, state="retiring", sealed=sealed, leaves_at=later(now, NODE_LAG + stays))
