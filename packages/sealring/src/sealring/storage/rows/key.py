"""Rows of keys."""

from collections.abc import Sequence
from typing import Any

import msgspec

from sealring.protocol.key_schedule import StoredKey


def key_row(key: StoredKey) -> dict[str, Any]:
    """Write a key as the values of its row."""
    row = msgspec.structs.asdict(key)
    row["public_jwk"] = None if key.public_jwk is None else key.public_jwk.decode()
    return row


def key_of(row: Sequence[Any]) -> StoredKey:
    """Read what LIST_KEYS returns."""
    kid, purpose, alg, state, mac_key_id, sealed, public_jwk, created_at, api, activated_at, leaves_at = row
    return StoredKey(
        kid=kid,
        purpose=purpose,
        alg=alg,
        state=state,
        mac_key_id=mac_key_id,
        sealed=sealed,
        public_jwk=None if public_jwk is None else public_jwk.encode(),
        created_at=created_at,
        api=api,
        activated_at=activated_at,
        leaves_at=leaves_at,
    )
