"""The master key: the one key that seals all others, and its file, which is private and never overwritten.

A key's file is accepted where
- only its owner may read it (no bit for group or others: 0600, 0400), wherever it lies;
- or it lies on a *secret mount*, as container engines and systemd make them: owned by root, writable by nobody else,
  and under /run/secrets or /run/credentials, or on a read-only mount of its own (Kubernetes mounts anywhere, 0644 by
  default). In such a place the mount, not the mode, decides who sees the key. A read-only *root* file system is no
  secret mount: a key baked into an image is in every copy of that image.
"""

import base64
import binascii
import hashlib
import hmac
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

MASTER_KEY_LENGTH: Final = 32  # bytes, AES-256
MASTER_KEY_PREFIX: Final = "slm_"  # a prefix that secret scanners can know (SECURITY C5)

_KEY_ID_DIGITS: Final = 8
SECRET_MOUNTS: Final = (Path("/run/secrets"), Path("/run/credentials"), Path("/var/run/secrets"))
_LONGEST_FILE: Final = 256  # bytes: the key's line has 47, and whoever points at another file learns so at once


class MasterKey:
    """The key that seals all others: 32 bytes, and an id that may be shown.

    No Struct, on purpose: msgspec would encode its field, and a key that can slip into JSON sooner or later does.
    """

    __slots__ = ("_secret", "id")

    id: str  # 8 hex digits of SHA-256 under a label; tells keys apart, says nothing of the key

    def __init__(self, secret: bytes) -> None:
        if len(secret) != MASTER_KEY_LENGTH:
            raise ValueError(f"a master key has {MASTER_KEY_LENGTH} bytes, not {len(secret)}")
        self._secret = secret
        self.id = hashlib.sha256(b"sealring master key id\x00" + secret).hexdigest()[:_KEY_ID_DIGITS]

    def reveal(self) -> bytes:
        """Give the 32 bytes themselves: for sealing and deriving, never for a message."""
        return self._secret

    def __repr__(self) -> str:
        return f"MasterKey(id={self.id!r})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MasterKey):
            return NotImplemented
        return hmac.compare_digest(self._secret, other._secret)

    def __hash__(self) -> int:
        return hash(self.id)

    def __reduce__(self) -> str:
        raise TypeError("a master key is not pickled")


class MasterKeyProblem(Struct, frozen=True, kw_only=True):
    """Why there is no master key, for the operator: a stable code and a sentence that says what to do."""

    code: Literal[
        "master_key_missing",
        "master_key_unreadable",
        "master_key_exposed",
        "master_key_malformed",
        "master_key_exists",
        "master_key_unwritable",
        "master_key_mismatch",
    ]
    sentence: str


class FilePlace(Struct, frozen=True, kw_only=True):
    """What the judgement of a key file's permissions rests on."""

    path: Path  # resolved: symbolic links followed
    mode: int  # permission bits
    owner: int  # uid
    read_only_mount: bool  # on a read-only file system that is not the root file system


def generate_master_key(*, randomness: Callable[[int], bytes]) -> MasterKey:
    """Make a new master key of 32 bytes from `randomness`."""
    return MasterKey(randomness(MASTER_KEY_LENGTH))


def master_key_text(key: MasterKey) -> str:
    """Write a master key as `slm_` and 43 characters of base64url: the one line of its file. It is the secret."""
    return MASTER_KEY_PREFIX + base64.urlsafe_b64encode(key.reveal()).rstrip(b"=").decode("ascii")


def parse_master_key(text: str) -> MasterKey | None:
    """Read what `master_key_text` wrote, and nothing else: one encoding per key; None for any other text."""
    try:
        secret = base64.urlsafe_b64decode(text.removeprefix(MASTER_KEY_PREFIX).encode("ascii") + b"=")
    except (UnicodeEncodeError, binascii.Error):
        return None
    if len(secret) != MASTER_KEY_LENGTH:
        return None
    key = MasterKey(secret)
    # The decoder skips foreign characters and ignores spare bits; only the text that we would write ourselves counts.
    return key if hmac.compare_digest(master_key_text(key).encode(), text.encode()) else None


