"""Secrets that one API shares with Sealring: begun, turned and ended, and each shown once (SECURITY C3)."""

from typing import Final

import msgspec

from sealring.ports import KeyChange, KeyStock
from sealring.protocol.api import Api
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds, later
from sealring.protocol.key_schedule import (
    KeyNotReady,
    Schedule,
    StoredKey,
    access_token_schedule,
    decide_secret,
    decide_turn,
    key_of,
    withdraw_line,
)
from sealring.protocol.symmetric_secret import SymmetricSecret
from sealring.services.acknowledgement import Readers
from sealring.services.key_admin import KeyDesk, KeysRotated, held_by, write_turn
from sealring.services.key_schedule import adopt_keys, key_event, key_policy

_TRIES: Final = 8


class RotateSymmetricSecret(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose secret shall be followed by another. `force`: turn although not every verifier can have it."""

    api: str
    force: bool = False


class SymmetricSecretMade(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh secret of an API. `signs_from`: when tokens are signed under it at the latest; None: from now on."""

    secret: SymmetricSecret
    signs_from: Instant | None


async def begin_symmetric_line(api: Api, *, desk: KeyDesk, actor: str, now: Instant) -> SymmetricSecret:
    """Give an API its first secret, which signs at once; whatever an API of that name had before is withdrawn."""
    line = access_token_schedule(api)
    for _ in range(_TRIES):
        stock = await desk.store.keys.stock()
        forged = desk.terms.forge.make_secret(api.identifier, "active", now, beside=stock.keys)
        if await _replace_line(line, (forged.key,), stock, desk=desk, actor=actor, now=now):
            return forged.secret
    raise RuntimeError("the secret of the API cannot be made")


async def end_symmetric_line(identifier: str, *, desk: KeyDesk, actor: str, now: Instant) -> None:
    """Withdraw all secrets of an API that has none any more; tokens under them are good nowhere."""
    line = Schedule("access_token", "HS256", identifier)
    for _ in range(_TRIES):
        stock = await desk.store.keys.stock()
        if await _replace_line(line, (), stock, desk=desk, actor=actor, now=now):
            return
    raise RuntimeError("the secrets of the API cannot be withdrawn")


async def rotate_symmetric_secret(
    request: RotateSymmetricSecret, *, desk: KeyDesk, readers: Readers | None, actor: str
) -> SymmetricSecretMade | KeysRotated | OAuthError:
    """Make an API's next secret, which waits; or, where one waits, turn to it.

    It turns where each verifier of the API says that it holds it, or where it has waited as long as the clock lets it;
    else `key_not_ready` says when. Two are good at a time: a third has to wait until the oldest has left.
    """
    api = await desk.store.apis.find(request.api)
    if api is None:
        return refuse("unknown_api")
    if api.access_token_signing_alg != "HS256":
        sentence = (
            f"The API {api.identifier} has no secret of its own: what signs its tokens turns by `sealring keys rotate` "
            "without --api."
        )
        return refuse("unknown_key_id", description=sentence)
    for _ in range(_TRIES):
        now = desk.clock()
        stock = await desk.store.keys.stock()
        pending = key_of(stock.keys, access_token_schedule(api), "pending")
        outcome: SymmetricSecretMade | KeysRotated | OAuthError | None
        if pending is None:
            outcome = await _make_next(api, stock, desk=desk, actor=actor, now=now)
        else:
            force = request.force or pending.kid in held_by(api.identifier, readers, now=now)
            outcome = await _turn(pending, stock, force=force, desk=desk, actor=actor, now=now)
        if outcome is not None:
            return outcome
    return refuse("store_unavailable", retry_after=1)


async def _make_next(
    api: Api, stock: KeyStock, *, desk: KeyDesk, actor: str, now: Instant
) -> SymmetricSecretMade | OAuthError | None:
    """Make the next secret; None where the keys were changed since `stock` was read."""
    state = decide_secret(stock.keys, access_token_schedule(api))
    if isinstance(state, KeyNotReady):
        return _refuse_third(state, now=now)
    forged = desk.terms.forge.make_secret(api.identifier, state, now, beside=stock.keys)
    change = KeyChange(version=stock.version, keys=(forged.key,))
    event = key_event("key_added", forged.key, actor=actor, now=now)
    if await desk.store.keys.change(change, now=now, events=[event]) is None:
        return None
    await adopt_keys(store=desk.store, signer=desk.signer)
    signs_from = None if state == "active" else later(now, desk.terms.pending)
    return SymmetricSecretMade(secret=forged.secret, signs_from=signs_from)


async def _turn(
    pending: StoredKey, stock: KeyStock, *, force: bool, desk: KeyDesk, actor: str, now: Instant
) -> KeysRotated | OAuthError | None:
    """Let the waiting secret sign; None where the keys were changed since `stock` was read."""
    policy = await key_policy(store=desk.store, terms=desk.terms, now=now)
    turn = decide_turn(stock.keys, pending.schedule, force=force, now=now, policy=policy)
    if isinstance(turn, KeyNotReady):
        return _refuse_turn(pending, turn, now=now)
    return await write_turn(turn, stock, desk=desk, actor=actor, now=now)


async def _replace_line(
    line: Schedule, fresh: tuple[StoredKey, ...], stock: KeyStock, *, desk: KeyDesk, actor: str, now: Instant
) -> bool:
    """Put `fresh` in the place of a line; False where the keys were changed since `stock` was read."""
    gone = withdraw_line(stock.keys, line)
    if not gone and not fresh:
        return True
    change = KeyChange(version=stock.version, keys=(*gone, *fresh), withdrawn=tuple(key.kid for key in gone))
    events = [key_event("key_withdrawn", key, actor=actor, now=now) for key in gone]
    events += [key_event("key_added", key, actor=actor, now=now) for key in fresh]
    if await desk.store.keys.change(change, now=now, events=events) is None:
        return False
    await adopt_keys(store=desk.store, signer=desk.signer)
    return True


def _refuse_turn(pending: StoredKey, not_ready: KeyNotReady, *, now: Instant) -> OAuthError:
    wait = _seconds_until(not_ready, now=now)
    return refuse(
        "key_not_ready",
        description=f"The secret {pending.kid} waits, and not every verifier of {pending.api} says that it has it. It "
        f"signs by itself in {wait // 3600} h {wait % 3600 // 60} min; say --force, and verifiers without it refuse "
        f"every token. If it was lost, `sealring keys revoke {pending.kid}` makes room for another.",
        retry_after=wait,
    )


def _refuse_third(not_ready: KeyNotReady, *, now: Instant) -> OAuthError:
    wait = _seconds_until(not_ready, now=now)
    return refuse(
        "key_not_ready",
        description=f"Two secrets are good at a time, and the one before last leaves in {wait} s: then ask again.",
        retry_after=wait,
    )


def _seconds_until(not_ready: KeyNotReady, *, now: Instant) -> Seconds:
    return Seconds(1 if not_ready.ready_at is None else max(1, -((now - not_ready.ready_at) // 1000)))
