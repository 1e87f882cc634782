from types import SimpleNamespace
from typing import Any

import msgspec

from sealring.ports import OutgoingAnswer
from sealring.protocol.client import ClientPages
from sealring.services.client_logo import ClientLogos

PNG = b"\x89PNG\r\n\x1a\nimage"


class Server:
    async def fetch(self, url: str) -> OutgoingAnswer:
        assert url == "https://app.example/logo.png"
        return OutgoingAnswer(status=200, body=PNG)


async def test_a_clients_logo_comes_from_our_own_origin_and_is_nothing_but_an_image(site: SimpleNamespace) -> None:
    await site.add_app()
    missing = await site.client().get("/client-logo/app")
    assert missing.status_code == 404
    client = await site.store.clients.find("app")
    pages = ClientPages(logo_uri="https://app.example/logo.png")
    await site.store.clients.replace(msgspec.structs.replace(client, pages=pages), read=client, events=[])
    server: Any = Server()
    site.rehouse(client_logos=ClientLogos(server, monotonic=lambda: 0.0))
    answer = await site.client().get("/client-logo/app")
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/png", PNG)
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert (await site.client().get("/client-logo/nobody")).status_code == 404
