from sealring.ports import Store


async def take(store: Store, holder: str, *, now: int, name: str = "work") -> bool:
    return await store.leases.take(name, holder=holder, now=now, expires_at=now + 100)


async def test_one_holder_at_a_time_has_a_lease(store: Store) -> None:
    assert await take(store, "one", now=1000)
    assert not await take(store, "two", now=1001)
    assert await take(store, "two", now=1001, name="other work")


async def test_a_lease_is_free_from_the_instant_it_expires(store: Store) -> None:
    assert await take(store, "one", now=1000)
    assert not await take(store, "two", now=1099)
    assert await take(store, "two", now=1100)
    assert not await take(store, "one", now=1101)


async def test_its_holder_keeps_a_lease_for_longer(store: Store) -> None:
    assert await take(store, "one", now=1000)
    assert await take(store, "one", now=1090)
    assert not await take(store, "two", now=1100)
    assert await take(store, "two", now=1190)
