import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from sealring.web.http_server import ConnectionLimits, HttpServer, Listen, ListenUnix, PortInUse

Serve = Callable[..., Awaitable[int]]  # the port of a server with these limits
Talk = Callable[..., Awaitable[bytes]]  # what comes back for these bytes

GET = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
QUICK = ConnectionLimits(sweep_seconds=0.02)


async def answers_ok(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def slow(seconds: float) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await answers_ok(scope, receive, send)

    return app


async def started(app: ASGIApp, *, port: int = 0) -> HttpServer:
    server = HttpServer(app, listen=Listen(host="127.0.0.1", port=port), limits=QUICK)
    await server.start()
    return server


async def connect(server: HttpServer) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.addresses[0])


async def test_tcp_and_control_socket_serve_in_one_loop(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    control = HttpServer(answers_ok, listen=ListenUnix(path=path), limits=QUICK)
    await control.start()
    server = await started(answers_ok)
    for reader, writer in (await connect(server), await asyncio.open_unix_connection(path)):
        writer.write(GET)
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK\r\ndate: ")
        writer.close()
    await asyncio.gather(server.stop(1), control.stop(1))
    assert not path.exists()


async def test_there_is_no_server_header(serve: Serve, talk: Talk) -> None:
    assert b"\r\nserver:" not in (await talk(await serve(answers_ok), GET, until=b"ok")).lower()


async def test_forwarded_headers_reach_the_application_and_change_nothing(serve: Serve, talk: Talk) -> None:
    async def tells_client(scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        body = f"{scope['client'][0]} {scope['scheme']} {dict(scope['headers'])[b'x-forwarded-for'].decode()} end"
        await send({"type": "http.response.body", "body": body.encode()})

    sent = GET[:-2] + b"X-Forwarded-For: 192.0.2.9\r\nX-Forwarded-Proto: https\r\n\r\n"
    answer = await talk(await serve(tells_client), sent, until=b"end")
    assert b"127.0.0.1 http 192.0.2.9 end" in answer


async def test_a_second_server_on_the_port_is_refused_with_a_sentence() -> None:
    server = await started(answers_ok)
    with pytest.raises(PortInUse):
        await started(answers_ok, port=server.addresses[0][1])
    await server.stop(0)


async def test_the_port_is_free_once_stopped() -> None:
    server = await started(answers_ok)
    reader, writer = await connect(server)
    await server.stop(1)
    again = await started(answers_ok, port=server.addresses[0][1])
    assert await reader.read() == b""
    writer.close()
    await again.stop(0)


async def test_stop_lets_the_request_in_flight_finish_and_drops_idle_connections_at_once() -> None:
    server = await started(slow(0.6))
    idle_reader, idle_writer = await connect(server)
    reader, writer = await connect(server)
    writer.write(GET)
    await asyncio.sleep(0.1)
    stopping = asyncio.create_task(server.stop(5))
    began = time.monotonic()
    assert await idle_reader.read() == b""
    assert not stopping.done()
    with pytest.raises(ConnectionError):
        await connect(server)
    assert (await reader.read()).endswith(b"connection: close\r\n\r\nok")
    assert await stopping == 0
    assert time.monotonic() - began < 4
    idle_writer.close()
    writer.close()


async def test_stop_finishes_the_pipelined_requests_that_it_has_read() -> None:
    server = await started(slow(0.1))
    reader, writer = await connect(server)
    writer.write(GET * 3)
    await asyncio.sleep(0.05)
    assert await server.stop(5) == 0
    assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 3
    writer.close()


async def test_stop_cuts_off_what_outlasts_the_grace() -> None:
    cancelled = asyncio.Event()

    async def never_ends(_scope: Scope, _receive: Receive, _send: Send) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    server = await started(never_ends)
    reader, writer = await connect(server)
    writer.write(GET)
    await asyncio.sleep(0.05)
    began = time.monotonic()
    assert await server.stop(0.2) == 1
    assert 0.18 <= time.monotonic() - began < 3
    assert cancelled.is_set()
    assert await reader.read() == b""
    writer.close()


async def test_a_client_that_goes_away_is_told_to_the_application() -> None:
    heard = asyncio.Event()

    async def waits(_scope: Scope, receive: Receive, _send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        heard.set()

    server = await started(waits)
    _, writer = await connect(server)
    writer.write(GET)
    await asyncio.sleep(0.05)
    writer.close()
    async with asyncio.timeout(1):
        await heard.wait()
    await server.stop(0)


async def test_stopping_twice_is_stopping_once() -> None:
    server = await started(answers_ok)
    assert await server.stop(0) == 0
    assert await server.stop(0) == 0
