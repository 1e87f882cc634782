"""Changes the master key: makes another one, and seals every key of the store under it (SECURITY C2)."""

import asyncio
from pathlib import Path
from typing import TypeVar

import msgspec

from sealring.ports import KeyChange, KeyStock, MasterKeyPlaced, MasterKeyRefusal, Randomness
from sealring.protocol.key_schedule import StoredKey
from sealring.protocol.standing_key import StandingKey
from sealring.signing.master_key import MasterKey, MasterKeyProblem
from sealring.signing.master_key_file import MasterKeyFile, former_file, next_file, stock_sealing_ids
from sealring.signing.sealing import SealingContext, seal
from sealring.signing.standing_key import standing_context
from sealring.signing.unsealing import KeyringProblem, key_context, unseal_value

_Key = TypeVar("_Key", StoredKey, StandingKey)


class MasterKeyBook:
    """`ports.MasterKeyKeeper` over the master key's file."""

    def __init__(self, file: MasterKeyFile, *, issuer: str, randomness: Randomness) -> None:
        self._file = file
        self._issuer = issuer
        self._randomness = randomness
        self.changing = asyncio.Lock()

    @property
    def folders(self) -> frozenset[Path]:
        """Where the files lie that hold a master key of this process, symbolic links followed."""
        return self._file.folders

    def begin_change(self, stock: KeyStock, *, to: Path | None) -> "FileMasterKeyChange | MasterKeyRefusal":
        """Make another master key, durable before this returns."""
        ids = stock_sealing_ids(stock)
        new = self._file.prepare(to=to, sealed_under=ids, randomness=self._randomness)
        if isinstance(new, MasterKeyProblem):
            return MasterKeyRefusal(code=new.code, sentence=new.sentence)
        return FileMasterKeyChange(
            self._file, new, former_id=min(ids), to=to, issuer=self._issuer, randomness=self._randomness
        )


class FileMasterKeyChange:
    """`ports.MasterKeyChange`: the new key lies in `.next`, or in a file of its own."""

    def __init__(
        self,
        file: MasterKeyFile,
        new: MasterKey,
        *,
        former_id: str,
        to: Path | None,
        issuer: str,
        randomness: Randomness,
    ) -> None:
        self._file = file
        self._new = new
        self._to = to
        self._issuer = issuer
        self._randomness = randomness
        self.former_id = former_id
        self.key_id = new.id

    def reseal(self, stock: KeyStock) -> KeyChange:
        """Seal every key of a stock under the new master key. ValueError where one does not open."""
        return reseal_stock(stock, file=self._file, new=self._new, issuer=self._issuer, randomness=self._randomness)

    def finish(self) -> MasterKeyPlaced:
        """Put the new key in its place."""
        if self._to is not None:
            present = str(self._file.path) if self._file.key.id == self.former_id else None
            return MasterKeyPlaced(file=str(self._to), former_file=present)
        problem = self._file.put_in_place(self._new)
        if problem is not None:
            return MasterKeyPlaced(file=str(next_file(self._file.path)), former_file=None, unfinished=problem.sentence)
        return MasterKeyPlaced(file=str(self._file.path), former_file=str(former_file(self._file.path, self.former_id)))

    def abandon(self) -> None:
        """Remove the new key's file."""
        (self._to or next_file(self._file.path)).unlink(missing_ok=True)


def reseal_stock(
    stock: KeyStock, *, file: MasterKeyFile, new: MasterKey, issuer: str, randomness: Randomness
) -> KeyChange:
    """Seal every key of a stock that is not erased under `new`. ValueError where one does not open."""

    def resealed(key: _Key, name: str, context: SealingContext) -> _Key:
        secret = unseal_value(key.sealed, name=name, context=context, master_key=file)
        if isinstance(secret, KeyringProblem):
            raise ValueError(secret.sentence)  # noqa: TRY004 -- a row that does not open is no wrong argument
        return msgspec.structs.replace(key, sealed=seal(new, secret, context=context, randomness=randomness))

    return KeyChange(
        version=stock.version,
        keys=tuple(resealed(key, key.kid, key_context(key, issuer)) for key in stock.keys if key.sealed),
        standing=tuple(resealed(key, key.purpose, standing_context(key.purpose, issuer)) for key in stock.standing),
    )