def load_master_key(path: Path) -> MasterKey | MasterKeyProblem:
    """Read the master key from its file, refusing a file that others may read or that holds anything else."""
    try:
        # O_NONBLOCK: a FIFO in place of the file must not hang the start.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return MasterKeyProblem(
            code="master_key_missing",
            sentence=f"There is no master key at {path}. Put it back from where you keep its copy; "
            "for a new installation, `sealring init` makes one.",
        )
    except OSError as error:
        return _unreadable(path, error)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            return MasterKeyProblem(
                code="master_key_unreadable",
                sentence=f"{path} is not a file. Name the master key's file itself.",
            )
        place = place_of(path, descriptor, status)
        content = os.read(descriptor, _LONGEST_FILE + 1)
    except OSError as error:
        return _unreadable(path, error)
    finally:
        os.close(descriptor)
    if is_exposed(place):
        return MasterKeyProblem(
            code="master_key_exposed",
            sentence=f"The master key {path} can be read by others than its owner (mode {place.mode:04o}). "
            f"Run `chmod 600 {path}`, or put it on a secret mount.",
        )
    return _parse_content(path, content)


def is_exposed(place: FilePlace) -> bool:
    """Say whether a key in this place must be refused: open to group or others, and not on a secret mount."""
    if place.mode & (stat.S_IRWXG | stat.S_IRWXO) == 0:
        return False
    if place.owner != 0 or place.mode & (stat.S_IWGRP | stat.S_IWOTH):
        return True
    return not (place.read_only_mount or any(place.path.is_relative_to(mount) for mount in SECRET_MOUNTS))


def place_of(path: Path, descriptor: int, status: os.stat_result) -> FilePlace:
    """Say where an open file lies, as `is_exposed` wants to know it. `status`: that of the descriptor."""
    read_only = bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)
    return FilePlace(
        path=path.resolve(),
        mode=stat.S_IMODE(status.st_mode),
        owner=status.st_uid,
        read_only_mount=read_only and status.st_dev != Path("/").stat().st_dev,
    )


def write_master_key(path: Path, key: MasterKey, *, beside: Path | None = None) -> MasterKeyProblem | None:
    """Write a new master key's file (0600), durable before this returns; missing folders are made with 0700.

    None when it is done. An existing file is never overwritten: what it seals would be lost. `beside`: a file whose
    owner the new one shall have, where root writes it.
    """
    try:
        _make_private_folders(path.parent)
        _write_exclusively(path, (master_key_text(key) + "\n").encode("ascii"), owner=_owner_to_be(beside))
        sync_folder(path.parent)
    except FileExistsError:
        return MasterKeyProblem(
            code="master_key_exists",
            sentence=f"There already is a file at {path}. Keep it: what its key sealed opens with no other.",
        )
    except OSError as error:
        return MasterKeyProblem(
            code="master_key_unwritable",
            sentence=f"The master key cannot be written to {path}: {reason_of(error)}. "
            "Choose a folder that this user may write to.",
        )
    return None


def _parse_content(path: Path, content: bytes) -> MasterKey | MasterKeyProblem:
    try:
        key = parse_master_key(content.decode("ascii").strip()) if len(content) <= _LONGEST_FILE else None
    except UnicodeDecodeError:
        key = None
    if key is None:
        return MasterKeyProblem(
            code="master_key_malformed",
            sentence=f"{path} does not hold a master key (one line, `slm_` and 43 characters). "
            "Put it back from where you keep its copy.",
        )
    return key


def _unreadable(path: Path, error: OSError) -> MasterKeyProblem:
    return MasterKeyProblem(
        code="master_key_unreadable",
        sentence=f"The master key {path} cannot be read: {reason_of(error)}. "
        "Give the file to the user that runs Sealring.",
    )


def reason_of(error: OSError) -> str:
    """Say in the system's words why a file's act failed."""
    return (error.strerror or "the system gave no reason").lower()


def _make_private_folders(folder: Path) -> None:
    # mkdir(parents=True) would make the upper ones with the umask's mode.
    if folder.exists():
        return  # a file in a folder's place is refused when the key is opened below it
    _make_private_folders(folder.parent)
    folder.mkdir(mode=0o700)
    sync_folder(folder.parent)


def _owner_to_be(beside: Path | None) -> tuple[int, int] | None:
    # Only root may give a file away, and only root has to: the server, which is not root, must read what root wrote.
    if beside is None or os.geteuid() != 0:
        return None
    try:
        status = beside.stat()
    except FileNotFoundError:
        return None
    return status.st_uid, status.st_gid


def _write_exclusively(path: Path, content: bytes, *, owner: tuple[int, int] | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        path.unlink(missing_ok=True)  # half a key on a full disk would pass for the key
        raise


def sync_folder(folder: Path) -> None:
    """Make durable what was made, renamed or removed in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
