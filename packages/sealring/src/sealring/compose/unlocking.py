"""Unlocks a store: finds the master key that its rows name, and the audit's key before anything is written."""

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from sealring.compose.problem import ComposeProblem, held
from sealring.config import Settings
from sealring.ports import Clock
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
from sealring.storage.sqlite.database import DatabaseFile, open_file
from sealring.storage.sqlite.key import add_standing_keys, read_key_stock
from sealring.storage.sqlite.store import SqliteStore


class UnlockedStore(msgspec.Struct, frozen=True, kw_only=True):
    """A store that is written under its own audit key, and the keys that it was opened with."""

    store: SqliteStore
    master_key: MasterKeyFile
    standing: StandingSecrets


def open_store_file(path: Path, *, demo: bool) -> DatabaseFile:
    """Hold the file at `path` for this process and bring it up to date. Raises ComposeProblem."""
    return held(open_file(path, randomness=os.urandom, demo=demo))


async def unlock_store(file: DatabaseFile, settings: Settings, *, clock: Clock) -> UnlockedStore:
    """Unlock the present store, and finish a change of the master key that was interrupted. Raises ComposeProblem."""
    stock = read_key_stock(file)
    settled = settle_master_key(master_key_path(settings), sealed_under=stock_sealing_ids(stock))
    if isinstance(settled, MasterKeyProblem):
        raise ComposeProblem(settled.sentence)
    master_key = MasterKeyFile(master_key_path(settings), settled.key)
    standing = find_standing_keys(file, master_key=master_key, issuer=settings.issuer)
    store = begin_store(file, standing)
    await _tell(store, settled, clock=clock)
    return UnlockedStore(store=store, master_key=master_key, standing=standing)


def find_standing_keys(file: DatabaseFile, *, master_key: MasterKeyFile, issuer: str) -> StandingSecrets:
    """Unseal a store's standing keys, made first where it lacks them. Raises ComposeProblem where they do not open."""
    stock = read_key_stock(file)
    while missing_standing_keys(stock):
        # Nothing is sealed under a key, or for an issuer, that is not this store's.
        problem = find_seal_problem(stock.keys, master_key=master_key, issuer=issuer)
        sealing = master_key.find_sealing(stock.sealed)
        if problem is not None or sealing is None:
            raise ComposeProblem(problem.sentence if problem is not None else "The master key is not this store's.")
        made = make_standing_keys(stock, master_key=sealing, issuer=issuer, randomness=os.urandom)
        former = make_former_device_key(stock, master_key=sealing, issuer=issuer, randomness=os.urandom)
        held(add_standing_keys(file, made, beside=former, version=stock.version))
        # Where another node was quicker, its keys are the store's.
        stock = read_key_stock(file)
    return open_secrets(stock.standing, master_key=master_key, issuer=issuer)


def open_secrets(keys: Iterable[StandingKey], *, master_key: MasterKeyFile, issuer: str) -> StandingSecrets:
    """Unseal standing keys. Raises ComposeProblem where they do not open."""
    standing = open_standing_keys(keys, master_key=master_key, issuer=issuer)
    if isinstance(standing, KeyringProblem):
        raise ComposeProblem(standing.sentence)
    return standing


def begin_store(file: DatabaseFile, standing: StandingSecrets) -> SqliteStore:
    """Begin to write a store, under a new name of this run in the audit."""
    return SqliteStore(file.begin(audit_key=standing.audit, writer=os.urandom(8).hex(), randomness=os.urandom))


def master_key_path(settings: Settings) -> Path:
    """Return where the master key lies, symbolic links followed: what takes its place is written beside the file."""
    return settings.path(settings.master_key_file).resolve()


async def _tell(store: SqliteStore, settled: SettledFile, *, clock: Clock) -> None:
    if settled.settlement is not None and settled.found is not None:
        event = settlement_event(settled.settlement, key_id=settled.key.id, found=settled.found, now=clock())
        await store.audit.record([event])
