"""Everything that the acts work with, joined once by `compose` and handed to the doors."""

import msgspec

from sealring.credentials.password_policy import PasswordPolicy
from sealring.ports import (
    Clock,
    PasswordHashing,
    Randomness,
    ServiceClock,
    Signer,
    SignInLimit,
    Store,
    StoreUnavailable,
)

__all__ = ["House", "StoreUnavailable"]


class House(msgspec.Struct, frozen=True, kw_only=True):
    """The ports in their places.

    `halted`: True where the store is not the one that this node knew (SECURITY A9): no tokens until `recover`.
    """

    issuer: str
    store: Store
    signer: Signer
    hashing: PasswordHashing
    limit: SignInLimit
    clock: Clock
    service_clock: ServiceClock
    randomness: Randomness
    password_policy: PasswordPolicy
    halted: bool
