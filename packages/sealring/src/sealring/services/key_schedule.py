"""Keeps the stock of keys complete: one active of each purpose, one signing key waiting, published (SECURITY C1)."""

from sealring.ports import KeyForge, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant
from sealring.protocol.key_schedule import StoredKey, missing_keys


async def complete_key_stock(*, store: Store, forge: KeyForge, now: Instant) -> tuple[StoredKey, ...]:
    """Make the keys that the store lacks and return all it has then; two nodes that do so at once agree."""
    for purpose, state in missing_keys(await store.keys.list_all()).places:
        key = forge(purpose, state, now)
        event = AuditEvent(event="key_added", at=now, actor="sealring", details={"kid": key.kid, "state": state})
        await store.keys.add(key, events=[event])
    return await store.keys.list_all()
