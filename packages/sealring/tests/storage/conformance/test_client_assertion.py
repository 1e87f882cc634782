import asyncio
from hashlib import sha256

from sealring.ports import Store
from sealring.protocol.client_assertion import AcceptedAssertion
from sealring.protocol.instant import Instant


def assertion(name: str = "one", *, expires_at: int = 5000) -> AcceptedAssertion:
    return AcceptedAssertion(digest=sha256(name.encode()).digest(), expires_at=Instant(expires_at))


async def test_an_assertion_is_spent_once_whatever_it_says_of_its_expiry(store: Store) -> None:
    assert await store.client_assertions.spend(assertion())
    assert not await store.client_assertions.spend(assertion())
    assert not await store.client_assertions.spend(assertion(expires_at=9000))
    assert await store.client_assertions.spend(assertion("two"))


async def test_of_many_at_once_one_spends_it(store: Store) -> None:
    spent = await asyncio.gather(*(store.client_assertions.spend(assertion()) for _ in range(20)))
    assert sorted(spent) == [False] * 19 + [True]


async def test_what_has_expired_is_forgotten_a_part_at_a_time_and_the_rest_is_kept(store: Store) -> None:
    for number in range(4):
        await store.client_assertions.spend(assertion(f"{number}", expires_at=1000 + number))
    assert await store.client_assertions.forget_expired(before=Instant(1002), limit=2) == 2
    assert await store.client_assertions.forget_expired(before=Instant(1002), limit=2) == 1
    assert await store.client_assertions.forget_expired(before=Instant(1002), limit=2) == 0
    assert not await store.client_assertions.spend(assertion("3"))
    assert await store.client_assertions.spend(assertion("0"))
