"""Moves a whole store from a SQLite file to an empty PostgreSQL database, and checks it before it counts."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from sealring.clocks import wall_clock
from sealring.compose.problem import ComposeProblem, held
from sealring.compose.unlocking import master_key_path, open_secrets
from sealring.config import Settings
from sealring.ports import KeyStock, StoreIdentity, StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.signing.keyring import open_keyring
from sealring.signing.master_key import MasterKeyProblem, load_master_key
from sealring.signing.master_key_file import MasterKeyFile
from sealring.signing.standing_key import StandingSecrets, missing_standing_keys
from sealring.signing.unsealing import KeyringProblem
from sealring.storage.rows.tally import Tally
from sealring.storage.sql.table import TABLES, Table
from sealring.storage.sqlite.database import DatabaseFile
from sealring.storage.sqlite.key import read_key_stock
from sealring.storage.sqlite.store_migration import open_source, read_table
from sealring.storage.sqlite.store_state import read_identity

if TYPE_CHECKING:
    from sealring.storage.postgresql.transaction import Transaction

_PART_EVENTS: Final = 500


class StoreMigrated(msgspec.Struct, frozen=True, kw_only=True):
    """A store is in its new database. `rows`: how many each table has; `broken_chains`: of the audit, as before."""

    source: str
    rows: Mapping[str, int]
    feed_number: int
    broken_chains: int


async def migrate_house(
    settings: Settings, source: Path, url: str, *, keep_broken_audit: bool, actor: str
) -> StoreMigrated:
    """Copy the store in the file `source` to the PostgreSQL database at `url`; the file stays as it is.

    All is written and checked in one transaction of the target. Raises ComposeProblem: the target is empty then, as
    before. `keep_broken_audit`: also where chains do not hold in the source.
    """
    # Here, for those who have it, as `compose.unlocking` does.
    from sealring.storage.postgresql.database import open_pool  # noqa: PLC0415 -- as said

    master_key = load_master_key(master_key_path(settings))
    if isinstance(master_key, MasterKeyProblem):
        raise ComposeProblem(master_key.sentence)
    file = held(open_source(source))
    try:
        move = _Move(file, settings, MasterKeyFile(master_key_path(settings), master_key))
        pool = held(await open_pool(url, randomness=os.urandom, demo=False))
        try:
            held(await pool.write(lambda target: move.run(target, keep_broken_audit=keep_broken_audit, actor=actor)))
        finally:
            await pool.close()
    except StoreUnavailable as problem:
        raise ComposeProblem(f"The store was not moved: {problem}.") from problem
    finally:
        file.close()
    return move.outcome()


class _Move:
    """One move of a store, which the keys of the settings open; what it raises undoes it."""

    def __init__(self, source: DatabaseFile, settings: Settings, master_key: MasterKeyFile) -> None:
        self._source = source
        self._settings = settings
        self._master_key = master_key
        self._identity: StoreIdentity = read_identity(source)
        if self._identity.demo:
            raise ComposeProblem("This is the demo's database: its users are not yours.")
        self._secrets = self._open_keys(read_key_stock(source))
        self._rows: dict[str, int] = {}
        self._broken_chains = 0

    async def run(self, target: "Transaction", *, keep_broken_audit: bool, actor: str) -> None:
        """Fill the target and look at what is in it then. Raises ComposeProblem where it is not the source's."""
        from sealring.storage.postgresql import store_migration as postgresql  # noqa: PLC0415 -- as above

        if not await postgresql.take_empty_store(target):
            raise ComposeProblem(
                "The target is not empty: it has been used by a Sealring, and nothing was changed in it. Make another "
                "database with `createdb`."
            )
        for table in TABLES:
            await self._copy(table, target)
        await postgresql.place_position(target)
        self._open_keys(await postgresql.read_written_keys(target))
        await self._tell(target, actor=actor)
        await self._verify_audit(target, keep_broken=keep_broken_audit)

    def outcome(self) -> StoreMigrated:
        """Say what was moved, once it counts."""
        return StoreMigrated(
            source=str(self._source.path),
            rows=self._rows,
            feed_number=self._identity.feed_number,
            broken_chains=self._broken_chains,
        )

    async def _copy(self, table: Table, target: "Transaction") -> None:
        from sealring.storage.postgresql.store_migration import tally_table, write_rows  # noqa: PLC0415 -- as above

        given = Tally()
        for part in read_table(self._source, table):
            given.take(part)
            await write_rows(target, table, part)
        kept = await tally_table(target, table)
        if not kept.agrees_with(given):
            raise ComposeProblem(
                f"The table {table.name} reads differently in the target ({kept.rows} rows) than in the source "
                f"({given.rows} rows): nothing was moved."
            )
        self._rows[table.name] = kept.rows

    def _open_keys(self, stock: KeyStock) -> StandingSecrets:
        if missing_standing_keys(stock):
            raise ComposeProblem("The store has no audit key yet: run `sealring migrate` on it first.")
        issuer = self._settings.issuer
        secrets = open_secrets(stock.standing, master_key=self._master_key, issuer=issuer)
        realm = TokenRealm(issuer=issuer, incarnation=self._identity.incarnation)
        keyring = open_keyring(stock.keys, master_key=self._master_key, realm=realm)
        if isinstance(keyring, KeyringProblem):
            raise ComposeProblem(keyring.sentence)
        return secrets

    async def _tell(self, target: "Transaction", *, actor: str) -> None:
        from sealring.storage.postgresql.audit_writer import AuditWriter  # noqa: PLC0415 -- as above

        details: dict[str, str | int] = {"from": "sqlite", "feed_number": self._identity.feed_number}
        event = AuditEvent(event="store_migrated", at=wall_clock(), actor=actor, details=details)
        writer = AuditWriter(writer=os.urandom(8).hex(), audit_key=self._secrets.audit, randomness=os.urandom)
        await writer.write(target, [event])

    async def _verify_audit(self, target: "Transaction", *, keep_broken: bool) -> None:
        from sealring.storage.postgresql.audit_event import walk_chains  # noqa: PLC0415 -- as above

        verification = AuditVerification(audit_key=self._secrets.audit)
        await walk_chains(target, verification.take, limit=_PART_EVENTS)
        problems = verification.problems()
        if problems and not keep_broken:
            raise ComposeProblem(
                f"The audit of the source does not hold (first at {problems[0].writer} {problems[0].sequence}), and "
                "nothing was moved: see `sealring audit verify`. A store that was restored with --as-copy is moved "
                "as it is by --keep-broken-audit."
            )
        self._broken_chains = len(problems)
