import asyncio
from collections.abc import Mapping

from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.client import AssertionTerms, Client
from sealring.services.client_keys import ClientKeys

URI = "https://shop.example/keys"
EMPTY = b'{"keys":[]}'
SHOP = Client(
    client_id="shop",
    name="Shop",
    type="confidential",
    assertion=AssertionTerms(),
    jwks_uri=URI,
    allowed={},
    epoch=1,
    created_at=1,
)


class Publisher:
    """A client's server: `says` what comes next, counts who asked, and waits for `gate` where it is shut."""

    def __init__(self, says: OutgoingAnswer | OutgoingFailed) -> None:
        self.says = says
        self.asked: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.seconds = 1000.0

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        self.asked.append(url)
        await self.gate.wait()
        return self.says

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingAnswer | OutgoingFailed:
        raise NotImplementedError

    async def post_json(self, url: str, body: bytes) -> OutgoingAnswer | OutgoingFailed:
        raise NotImplementedError

    def keys(self) -> ClientKeys:
        return ClientKeys(self, monotonic=lambda: self.seconds)


def published(document: bytes = EMPTY, *, status: int = 200, cache_control: str | None = None) -> OutgoingAnswer:
    return OutgoingAnswer(status=status, body=document, cache_control=cache_control)


def client(**members: object) -> Client:
    import msgspec

    return msgspec.structs.replace(SHOP, **members)


async def test_registered_keys_are_asked_of_nobody() -> None:
    publisher = Publisher(OutgoingFailed())
    inline = client(jwks='{"keys":[]}', jwks_uri=None)
    assert await publisher.keys().find(inline) == EMPTY
    assert await publisher.keys().find(inline, unknown_key=True) == EMPTY
    assert publisher.asked == []


async def test_a_client_without_keys_has_none() -> None:
    assert await Publisher(OutgoingFailed()).keys().find(client(jwks_uri=None)) is None


async def test_published_keys_are_kept_for_a_while() -> None:
    publisher = Publisher(published())
    keys = publisher.keys()
    for _ in range(3):
        assert await keys.find(SHOP) == EMPTY
    publisher.seconds += 239
    await keys.find(SHOP)
    assert publisher.asked == [URI]
    publisher.seconds += 2
    await keys.find(SHOP)
    assert publisher.asked == [URI, URI]


async def test_the_publisher_says_for_how_long_within_bounds() -> None:
    publisher = Publisher(published(cache_control="max-age=1"))
    keys = publisher.keys()
    await keys.find(SHOP)
    publisher.seconds += 23
    await keys.find(SHOP)
    assert len(publisher.asked) == 1
    publisher.says = published(cache_control="max-age=999999999")
    publisher.seconds += 2
    await keys.find(SHOP)
    publisher.seconds += 3601
    await keys.find(SHOP)
    assert len(publisher.asked) == 3


async def test_an_unknown_key_makes_one_fetch_in_ten_seconds() -> None:
    publisher = Publisher(published())
    keys = publisher.keys()
    await keys.find(SHOP)
    for _ in range(5):
        await keys.find(SHOP, unknown_key=True)
    assert len(publisher.asked) == 1
    publisher.seconds += 10
    for _ in range(5):
        await keys.find(SHOP, unknown_key=True)
    assert len(publisher.asked) == 2


async def test_whoever_asks_at_the_same_time_waits_for_one_fetch() -> None:
    publisher = Publisher(published())
    publisher.gate.clear()
    keys = publisher.keys()
    asking = [asyncio.create_task(keys.find(SHOP)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    publisher.gate.set()
    assert await asyncio.gather(*asking[1:]) == [EMPTY] * 4
    assert len(publisher.asked) == 1


async def test_a_publisher_that_is_down_is_asked_once_in_five_seconds_and_its_keys_are_kept_for_a_while() -> None:
    publisher = Publisher(published())
    keys = publisher.keys()
    await keys.find(SHOP)
    publisher.says = OutgoingFailed()
    publisher.seconds += 301
    for _ in range(3):
        assert await keys.find(SHOP) == EMPTY
    assert len(publisher.asked) == 2
    publisher.seconds += 900
    assert await keys.find(SHOP) is None
    publisher.says = published()
    publisher.seconds += 6
    assert await keys.find(SHOP) == EMPTY


async def test_what_is_no_key_set_is_no_answer() -> None:
    for says in (
        published(b"<html>"),
        published(b"{}"),
        published(status=404),
        published(status=302),
        OutgoingFailed(),
    ):
        publisher = Publisher(says)
        keys = publisher.keys()
        assert await keys.find(SHOP) is None
        assert await keys.find(SHOP, unknown_key=True) is None
        assert len(publisher.asked) == 1


async def test_clients_with_one_address_have_a_state_each() -> None:
    publisher = Publisher(published())
    keys = publisher.keys()
    await keys.find(SHOP)
    await keys.find(client(client_id="other"))
    assert len(publisher.asked) == 2
    await keys.find(client(jwks_uri="https://shop.example/moved"))
    assert publisher.asked[-1] == "https://shop.example/moved"


async def test_the_least_recently_used_of_a_thousand_is_forgotten() -> None:
    publisher = Publisher(published())
    keys = publisher.keys()
    for number in range(1025):
        await keys.find(client(client_id=f"client-{number}"))
        await keys.find(client(client_id="client-0"))
    asked = len(publisher.asked)
    await keys.find(client(client_id="client-0"))
    assert len(publisher.asked) == asked
    await keys.find(client(client_id="client-1"))
    assert len(publisher.asked) == asked + 1
