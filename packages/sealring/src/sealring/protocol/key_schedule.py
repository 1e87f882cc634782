"""Signing and MAC keys and the states that they pass through (SECURITY C1)."""

from typing import Literal

import msgspec

from sealring.protocol.instant import Instant

KeyState = Literal["pending", "active", "retiring", "retired"]
KeyPurpose = Literal["access_token", "mac", "feed"]
"""What a key may do: sign access tokens, make refresh tokens' MACs, sign messages of the revocation feed."""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A key as the store has it: sealed under the master key.

    `kid`: for keys that sign the JWK thumbprint, for MAC keys `mac-<n>` with n = `mac_key_id` (0–255, in each token).
    `public_jwk`: JSON for the key set, None for MAC keys.
    """

    kid: str
    purpose: KeyPurpose
    alg: str
    state: KeyState
    mac_key_id: int | None
    sealed: bytes
    public_jwk: bytes | None
    created_at: Instant


class KeysMissing(msgspec.Struct, frozen=True, kw_only=True):
    """Which (purpose, state) pairs a complete stock still lacks."""

    places: tuple[tuple[KeyPurpose, KeyState], ...]


def missing_keys(keys: tuple[StoredKey, ...]) -> KeysMissing:
    """Say what must be made so that one key of each purpose is active and one signing key waits, published."""
    wanted: tuple[tuple[KeyPurpose, KeyState], ...] = (
        ("access_token", "active"),
        ("access_token", "pending"),
        ("mac", "active"),
        ("feed", "active"),
    )
    held = {(key.purpose, key.state) for key in keys}
    return KeysMissing(places=tuple(place for place in wanted if place not in held))


def published_keys(keys: tuple[StoredKey, ...], purpose: KeyPurpose) -> tuple[StoredKey, ...]:
    """Return the keys that belong in a key set: pending ones too, so that verifiers know them in time."""
    return tuple(key for key in keys if key.purpose == purpose and key.state != "retired")
