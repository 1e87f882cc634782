"""Puts a copy in the place of the store (SECURITY A9)."""

import os
from contextlib import AsyncExitStack
from pathlib import Path

from sealring.clocks import wall_clock
from sealring.compose.opening import ComposeProblem, held, incarnation_path, key_terms, open_keys, open_store
from sealring.config import Settings
from sealring.services.store_state import StoreRestored, find_copy_problem, restore_store
from sealring.signing.incarnation_file import IncarnationFile
from sealring.signing.master_key import (
    MasterKeyProblem,
    load_master_key,
)
from sealring.signing.sealing import derive
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
    master_key = load_master_key(settings.path(settings.master_key_file))
    if isinstance(master_key, MasterKeyProblem):
        raise ComposeProblem(master_key.sentence)
    database = settings.path(settings.data) / "sealring.db"
    async with AsyncExitStack() as stack:
        stack.callback(held(take_lock(database)).close)
        staged = held(stage_copy(copy, database=database))
        stack.callback(staged.unlink, missing_ok=True)
        store = open_store(staged, audit_key=derive(master_key.reveal(), "audit"), demo=False)
        try:
            problem = await find_copy_problem(store=store, issuer=settings.issuer, as_copy=as_copy)
            if problem is not None:
                raise ComposeProblem(problem)
            if not as_copy:
                incarnation = (await store.state.identity()).incarnation
                terms = key_terms(settings, master_key=master_key)
                await open_keys(
                    store, settings, terms=terms, master_key=master_key, incarnation=incarnation, clock=wall_clock
                )
            restored = await restore_store(
                store=store,
                issuer=settings.issuer,
                as_copy=as_copy,
                clock=wall_clock,
                randomness=os.urandom,
                actor=actor,
            )
            identity = await store.state.identity()
        finally:
            await store.close()
        aside = database.with_name(f"sealring-before-{restored.incarnation[:8]}.db")
        held(put_in_place(staged, database=database, aside=aside))
        # Only now: a crash in between leaves a store that looks rolled back, and `sealring recover` mends it.
        IncarnationFile(incarnation_path(settings)).remember(identity.incarnation, identity.feed_number)
    return restored, aside
