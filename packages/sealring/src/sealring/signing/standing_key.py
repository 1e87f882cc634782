"""Standing keys at work: made once for a store, unsealed before its audit begins (SECURITY F1)."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from sealring.ports import KeyStock
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import FORMER_DEVICE_KEY, StoredKey
from sealring.protocol.standing_key import STANDING_PURPOSES, StandingKey, StandingPurpose
from sealring.signing.master_key import MasterKey
from sealring.signing.master_key_file import MasterKeyFile
from sealring.signing.sealing import SealingContext, derive, seal
from sealring.signing.unsealing import KeyringProblem, key_context, unseal_value

_STANDING_OCTETS: Final = 32


class StandingSecrets(msgspec.Struct, frozen=True, kw_only=True):
    """The standing keys themselves, 32 octets each."""

    audit: bytes
    pairwise: bytes

    def __repr__(self) -> str:
        return "StandingSecrets(…)"


def missing_standing_keys(stock: KeyStock) -> tuple[StandingPurpose, ...]:
    """Say which standing keys a store has not been given yet."""
    present = {key.purpose for key in stock.standing}
    return tuple(purpose for purpose in STANDING_PURPOSES if purpose not in present)


def make_standing_keys(
    stock: KeyStock, *, master_key: MasterKey, issuer: str, randomness: Callable[[int], bytes]
) -> tuple[StandingKey, ...]:
    """Make the standing keys that a store lacks, sealed under `master_key`.

    A store that had keys before it had these gets those that were derived from its master key so far: its chains go
    on. A new one gets random ones, which nobody knows who has the master key alone.
    """
    old = stock.version > 0
    return tuple(
        seal_standing_key(
            purpose,
            derive(master_key.reveal(), purpose) if old else randomness(_STANDING_OCTETS),
            master_key=master_key,
            issuer=issuer,
            randomness=randomness,
        )
        for purpose in missing_standing_keys(stock)
    )


def make_former_device_key(
    stock: KeyStock, *, master_key: MasterKey, issuer: str, randomness: Callable[[int], bytes]
) -> tuple[StoredKey, ...]:
    """Make the key under which a store from before standing keys made device tokens; none for another store.

    It was derived from the master key, and begins the line of cookie keys, so that known devices stay known.
    """
    if stock.version == 0 or any(key.purpose == "cookie" for key in stock.keys):
        return ()
    key = StoredKey(
        kid=FORMER_DEVICE_KEY,
        purpose="cookie",
        alg="HS256",
        state="active",
        mac_key_id=None,
        sealed=b"",
        public_jwk=None,
        created_at=min((key.created_at for key in stock.keys), default=Instant(0)),
    )
    secret = derive(master_key.reveal(), "device")
    sealed = seal(master_key, secret, context=key_context(key, issuer), randomness=randomness)
    return (msgspec.structs.replace(key, sealed=sealed),)


def copy_standing_keys(
    stock: KeyStock,
    *,
    master_key: MasterKeyFile,
    former_issuer: str,
    issuer: str,
    randomness: Callable[[int], bytes],
) -> tuple[StandingKey, ...]:
    """Seal the standing keys of a copy anew for `issuer`, where the master key opens them; else make others.

    Who has the original's master key goes on with its audit, whose chains then still hold. Anybody else begins another.
    """
    found = None
    if not missing_standing_keys(stock):
        found = open_standing_keys(stock.standing, master_key=master_key, issuer=former_issuer)
    if not isinstance(found, StandingSecrets):
        emptied = KeyStock(version=stock.version if found is None else 0, keys=())
        return make_standing_keys(emptied, master_key=master_key.key, issuer=issuer, randomness=randomness)
    secrets: dict[StandingPurpose, bytes] = {"audit": found.audit, "pairwise": found.pairwise}
    return tuple(
        seal_standing_key(purpose, secret, master_key=master_key.key, issuer=issuer, randomness=randomness)
        for purpose, secret in secrets.items()
    )


def seal_standing_key(
    purpose: StandingPurpose,
    secret: bytes,
    *,
    master_key: MasterKey,
    issuer: str,
    randomness: Callable[[int], bytes],
) -> StandingKey:
    """Seal a standing key for its row."""
    sealed = seal(master_key, secret, context=standing_context(purpose, issuer), randomness=randomness)
    return StandingKey(purpose=purpose, sealed=sealed)


def open_standing_keys(
    keys: Iterable[StandingKey], *, master_key: MasterKeyFile, issuer: str
) -> StandingSecrets | KeyringProblem:
    """Unseal a store's standing keys, none of which is missing."""
    secrets: dict[StandingPurpose, bytes] = {}
    for key in keys:
        context = standing_context(key.purpose, issuer)
        secret = unseal_value(key.sealed, name=key.purpose, context=context, master_key=master_key)
        if isinstance(secret, KeyringProblem):
            return secret
        secrets[key.purpose] = secret
    return StandingSecrets(audit=secrets["audit"], pairwise=secrets["pairwise"])


def standing_context(purpose: StandingPurpose, issuer: str) -> SealingContext:
    """Say where a standing key's seal belongs."""
    return SealingContext(issuer=issuer, table="standing_keys", row_id=purpose, purpose=purpose)
