"""The master key's file, and how another key takes its place so that a crash at any step loses none (SECURITY C2).

A change goes through these steps: the new key is written to `<file>.next`; all keys of the store are sealed under it in
one transaction; the former key is written to `<file>.former-<id>`; `<file>.next` is renamed to `<file>`. Whoever opens
the file next finds by the store's rows which key is at work, and takes the steps that are left. No key that was once
durable is ever removed here: what looks left over may be the only key to a database that is elsewhere just now.
"""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Final, Literal

import msgspec

from sealring.ports import KeyStock
from sealring.signing.master_key import (
    SECRET_MOUNTS,
    MasterKey,
    MasterKeyProblem,
    generate_master_key,
    load_master_key,
    reason_of,
    sync_folder,
    write_master_key,
)
from sealring.signing.sealing import sealing_key_id

_MOUNTS: Final = Path("/proc/self/mountinfo")

Settlement = Literal["finished", "put_aside"]
"""What was done about a `<file>.next` that was found: it took the file's place, or lies beside it as unused now."""


class SettledFile(msgspec.Struct, frozen=True, kw_only=True):
    """A master key's file after all steps were taken. `key`: what it holds now; `found`: id of the key in `.next`."""

    key: MasterKey
    settlement: Settlement | None = None
    found: str | None = None


class MasterKeyFile:
    """The master keys that this process knows, by id, and the file of the one that `key` is.

    Which key is at work is what the store's rows say: each names the one that seals it.
    """

    def __init__(self, path: Path, key: MasterKey) -> None:
        self.path = path
        self.key = key
        self._known = {key.id: key}
        self._elsewhere: list[Path] = []

    @property
    def folders(self) -> frozenset[Path]:
        """Where keys lie: the file's folder, and those of the files of their own that keys were written to."""
        places = [self.path, *(place for place in self._elsewhere if place.exists())]
        return frozenset(place.resolve().parent for place in places)

    def find(self, key_id: str) -> MasterKey | None:
        """Find a key by its id, reading the file again for one that is not known: another node may have changed it."""
        if key_id not in self._known:
            # In the order in which a change moves it, so that a key that is moved meanwhile is not missed.
            for path in (unused_file(self.path, key_id), next_file(self.path), self.path):
                key = load_master_key(path)
                if isinstance(key, MasterKey):
                    self._known[key.id] = key
        return self._known.get(key_id)

    def find_sealing(self, sealed: Iterable[bytes]) -> MasterKey | None:
        """Find the key that seals these values; where there are none, the one that the file holds."""
        ids = sealing_ids(sealed)
        return self.find(min(ids)) if ids else self.key

    def look_among_former(self, ids: Iterable[str]) -> None:
        """Know those of these keys, too, that were changed for others and are kept beside the file."""
        for key_id in ids:
            key = load_master_key(former_file(self.path, key_id))
            if isinstance(key, MasterKey):
                self._known.setdefault(key.id, key)

    def prepare(
        self, *, to: Path | None, sealed_under: frozenset[str], randomness: Callable[[int], bytes]
    ) -> MasterKey | MasterKeyProblem:
        """Make another key, durable before this returns: in `.next`, or in a file of its own at `to`.

        `sealed_under`: ids of the keys that seal the store's rows.
        """
        if to is None:
            problem = self._find_obstacle(sealed_under)
            if problem is not None:
                return problem
        new = generate_master_key(randomness=randomness)
        while new.id in self._known:
            new = generate_master_key(randomness=randomness)
        problem = write_master_key(next_file(self.path) if to is None else to, new, beside=self.path)
        if problem is not None:
            return problem if to is not None else _irreplaceable(self.path, problem.sentence)
        self._known[new.id] = new
        self._elsewhere += [] if to is None else [to]
        return new

    def put_in_place(self, new: MasterKey) -> MasterKeyProblem | None:
        """Let a prepared key take the file's place, now that the store is sealed under it."""
        problem = put_in_place(self.path, new)
        if problem is None:
            self.key = new
        return problem

    def _find_obstacle(self, sealed_under: frozenset[str]) -> MasterKeyProblem | None:
        if _is_fixed(self.path):
            return _irreplaceable(self.path, "It lies on a mount that is read-only or not this machine's to change.")
        settled = settle_master_key(self.path, sealed_under=sealed_under)
        if isinstance(settled, MasterKeyProblem):
            return settled
        self.key = settled.key
        if sealed_under != {settled.key.id}:
            return MasterKeyProblem(
                code="master_key_mismatch",
                sentence=f"{self.path} holds the master key {settled.key.id}, but the store is sealed under "
                f"{' '.join(sorted(sealed_under))}: let master_key_file name the file of that key first, and restart.",
            )
        return None


