import asyncio
from collections.abc import Mapping

import msgspec
import pytest

from sealring.ports import OutgoingAnswer, OutgoingFailed
from sealring.protocol.client import Client, ClientPages
from sealring.services.client_logo import ClientLogos

PNG = b"\x89PNG\r\n\x1a\nimage"
SHOP = Client(
    client_id="shop",
    name="Shop",
    type="public",
    allowed={},
    pages=ClientPages(logo_uri="https://shop.example/logo.png"),
    epoch=1,
    created_at=0,
)


class Servers:
    """The servers of clients, and a clock in the test's hand."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answer: OutgoingAnswer | OutgoingFailed = OutgoingAnswer(status=200, body=PNG)
        self.now = 0.0

    async def fetch(self, url: str) -> OutgoingAnswer | OutgoingFailed:
        self.asked.append(url)
        await asyncio.sleep(0)
        return self.answer

    async def post_form(self, url: str, form: Mapping[str, str]) -> OutgoingAnswer | OutgoingFailed:
        raise AssertionError(url, form)

    async def post_json(self, url: str, body: bytes) -> OutgoingAnswer | OutgoingFailed:
        raise AssertionError(url, body)


def logos(servers: Servers) -> ClientLogos:
    return ClientLogos(servers, monotonic=lambda: servers.now)


async def test_a_logo_is_fetched_once_for_all_who_ask_and_kept_for_an_hour() -> None:
    servers = Servers()
    found = logos(servers)
    images = await asyncio.gather(*(found.find(SHOP) for _ in range(5)))
    assert {image.media_type for image in images if image is not None} == {"image/png"}
    servers.now = 3599
    await found.find(SHOP)
    assert servers.asked == ["https://shop.example/logo.png"]
    servers.now = 3600
    await found.find(SHOP)
    assert len(servers.asked) == 2


@pytest.mark.parametrize(
    "answer",
    [
        OutgoingFailed(),
        OutgoingAnswer(status=404, body=PNG),
        OutgoingAnswer(status=302, body=b""),
        OutgoingAnswer(status=200, body=b"<svg onload='alert(1)'/>"),
    ],
)
async def test_what_is_no_image_is_none_and_not_asked_for_again_at_once(
    answer: OutgoingAnswer | OutgoingFailed,
) -> None:
    servers = Servers()
    servers.answer = answer
    found = logos(servers)
    assert await found.find(SHOP) is None
    assert await found.find(SHOP) is None
    assert len(servers.asked) == 1
    servers.now = 300
    await found.find(SHOP)
    assert len(servers.asked) == 2


async def test_a_client_without_a_logo_makes_nobody_ask() -> None:
    servers = Servers()
    assert await logos(servers).find(msgspec.structs.replace(SHOP, pages=ClientPages())) is None
    assert servers.asked == []


async def test_many_logos_do_not_fill_the_memory() -> None:
    servers = Servers()
    found = logos(servers)
    for number in range(300):
        pages = ClientPages(logo_uri=f"https://shop.example/{number}")
        await found.find(msgspec.structs.replace(SHOP, pages=pages))
    assert len(found._kept) <= 256
