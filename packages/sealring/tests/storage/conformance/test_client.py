import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from sealring.ports import NewSession, Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client, ClientPages, Gate
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.user import User

OpenSession = Callable[..., Awaitable[NewSession]]
Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="client_changed", at=3000, actor="cli:test", client_id="till")
TILL = Client(
    client_id="till",
    name="Kasse №1",
    type="confidential",
    secret_digests=(bytes(32), b"\xff" * 32),
    first_party=True,
    permissions=frozenset({"sessions:create"}),
    allowed={"orders": frozenset({"orders:read"}), "stock": frozenset({"stock:read", "stock:write"})},
    origins=frozenset({"https://till.example"}),
    refresh=False,
    idle_lifetime=Seconds(60),
    absolute_lifetime=Seconds(600),
    grace_window=Seconds(0),
    epoch=3,
    created_at=1000,
)


async def test_a_client_is_read_back_as_registered(shop: Store) -> None:
    assert await shop.clients.add(TILL, events=[EVENT])
    assert await shop.clients.find("till") == TILL
    assert [client.client_id for client in await shop.clients.list_all()] == ["shop", "till"]
    assert await shop.clients.find("nobody") is None


async def test_the_client_behind_a_gated_host_is_read_back(store: Store) -> None:
    gate = msgspec.structs.replace(
        TILL, client_id="gate~app.example~8443", gate=Gate(host="app.example:8443", api="orders")
    )
    assert await store.clients.add(gate, events=[])
    assert await store.clients.find("gate~app.example~8443") == gate


async def test_a_taken_client_id_registers_nothing(store: Store, recorded: Recorded) -> None:
    assert await store.clients.add(TILL, events=[EVENT])
    assert not await store.clients.add(msgspec.structs.replace(TILL, name="Other"), events=[EVENT])
    assert await store.clients.find("till") == TILL
    assert await recorded() == [EVENT]


async def test_a_registration_that_changed_since_it_was_read_is_not_replaced(store: Store, recorded: Recorded) -> None:
    await store.clients.add(TILL, events=[])
    first = msgspec.structs.replace(TILL, name="First")
    assert await store.clients.replace(first, read=TILL, events=[])
    assert not await store.clients.replace(msgspec.structs.replace(TILL, refresh=False), read=TILL, events=[EVENT])
    assert await store.clients.find("till") == first
    await store.clients.set_disabled("till", disabled=True, now=Instant(5000), events=[])
    assert not await store.clients.replace(TILL, read=first, events=[EVENT])
    assert await recorded() == []


async def test_a_replaced_registration_keeps_epoch_state_and_birth(store: Store, recorded: Recorded) -> None:
    await store.clients.add(TILL, events=[])
    await store.clients.set_disabled("till", disabled=True, now=Instant(5000), events=[])
    changed = msgspec.structs.replace(TILL, name="Kasse 2", epoch=99, disabled_at=None, created_at=Instant(99))
    read = await store.clients.find("till")
    assert read is not None
    assert await store.clients.replace(changed, read=read, events=[EVENT])
    assert await store.clients.find("till") == msgspec.structs.replace(
        TILL, name="Kasse 2", epoch=5, disabled_at=Instant(5000)
    )
    assert not await store.clients.replace(msgspec.structs.replace(TILL, client_id="nobody"), read=TILL, events=[EVENT])
    assert await recorded() == [EVENT]


