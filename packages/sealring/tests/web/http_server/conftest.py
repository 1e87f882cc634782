import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from sealring.web.http_server import ConnectionLimits, HttpServer, Listen


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}  # the loop of `sealring serve`


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b":" + body})


Serve = Callable[..., Awaitable[int]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start a server on a free port, by default of `echo`, sweeping often; answers the port."""
    servers: list[HttpServer] = []

    async def start(app: ASGIApp = echo, **limits: float) -> int:
        server = HttpServer(
            app,
            listen=Listen(host="127.0.0.1", port=0),
            limits=ConnectionLimits(**{"sweep_seconds": 0.02, **limits}),
        )
        await server.start()
        servers.append(server)
        return server.addresses[0][1]

    yield start
    for server in servers:
        await server.stop(0)


Talk = Callable[..., Awaitable[bytes]]


@pytest.fixture
def talk() -> Talk:
    """Send bytes and read until the server closes (`until` None), or until the answer ends with `until`."""

    async def exchange(port: int, sent: bytes, *, until: bytes | None = None) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            async with asyncio.timeout(5):
                return await (reader.read() if until is None else reader.readuntil(until))
        finally:
            writer.close()

    return exchange
