"""Opening what the store keeps sealed, or the sentence that tells the operator why it does not open."""

from collections.abc import Iterable

import msgspec

from sealring.protocol.key_schedule import FORMER_DEVICE_KEY, StoredKey
from sealring.signing.master_key_file import MasterKeyFile, former_file, unused_file
from sealring.signing.sealing import SealBroken, SealingContext, sealing_key_id, unseal


class KeyringProblem(msgspec.Struct, frozen=True):
    """Why the keys of a store cannot be used, as a sentence for the operator."""

    sentence: str


def unseal_value(
    sealed: bytes, *, name: str, context: SealingContext, master_key: MasterKeyFile
) -> bytes | KeyringProblem:
    """Open a sealed value for its row, under whichever master key it names; `name`: for the sentence."""
    sealing_id = sealing_key_id(sealed) or "unknown"
    key = master_key.find(sealing_id)
    try:
        if key is not None:
            return unseal(key, sealed, context=context)
    except SealBroken:
        return KeyringProblem(
            f"The master key (id {sealing_id}) does not open the key {name} of this store: keep the issuer as it was, "
            "and master_key_file pointed at the key that was made with it; else restore a backup."
        )
    return KeyringProblem(
        f"The master key (id {master_key.key.id}) does not open the key {name} of this store, which is sealed under "
        f"the master key {sealing_id}. Point master_key_file at that one{_where(master_key, sealing_id)}, and keep "
        "the issuer as it was."
    )


def unseal_key(key: StoredKey, *, master_key: MasterKeyFile, issuer: str) -> bytes | KeyringProblem:
    """Open a stored key, which is not erased."""
    return unseal_value(key.sealed, name=key.kid, context=key_context(key, issuer), master_key=master_key)


def find_seal_problem(keys: Iterable[StoredKey], *, master_key: MasterKeyFile, issuer: str) -> KeyringProblem | None:
    """Say which of a store's keys does not open, or None."""
    for key in keys:
        if key.sealed:
            secret = unseal_key(key, master_key=master_key, issuer=issuer)
            if isinstance(secret, KeyringProblem):
                return secret
    return None


def key_context(key: StoredKey, issuer: str) -> SealingContext:
    """Say where a key's seal belongs."""
    if key.kid == FORMER_DEVICE_KEY:
        # It came from that table, by a migration, which has no master key to seal it anew.
        return SealingContext(issuer=issuer, table="standing_keys", row_id="device", purpose="device")
    # An API's secret opens for no other API, so that nobody who moves rows makes one the other's.
    purpose = key.purpose if key.api is None else f"{key.purpose} {key.api}"
    return SealingContext(issuer=issuer, table="keys", row_id=key.kid, kid=key.kid, alg=key.alg, purpose=purpose)


def _where(master_key: MasterKeyFile, key_id: str) -> str:
    for place in (former_file(master_key.path, key_id), unused_file(master_key.path, key_id)):
        if place.exists():
            return f" (it is kept as {place})"
    return ""
