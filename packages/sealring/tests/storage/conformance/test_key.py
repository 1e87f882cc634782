import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.key_schedule import StoredKey

Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="key_added", at=1000, actor="sealring")
SIGNING = StoredKey(
    kid="thumb-1",
    purpose="access_token",
    alg="ES256",
    state="active",
    mac_key_id=None,
    sealed=b"\x00sealed\xff",
    public_jwk=b'{"kty":"EC"}',
    created_at=1000,
)
MAC = StoredKey(
    kid="mac-0",
    purpose="mac",
    alg="HS256",
    state="active",
    mac_key_id=0,
    sealed=b"sealed",
    public_jwk=None,
    created_at=999,
)


async def test_keys_are_read_back_as_kept_oldest_first(store: Store, recorded: Recorded) -> None:
    assert await store.keys.add(SIGNING, events=[EVENT])
    assert await store.keys.add(MAC, events=[EVENT])
    assert await store.keys.list_all() == (MAC, SIGNING)
    assert await recorded() == [EVENT, EVENT]


async def test_of_nodes_that_start_at_once_one_key_of_a_purpose_and_state_is_kept(
    store: Store, recorded: Recorded
) -> None:
    rivals = [msgspec.structs.replace(SIGNING, kid=f"thumb-{number}") for number in range(8)]
    kept = await asyncio.gather(*(store.keys.add(key, events=[EVENT]) for key in rivals))
    assert sum(kept) == 1
    assert len(await store.keys.list_all()) == 1
    assert await recorded() == [EVENT]


async def test_a_pending_key_waits_beside_an_active_one(store: Store) -> None:
    pending = msgspec.structs.replace(SIGNING, kid="thumb-2", state="pending")
    assert await store.keys.add(SIGNING, events=[])
    assert await store.keys.add(pending, events=[])
    assert {key.state for key in await store.keys.list_all()} == {"active", "pending"}
