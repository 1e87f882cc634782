"""Unlocks a store: finds the master key that its rows name, and the audit's key before anything is written."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from sealring.clocks import wall_clock
from sealring.compose.problem import ComposeProblem, held
from sealring.config import Settings
from sealring.ports import Clock
from sealring.protocol.instant import Instant
from sealring.protocol.standing_key import StandingKey
from sealring.services.master_key import settlement_event
from sealring.signing.master_key import MasterKeyProblem
from sealring.signing.master_key_file import MasterKeyFile, SettledFile, settle_master_key, stock_sealing_ids
from sealring.signing.standing_key import (
    StandingSecrets,
    make_former_device_key,
    make_standing_keys,
    missing_standing_keys,
    open_standing_keys,
)
from sealring.signing.unsealing import KeyringProblem, find_seal_problem
from sealring.storage.locked_store import LockedStore, OpenStore
from sealring.storage.sqlite.database import open_file
from sealring.storage.sqlite.store import LockedSqliteStore

_MOST_DIFFERENCE: Final = 1000  # milliseconds


class UnlockedStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store that is written under its own audit key, and the keys that it was opened with."""

    store: OpenStore
    master_key: MasterKeyFile
    standing: StandingSecrets


async def open_locked_store(settings: Settings, *, demo: bool) -> LockedStore:
    """Hold the store that the settings name, and bring it up to date. Raises ComposeProblem."""
    if settings.database == "sqlite":
        return open_store_file(settings.path(settings.data) / "sealring.db", demo=demo)
    # Here, for those who have it: whoever serves a file need not load a driver of databases.
    from sealring.storage.postgresql.database import open_pool  # noqa: PLC0415 -- as said
    from sealring.storage.postgresql.store import LockedPostgresqlStore  # noqa: PLC0415 -- as said

    locked = LockedPostgresqlStore(held(await open_pool(settings.database, randomness=os.urandom, demo=demo)))
    before = wall_clock()
    problem = clock_problem(await locked.clock(), before=before, after=wall_clock())
    if problem is not None:
        await locked.close()
        raise ComposeProblem(problem)
    return locked


def clock_problem(database: Instant, *, before: Instant, after: Instant) -> str | None:
    """Say that this machine's clock is not the database's. `before`, `after`: readings around that of the `database`.

    Nodes judge by their own clocks what others wrote by theirs: expiry, and since when something has ended.
    """
    difference = max(database - after, before - database)
    if difference <= _MOST_DIFFERENCE:
        return None
    return (
        f"The clocks of this machine and of the database's are {difference / 1000:.1f} s apart, and more than one is "
        "too much: let both follow the same time servers (NTP)."
    )


def open_store_file(path: Path, *, demo: bool) -> LockedSqliteStore:
    """Hold the file at `path` for this process and bring it up to date. Raises ComposeProblem."""
    return LockedSqliteStore(held(open_file(path, randomness=os.urandom, demo=demo)))


async def unlock_store(locked: LockedStore, settings: Settings, *, clock: Clock) -> UnlockedStore:
    """Unlock the present store, and finish a change of the master key that was interrupted. Raises ComposeProblem."""
    stock = await locked.key_stock()
    settled = settle_master_key(master_key_path(settings), sealed_under=stock_sealing_ids(stock))
    if isinstance(settled, MasterKeyProblem):
        raise ComposeProblem(settled.sentence)
    master_key = MasterKeyFile(master_key_path(settings), settled.key)
    standing = await find_standing_keys(locked, master_key=master_key, issuer=settings.issuer)
    store = begin_store(locked, standing)
    await _tell(store, settled, clock=clock)
    return UnlockedStore(store=store, master_key=master_key, standing=standing)


async def find_standing_keys(locked: LockedStore, *, master_key: MasterKeyFile, issuer: str) -> StandingSecrets:
    """Unseal a store's standing keys, made first where it lacks them. Raises ComposeProblem where they do not open."""
    stock = await locked.key_stock()
    while missing_standing_keys(stock):
        # Nothing is sealed under a key, or for an issuer, that is not this store's.
        problem = find_seal_problem(stock.keys, master_key=master_key, issuer=issuer)
        sealing = master_key.find_sealing(stock.sealed)
        if problem is not None or sealing is None:
            raise ComposeProblem(problem.sentence if problem is not None else "The master key is not this store's.")
        made = make_standing_keys(stock, master_key=sealing, issuer=issuer, randomness=os.urandom)
        former = make_former_device_key(stock, master_key=sealing, issuer=issuer, randomness=os.urandom)
        held(await locked.add_standing_keys(made, beside=former, version=stock.version))
        # Where another node was quicker, its keys are the store's.
        stock = await locked.key_stock()
    return open_secrets(stock.standing, master_key=master_key, issuer=issuer)


def open_secrets(keys: Iterable[StandingKey], *, master_key: MasterKeyFile, issuer: str) -> StandingSecrets:
    """Unseal standing keys. Raises ComposeProblem where they do not open."""
    standing = open_standing_keys(keys, master_key=master_key, issuer=issuer)
    if isinstance(standing, KeyringProblem):
        raise ComposeProblem(standing.sentence)
    return standing


def begin_store(locked: LockedStore, standing: StandingSecrets) -> OpenStore:
    """Begin to write a store, under a new name of this run in the audit."""
    return locked.begin(audit_key=standing.audit, writer=os.urandom(8).hex(), randomness=os.urandom)


def master_key_path(settings: Settings) -> Path:
    """Return where the master key lies, symbolic links followed: what takes its place is written beside the file."""
    return settings.path(settings.master_key_file).resolve()


async def _tell(store: OpenStore, settled: SettledFile, *, clock: Clock) -> None:
    if settled.settlement is not None and settled.found is not None:
        event = settlement_event(settled.settlement, key_id=settled.key.id, found=settled.found, now=clock())
        await store.audit.record([event])
