"""The operator's change of the master key: all keys are sealed under another one, and none changes (SECURITY C2).

Whatever stops it leaves a store that is sealed under one master key whole, and that key in a file: what is left to do
is done when the store is opened next.
"""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from sealring.ports import MasterKeyRefusal, StoreUnavailable
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import CODES, OAuthError, refuse
from sealring.protocol.instant import Instant, Seconds, later
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import adopt_keys

_LEASE: Final = "master_key"
_LEASE_SECONDS: Final = Seconds(30)
_TRIES: Final = 8


class RewrapKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the new master key shall lie: in a new file at the absolute path `to`, None in the place of the present."""

    to: str | None = None


class KeysRewrapped(msgspec.Struct, frozen=True, kw_only=True):
    """The store is sealed under the master key `id`, which lies in `file`.

    `former_file`: where the key `former_id` lies, which older backups need; None where it is not kept there yet.
    `unfinished`: a sentence where the new key could not be put in its place; the next start tries again.
    """

    id: str
    former_id: str
    file: str
    former_file: str | None
    unfinished: str | None
    keys: int


async def rewrap_keys(request: RewrapKeys, *, desk: KeyDesk, actor: str) -> KeysRewrapped | OAuthError:
    """Change the master key, also while the store is served."""
    to = None if request.to is None else Path(request.to)
    if to is not None:
        refusal = _refuse_place(to, desk.data_folder)
        if refusal is not None:
            return refusal
    async with desk.master_key.changing:
        if not await _take_lease(desk, _LEASE_SECONDS):
            sentence = "The master key is being changed elsewhere, or was a moment ago: try again in half a minute."
            return refuse("changed_meanwhile", description=sentence)
        try:
            return await _change(desk, to=to, actor=actor)
        finally:
            with suppress(StoreUnavailable):
                await _take_lease(desk, Seconds(0))


async def _take_lease(desk: KeyDesk, seconds: Seconds) -> bool:
    now = desk.clock()
    return await desk.store.leases.take(_LEASE, holder=desk.holder, now=now, expires_at=later(now, seconds))


async def _change(desk: KeyDesk, *, to: Path | None, actor: str) -> KeysRewrapped | OAuthError:
    stock = await desk.store.keys.stock()
    # In threads, here and below: requests shall not wait for the disk.
    change = await asyncio.to_thread(desk.master_key.begin_change, stock, to=to)
    if isinstance(change, MasterKeyRefusal):
        code = change.code if change.code in CODES else "rewrap_refused"
        return refuse(code, description=change.sentence)
    for _ in range(_TRIES):
        now = desk.clock()
        stock = await desk.store.keys.stock()
        sealed = change.reseal(stock)
        event = change_event(former=change.former_id, key_id=change.key_id, actor=actor, now=now)
        # An exception leaves the new key where it is: whether the change was written is found out by the next opening.
        if await desk.store.keys.change(sealed, now=now, events=[event]) is not None:
            await adopt_keys(store=desk.store, signer=desk.signer)
            placed = await asyncio.to_thread(change.finish)
            return KeysRewrapped(
                id=change.key_id,
                former_id=change.former_id,
                file=placed.file,
                former_file=placed.former_file,
                unfinished=placed.unfinished,
                keys=len(sealed.keys) + len(sealed.standing),
            )
    await asyncio.to_thread(change.abandon)
    return refuse("store_unavailable", retry_after=1)


def change_event(*, former: str, key_id: str, actor: str, now: Instant) -> AuditEvent:
    """Describe that the store is sealed under the master key `key_id` from now on."""
    details = {"former": former, "master_key": key_id}
    return AuditEvent(event="master_key_changed", at=now, actor=actor, details=details)


def settlement_event(settlement: str, *, key_id: str, found: str, now: Instant) -> AuditEvent:
    """Describe what was done at an opening about a change that was interrupted. `found`: id of the key in `.next`."""
    details = {"settlement": settlement, "master_key": key_id, "found": found}
    return AuditEvent(event="master_key_settled", at=now, actor="sealring", details=details)


def _refuse_place(to: Path, data_folder: Path | None) -> OAuthError | None:
    if not to.is_absolute():
        return refuse("rewrap_refused", description="Name the new file by an absolute path.")
    if data_folder is not None and to.resolve().is_relative_to(data_folder.resolve()):
        sentence = f"The folder {data_folder} is what backups copy: no master key may lie in it."
        return refuse("rewrap_refused", description=sentence)
    return None