def settle_master_key(path: Path, *, sealed_under: frozenset[str]) -> SettledFile | MasterKeyProblem:
    """Read the master key, and finish or undo a change of it that was interrupted.

    `sealed_under`: ids of the keys that seal the store's rows, none for an empty store.
    """
    _take_back(path, sealed_under)
    present, coming = load_master_key(path), load_master_key(next_file(path))
    if isinstance(coming, MasterKeyProblem):
        if coming.code == "master_key_missing":
            return present if isinstance(present, MasterKeyProblem) else SettledFile(key=present)
        # Torn by a crash while it was written, so nothing was sealed under it yet. Anything else a person must look at.
        return _discard_torn(path, present) if coming.code == "master_key_malformed" else coming
    if sealed_under == {coming.id}:
        problem = put_in_place(path, coming)
        return problem or SettledFile(key=coming, settlement="finished", found=coming.id)
    if isinstance(present, MasterKeyProblem):
        return present
    if sealed_under <= {present.id}:
        problem = _rename(next_file(path), unused_file(path, coming.id))
        return problem or SettledFile(key=present, settlement="put_aside", found=coming.id)
    return SettledFile(key=present)


def put_in_place(path: Path, coming: MasterKey) -> MasterKeyProblem | None:
    """Let `.next`, which holds `coming`, take the file's place, the former key kept beside it under its id."""
    _take_back(path, {coming.id})
    if load_master_key(next_file(path)) != coming:
        if load_master_key(path) == coming:
            return None  # another node opened the store meanwhile, and has done it
        return MasterKeyProblem(
            code="master_key_missing",
            sentence=f"The store is sealed under the master key {coming.id}, which {next_file(path)} does not hold any "
            "more. Put it back from where you keep its copy.",
        )
    former = load_master_key(path)
    if isinstance(former, MasterKeyProblem):
        problem = None if former.code == "master_key_missing" else former
    else:
        problem = None if former == coming else _keep(former_file(path, former.id), former, beside=path)
    return problem or _rename(next_file(path), path)


def next_file(path: Path) -> Path:
    """Name the place of a key that is about to take the place of the one at `path`."""
    return path.with_name(path.name + ".next")


def former_file(path: Path, key_id: str) -> Path:
    """Name the place of a key that was at `path` before, and still opens the backups made under it."""
    return path.with_name(f"{path.name}.former-{key_id}")


def unused_file(path: Path, key_id: str) -> Path:
    """Name the place of a key that was to take the place of the one at `path`, and did not."""
    return path.with_name(f"{path.name}.unused-{key_id}")


def sealing_ids(sealed: Iterable[bytes]) -> frozenset[str]:
    """Collect under which master keys values are sealed; erased ones are under none."""
    ids = (sealing_key_id(value) for value in sealed)
    return frozenset(key_id for key_id in ids if key_id is not None)


def stock_sealing_ids(stock: KeyStock) -> frozenset[str]:
    """Collect under which master keys a store's keys are sealed: one, and none for an empty store."""
    return sealing_ids(stock.sealed)


def _take_back(path: Path, sealed_under: Collection[str]) -> None:
    """Make `.next` again what was put aside as unused by another node, which opened the store before it was sealed."""
    for key_id in sealed_under:
        aside = load_master_key(unused_file(path, key_id))
        if isinstance(aside, MasterKey) and aside != load_master_key(path) and not next_file(path).exists():
            _rename(unused_file(path, key_id), next_file(path))


def _discard_torn(path: Path, present: MasterKey | MasterKeyProblem) -> SettledFile | MasterKeyProblem:
    if isinstance(present, MasterKeyProblem):
        return present
    try:
        next_file(path).unlink()
        sync_folder(path.parent)
    except OSError as failure:
        return _unwritable(next_file(path), failure)
    return SettledFile(key=present)


def _keep(path: Path, key: MasterKey, *, beside: Path) -> MasterKeyProblem | None:
    kept = load_master_key(path)
    if kept == key:
        return None
    if isinstance(kept, MasterKeyProblem) and kept.code == "master_key_malformed":
        # Torn by a crash; the key itself still lies in its old place.
        path.unlink(missing_ok=True)
    return write_master_key(path, key, beside=beside)


def _rename(path: Path, target: Path) -> MasterKeyProblem | None:
    try:
        path.replace(target)
        sync_folder(target.parent)
    except OSError as failure:
        return _unwritable(path, failure)
    return None


def _unwritable(path: Path, failure: OSError) -> MasterKeyProblem:
    return MasterKeyProblem(
        code="master_key_unwritable",
        sentence=f"A change of the master key is not finished, because {path} cannot be moved: {reason_of(failure)}. "
        f"Let this user write to the folder, and start again.",
    )


def _irreplaceable(path: Path, reason: str) -> MasterKeyProblem:
    return MasterKeyProblem(
        code="master_key_unwritable",
        sentence=f"The master key {path} cannot be replaced. {reason} "
        "Say `--to FILE` to have the new key written there; then let master_key_file name that file.",
    )


def _is_fixed(path: Path) -> bool:
    """Say whether the file is a mount's, so that a file renamed over it fails, or is gone at the next mount."""
    place = path.resolve()
    try:
        if os.statvfs(place).f_flag & os.ST_RDONLY:
            return True
        mounts = [line.split(" ")[4] for line in _MOUNTS.read_text().splitlines()]
    except OSError:
        mounts = []
    return str(place) in mounts or any(place.is_relative_to(mount) for mount in SECRET_MOUNTS)
