from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import Store
from sealring.protocol.api import Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Seconds

Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="api_changed", at=3000, actor="cli:test", api="orders")
ORDERS = Api(
    identifier="orders",
    scopes={"orders:read": "Read “orders”", "orders:write": "Write orders"},
    access_token_lifetime=Seconds(7200),
    byte_budget=1024,
    claims=("roles", "department"),
    secret_digests=(b"\x00" * 32, b"\xfe" * 32),
    insecure_long_access_tokens=True,
    created_at=1000,
)


async def test_an_api_is_read_back_as_registered(store: Store, recorded: Recorded) -> None:
    assert await store.apis.add(ORDERS, events=[EVENT])
    assert await store.apis.find("orders") == ORDERS
    assert await store.apis.find("stock") is None
    assert await recorded() == [EVENT]


async def test_apis_are_listed_by_identifier(store: Store) -> None:
    for identifier in ("stock", "https://api.example/orders", "orders"):
        await store.apis.add(msgspec.structs.replace(ORDERS, identifier=identifier), events=[])
    listed = [api.identifier for api in await store.apis.list_all()]
    assert listed == ["https://api.example/orders", "orders", "stock"]


async def test_a_taken_identifier_registers_nothing(store: Store, recorded: Recorded) -> None:
    await store.apis.add(ORDERS, events=[EVENT])
    assert not await store.apis.add(msgspec.structs.replace(ORDERS, scopes={}), events=[EVENT])
    assert await store.apis.find("orders") == ORDERS
    assert await recorded() == [EVENT]


async def test_an_api_is_replaced_and_deleted_once(store: Store, recorded: Recorded) -> None:
    changed = msgspec.structs.replace(ORDERS, claims=(), secret_digests=())
    assert not await store.apis.replace(changed, read=ORDERS, events=[EVENT])
    await store.apis.add(ORDERS, events=[])
    assert await store.apis.replace(changed, read=ORDERS, events=[EVENT])
    assert not await store.apis.replace(ORDERS, read=ORDERS, events=[EVENT])
    assert await store.apis.find("orders") == changed
    assert await store.apis.delete("orders", events=[EVENT])
    assert not await store.apis.delete("orders", events=[EVENT])
    assert await store.apis.find("orders") is None
    assert await recorded() == [EVENT, EVENT]