async def test_disabling_a_client_raises_its_epoch_and_ends_its_sessions_for_good(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session(1)
    await open_session(2)
    await shop.clients.add(TILL, events=[])
    await open_session(3, client_id="till", client_epoch=3)
    assert await shop.clients.set_disabled("shop", disabled=True, now=Instant(3000), events=[EVENT]) == 2
    assert await shop.clients.set_disabled("shop", disabled=False, now=Instant(4000), events=[EVENT]) == 0
    client = await shop.clients.find("shop")
    assert client is not None
    assert (client.epoch, client.disabled_at) == (8, None)
    live = await shop.sessions.list_live(sub=None, now=Instant(4000), limit=9)
    assert [session.sid for session in live] == ["sid-3"]
    assert await recorded() == [EVENT, EVENT]
    assert (await shop.state.identity()).feed_number == 1


async def test_a_compromised_client_is_replaced_only_as_it_was_read(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session()
    read = await shop.clients.find("shop")
    assert read is not None
    renamed = msgspec.structs.replace(read, name="Renamed meanwhile")
    assert await shop.clients.replace(renamed, read=read, events=[])
    safe = msgspec.structs.replace(read, secret_digests=(b"n" * 32,))
    assert await shop.clients.compromise(safe, read=read, now=Instant(3000), events=[EVENT]) is None
    # Nothing was done: neither was the other change lost nor a session ended.
    assert await shop.clients.find("shop") == renamed
    assert await shop.sessions.count_live(sub=None, now=Instant(3000)) == 1
    assert (await shop.state.identity()).feed_number == 0
    safe = msgspec.structs.replace(renamed, secret_digests=(b"n" * 32,))
    assert await shop.clients.compromise(safe, read=renamed, now=Instant(3000), events=[EVENT]) == 1
    after = await shop.clients.find("shop")
    assert after is not None
    assert (after.name, after.secret_digests, after.epoch > read.epoch) == (renamed.name, safe.secret_digests, True)
    assert await recorded() == [EVENT]


async def test_a_deleted_client_is_gone_with_its_sessions(shop: Store, open_session: OpenSession) -> None:
    session = await open_session()
    assert await shop.clients.delete("shop", now=Instant(3000), events=[]) == 1
    assert await shop.clients.find("shop") is None
    assert await shop.clients.list_all() == ()
    assert await shop.clients.delete("shop", now=Instant(3000), events=[]) is None
    family = await shop.sessions.find_family(session.key)
    assert family is not None
    assert (family.ended_at, family.client_epoch) == (3000, None)


async def test_a_client_registered_again_under_an_old_id_brings_no_session_back(
    shop: Store, open_session: OpenSession
) -> None:
    session = await open_session()
    shop_before = await shop.clients.find("shop")
    await shop.clients.delete("shop", now=Instant(3000), events=[])
    assert await shop.clients.add(shop_before, events=[])
    again = await shop.clients.find("shop")
    assert again is not None
    assert again.epoch > shop_before.epoch
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is None
    late = msgspec.structs.replace(session, key=b"l" * 20, sid="late")
    assert not await shop.sessions.create(late, now=Instant(3000), events=[])


async def test_every_act_on_an_unknown_client_says_so_and_records_nothing(store: Store, recorded: Recorded) -> None:
    assert await store.clients.set_disabled("nobody", disabled=True, now=Instant(1), events=[EVENT]) is None
    assert await store.clients.set_disabled("nobody", disabled=False, now=Instant(1), events=[EVENT]) is None
    assert await store.clients.delete("nobody", now=Instant(1), events=[EVENT]) is None
    assert await recorded() == []
    assert (await store.state.identity()).feed_number == 0


async def test_an_origin_is_registered_while_a_client_that_has_it_is_enabled(store: Store) -> None:
    till = msgspec.structs.replace(TILL, token_delivery="body")
    await store.clients.add(till, events=[])
    assert await store.clients.find_deliveries("https://till.example") == {"body"}
    assert not await store.clients.find_deliveries("https://till.example:444")
    assert not await store.clients.find_deliveries("till.example")
    await store.clients.set_disabled("till", disabled=True, now=Instant(1), events=[])
    assert not await store.clients.find_deliveries("https://till.example")
    await store.clients.set_disabled("till", disabled=False, now=Instant(1), events=[])
    assert await store.clients.find_deliveries("https://till.example") == {"body"}
    await store.clients.delete("till", now=Instant(1), events=[])
    assert not await store.clients.find_deliveries("https://till.example")


async def test_an_origin_has_the_deliveries_of_all_its_clients(store: Store) -> None:
    for name, delivery in (("till", "cookie"), ("desk", "body"), ("stall", "cookie")):
        client = msgspec.structs.replace(TILL, client_id=name, token_delivery=delivery)
        assert await store.clients.add(client, events=[])
    assert await store.clients.find_deliveries("https://till.example") == {"body", "cookie"}


async def test_no_client_has_the_sub_of_a_person_not_even_of_a_deleted_one(shop: Store, recorded: Recorded) -> None:
    named = msgspec.structs.replace(TILL, client_id="ada")
    assert not await shop.clients.add(named, events=[EVENT])
    await shop.users.delete("ada", now=Instant(5000), events=[])
    assert not await shop.clients.add(named, events=[EVENT])
    assert await shop.clients.find("ada") is None
    assert await recorded() == []


async def test_of_a_client_and_a_person_who_race_for_a_name_one_gets_it(store: Store) -> None:
    for number in range(20):
        name = f"name-{number}"
        person = User(sub=name, claims={}, epoch=1, created_at=1)
        client, added, subject = await asyncio.gather(
            store.clients.add(msgspec.structs.replace(TILL, client_id=name), events=[]),
            store.users.add(person, username_key=None, email_key=None, password_hash=None, events=[]),
            store.users.add_subject(person, events=[]),
        )
        assert client is not added
        assert client is (subject is None)


async def test_a_client_in_its_own_name_is_read_back_with_its_method(store: Store) -> None:
    robot = msgspec.structs.replace(TILL, client_credentials=True, secret_method="client_secret_post")
    assert await store.clients.add(robot, events=[])
    assert await store.clients.find("till") == robot


async def test_an_epoch_step_ends_the_sessions_and_leaves_the_registration_to_whoever_changes_it(
    shop: Store, open_session: OpenSession, recorded: Recorded
) -> None:
    await open_session(1)
    before = await shop.clients.find("shop")
    assert before is not None
    changed = msgspec.structs.replace(before, name="Changed meanwhile")
    await shop.clients.replace(changed, read=before, events=[])
    assert await shop.clients.raise_epoch("shop", now=Instant(9_000_000), events=[EVENT]) == 1
    after = await shop.clients.find("shop")
    assert after == msgspec.structs.replace(changed, epoch=9000)
    assert await shop.sessions.find("sid-1", now=Instant(3000)) is None
    assert await shop.clients.raise_epoch("nobody", now=Instant(9_000_000), events=[EVENT]) is None
    assert await recorded() == [EVENT]


async def test_clients_at_which_a_log_in_can_begin_are_listed_the_operators_first(store: Store) -> None:
    pages = ClientPages(initiate_login_uri="https://till.example/start")
    for name, self_registered in (("a", True), ("b", False), ("c", False), ("d", False), ("e", False)):
        shown = ClientPages() if name == "c" else pages
        named = msgspec.structs.replace(TILL, client_id=name, pages=shown, self_registered=self_registered)
        assert await store.clients.add(named, events=[])
    await store.clients.set_disabled("d", disabled=True, now=Instant(5000), events=[])
    await store.clients.delete("e", now=Instant(5000), events=[])
    assert [client.client_id for client in await store.clients.list_initiating(limit=10)] == ["b", "a"]
    assert [client.client_id for client in await store.clients.list_initiating(limit=1)] == ["b"]
