import asyncio
from collections.abc import Awaitable, Callable
from hashlib import sha256

import msgspec

from sealring.ports import Store
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.client import Client
from sealring.protocol.initial_access_token import InitialAccessToken
from sealring.protocol.instant import Instant, Seconds

Recorded = Callable[[], Awaitable[list[AuditEvent]]]
EVENT = AuditEvent(event="client_registered", at=3000, actor="client:c1", client_id="c1")
NOW = Instant(3000)


def token(name: str = "one", *, uses_left: int = 2, expires_at: int = 9000) -> InitialAccessToken:
    return InitialAccessToken(
        id=name,
        digest=sha256(name.encode()).digest(),
        note="für the books team",
        uses_left=uses_left,
        created_at=Instant(1000),
        expires_at=Instant(expires_at),
    )


def client(name: str = "c1") -> Client:
    return Client(
        client_id=name,
        name=name,
        type="public",
        allowed={},
        self_registered=True,
        idle_lifetime=Seconds(60),
        absolute_lifetime=Seconds(600),
        epoch=3,
        created_at=1000,
    )


async def register(
    store: Store, name: str = "c1", *, by: InitialAccessToken | None = None, most: int = 10, now: Instant = NOW
) -> str:
    digest = None if by is None else by.digest
    return await store.clients.register(client(name), initial_access_token=digest, most=most, now=now, events=[EVENT])


async def test_a_token_is_read_back_while_it_is_live(store: Store, recorded: Recorded) -> None:
    await store.initial_access_tokens.add(token(), events=[EVENT])
    assert await store.initial_access_tokens.find_live(token().digest, now=NOW) == token()
    assert await store.initial_access_tokens.find_live(token().digest, now=Instant(9000)) is None
    assert await store.initial_access_tokens.find_live(bytes(32), now=NOW) is None
    assert await store.initial_access_tokens.list_all() == (token(),)
    assert await recorded() == [EVENT]


async def test_each_registration_spends_a_use_until_none_is_left(store: Store, recorded: Recorded) -> None:
    await store.initial_access_tokens.add(token(), events=[])
    outcomes = [await register(store, name, by=token()) for name in ("c1", "c2", "c3")]
    assert outcomes == ["registered", "registered", "token_spent"]
    assert [each.client_id for each in await store.clients.list_all()] == ["c1", "c2"]
    assert await store.initial_access_tokens.find_live(token().digest, now=NOW) is None
    (kept,) = await store.initial_access_tokens.list_all()
    assert kept.uses_left == 0
    assert await recorded() == [EVENT, EVENT]


async def test_an_expired_an_unknown_and_a_deleted_token_register_nobody(store: Store) -> None:
    await store.initial_access_tokens.add(token(), events=[])
    assert await register(store, by=token(), now=Instant(9000)) == "token_spent"
    assert await register(store, by=token("other")) == "token_spent"
    assert await store.initial_access_tokens.delete("one", events=[])
    assert not await store.initial_access_tokens.delete("one", events=[EVENT])
    assert await register(store, by=token()) == "token_spent"
    assert await store.clients.list_all() == ()


async def test_what_is_not_registered_spends_nothing(store: Store) -> None:
    await store.initial_access_tokens.add(token(), events=[])
    assert await register(store, "c1", by=token()) == "registered"
    assert await register(store, "c1", by=token()) == "taken"
    assert await register(store, "c2", by=token(), most=1) == "full"
    (kept,) = await store.initial_access_tokens.list_all()
    assert kept.uses_left == 1


async def test_of_many_at_once_no_more_are_registered_than_may_be(store: Store) -> None:
    names = [f"c{number}" for number in range(12)]
    outcomes = await asyncio.gather(*(register(store, name, most=5) for name in names))
    assert sorted(outcomes) == ["full"] * 7 + ["registered"] * 5
    await store.initial_access_tokens.add(token(uses_left=3), events=[])
    by_token = await asyncio.gather(*(register(store, f"t{name}", by=token(), most=99) for name in names))
    assert sorted(by_token) == ["registered"] * 3 + ["token_spent"] * 9


async def test_only_living_clients_that_registered_themselves_count(store: Store) -> None:
    operators = msgspec.structs.replace(client("operators"), self_registered=False)
    assert await store.clients.add(operators, events=[])
    assert await register(store, "c1", most=1) == "registered"
    assert await register(store, "c2", most=1) == "full"
    await store.clients.delete("c1", now=NOW, events=[])
    assert await register(store, "c2", most=1) == "registered"


async def test_expired_tokens_are_forgotten_a_part_at_a_time_and_used_ones_are_kept(store: Store) -> None:
    for number in range(3):
        await store.initial_access_tokens.add(token(f"{number}", expires_at=2000 + number), events=[])
    await store.initial_access_tokens.add(token("used", uses_left=0), events=[])
    assert await store.initial_access_tokens.forget_expired(before=Instant(5000), limit=2) == 2
    assert await store.initial_access_tokens.forget_expired(before=Instant(5000), limit=2) == 1
    assert [each.id for each in await store.initial_access_tokens.list_all()] == ["used"]
