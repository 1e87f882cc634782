"""What the operator's acts work with, laid out once for the control socket and the command line."""

from collections.abc import Callable
from pathlib import Path

import msgspec

from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import Clock, PasswordHashing, Randomness, Signer, Store, StoreUnavailable
from sealring.services.acknowledgement import Readers
from sealring.services.key_admin import KeyDesk
from sealring.services.readiness import Readiness

__all__ = ["Desk", "StoreUnavailable"]

Remember = Callable[[bytes, int], None]
"""Keep an incarnation and its feed number beside the master key (SECURITY A9)."""


class Desk(msgspec.Struct, frozen=True, kw_only=True):
    """The store and what stands around it.

    `audit_key`: 32 octets, under which the audit's chains are made. `key_folder`: where the settings say that the
    master key lies, which may be a link. `readers`: who reads the revocation feed, None where no server runs.
    `remember`: writes down outside of the store which one it is; None while a server runs, whose keys are bound to the
    incarnation that it opened. `readiness`: whether this node may serve.
    """

    store: Store
    signer: Signer
    hashing: PasswordHashing
    password_policy: PasswordPolicy
    clock: Clock
    randomness: Randomness
    issuer: str
    audit_key: bytes
    keys: KeyDesk
    key_folder: Path | None = None
    readers: Readers | None = None
    remember: Remember | None = None
    readiness: Readiness = msgspec.field(default_factory=Readiness)

    @property
    def halted(self) -> bool:
        """True where the store is not the one that this node knew (SECURITY A9): no tokens."""
        return self.readiness.halted

    @property
    def key_folders(self) -> frozenset[Path]:
        """Where a master key lies, and no copy of the store may."""
        return self.keys.master_key.folders | ({self.key_folder} if self.key_folder is not None else set())

    def __repr__(self) -> str:
        return f"Desk(issuer={self.issuer!r}, …)"
