"""Puts a copy in the place of the store (SECURITY A9)."""

import os
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path

from sealring.clocks import wall_clock
from sealring.compose.opening import incarnation_path, key_terms, open_keys
from sealring.compose.problem import ComposeProblem, held
from sealring.compose.unlocking import (
    UnlockedStore,
    begin_store,
    find_standing_keys,
    master_key_path,
    open_secrets,
    open_store_file,
)
from sealring.config import Settings
from sealring.ports import KeyStock, StoreIdentity
from sealring.protocol.standing_key import StandingKey
from sealring.services.master_key import change_event
from sealring.services.store_state import StoreRestored, find_copy_problem, restore_store
from sealring.signing.incarnation_file import IncarnationFile
from sealring.signing.master_key import MasterKeyProblem, load_master_key
from sealring.signing.master_key_change import reseal_stock
from sealring.signing.master_key_file import MasterKeyFile, stock_sealing_ids
from sealring.signing.standing_key import copy_standing_keys
from sealring.storage.sqlite.database import take_lock
from sealring.storage.sqlite.database_copy import put_in_place, stage_copy


async def restore_house(settings: Settings, copy: Path, *, as_copy: bool, actor: str) -> tuple[StoreRestored, Path]:
    """Put a copy in the place of the store; return what was done, and where the store before it is kept.

    All is done on a staged file, and one rename ends it. Raises ComposeProblem: the old store is in its place then.
    """
    if settings.database != "sqlite":
        raise ComposeProblem(
            "A PostgreSQL database is restored by its own tool: stop every node, run pg_restore, and then "
            "`sealring recover`."
        )
    path = master_key_path(settings)
    key = load_master_key(path)
    if isinstance(key, MasterKeyProblem):
        raise ComposeProblem(key.sentence)
    database = settings.path(settings.data) / "sealring.db"
    with ExitStack() as stack:
        stack.callback(held(take_lock(database)).close)
        staged = held(stage_copy(copy, database=database))
        stack.callback(staged.unlink, missing_ok=True)
        restored, identity = await _restore_staged(
            staged, settings, master_key=MasterKeyFile(path, key), as_copy=as_copy, actor=actor
        )
        aside = database.with_name(f"sealring-before-{restored.incarnation[:8]}.db")
        held(put_in_place(staged, database=database, aside=aside))
        # Only now: a crash in between leaves a store that looks rolled back, and `sealring recover` mends it.
        IncarnationFile(incarnation_path(settings)).remember(identity.incarnation, identity.feed_number)
    return restored, aside


async def _restore_staged(
    staged: Path, settings: Settings, *, master_key: MasterKeyFile, as_copy: bool, actor: str
) -> tuple[StoreRestored, StoreIdentity]:
    async with AsyncExitStack() as stack:
        locked = open_store_file(staged, demo=False)
        reading = await stack.enter_async_context(AsyncExitStack())
        reading.push_async_callback(locked.close)
        former, identity = await locked.former_issuer(), await locked.identity()
        problem = find_copy_problem(demo=identity.demo, former=former, issuer=settings.issuer, as_copy=as_copy)
        if problem is not None:
            raise ComposeProblem(problem)
        standing: tuple[StandingKey, ...] = ()
        if as_copy:
            standing = _copied_standing_keys(await locked.key_stock(), settings, master_key=master_key, former=former)
            secrets = open_secrets(standing, master_key=master_key, issuer=settings.issuer)
        else:
            master_key.look_among_former(stock_sealing_ids(await locked.key_stock()))
            secrets = await find_standing_keys(locked, master_key=master_key, issuer=settings.issuer)
        unlocked = UnlockedStore(store=begin_store(locked, secrets), master_key=master_key, standing=secrets)
        reading.pop_all()
        stack.push_async_callback(unlocked.store.close)
        if not as_copy:
            await _adopt_keys_of_copy(unlocked, settings, incarnation=identity.incarnation, actor=actor)
        restored = await restore_store(
            store=unlocked.store,
            issuer=settings.issuer,
            as_copy=as_copy,
            standing=standing,
            clock=wall_clock,
            randomness=os.urandom,
            actor=actor,
        )
        return restored, await unlocked.store.state.identity()


def _copied_standing_keys(
    stock: KeyStock, settings: Settings, *, master_key: MasterKeyFile, former: str | None
) -> tuple[StandingKey, ...]:
    return copy_standing_keys(
        stock,
        master_key=master_key,
        former_issuer=settings.issuer if former is None else former,
        issuer=settings.issuer,
        randomness=os.urandom,
    )


async def _adopt_keys_of_copy(unlocked: UnlockedStore, settings: Settings, *, incarnation: bytes, actor: str) -> None:
    """See that the keys open, and bring those of an older copy under the present master key."""
    terms = key_terms(settings, master_key=unlocked.master_key)
    await open_keys(unlocked, settings, terms=terms, incarnation=incarnation, clock=wall_clock)
    keys, now, stock = unlocked.store.keys, wall_clock(), await unlocked.store.keys.stock()
    (former,), present = stock_sealing_ids(stock), unlocked.master_key.key
    if former != present.id:
        change = reseal_stock(
            stock, file=unlocked.master_key, new=present, issuer=settings.issuer, randomness=os.urandom
        )
        event = change_event(former=former, key_id=present.id, actor=actor, now=now)
        await keys.change(change, now=now, events=[event])
