import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from sealring.web.http_server import ConnectionLimits, HttpServer, Listen, Tls, make_server_context

GET = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%b"

Started = Callable[..., Awaitable[HttpServer]]


async def tells_scheme(scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['scheme']} {scope['path']} end".encode()})


@pytest.fixture
async def start(authority: Any) -> AsyncIterator[Started]:  # noqa: ANN401 -- a fixture of another file
    servers: list[HttpServer] = []
    context = make_server_context(*authority.issue("localhost", "127.0.0.1"))

    async def starting(*, tls: Tls | None = None, **limits: float) -> HttpServer:
        server = HttpServer(
            tells_scheme,
            listen=Listen(host="127.0.0.1", port=0),
            limits=ConnectionLimits(**{"sweep_seconds": 0.02, **limits}),  # type: ignore[arg-type]  # seconds, counts
            tls=tls or Tls(context=lambda: context),
        )
        await server.start()
        servers.append(server)
        return server

    yield starting
    for server in servers:
        await server.stop(0)


@pytest.fixture
def client_context(authority: Any) -> ssl.SSLContext:  # noqa: ANN401 -- a fixture of another file
    context: ssl.SSLContext = authority.client_context()
    return context


async def connect(server: HttpServer, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*server.addresses[0], ssl=context, server_hostname="localhost")


async def ask(server: HttpServer, context: ssl.SSLContext, sent: bytes = GET) -> bytes:
    reader, writer = await connect(server, context)
    writer.write(sent)
    try:
        async with asyncio.timeout(5):
            return await reader.readuntil(b"end")
    finally:
        writer.close()


async def test_requests_are_answered_over_tls_as_https(start: Started, client_context: ssl.SSLContext) -> None:
    assert (await ask(await start(), client_context)).endswith(b"https /hello end")


async def test_tls_1_3_is_what_is_spoken_where_the_client_can_and_http_1_1_is_agreed_on(
    start: Started, client_context: ssl.SSLContext
) -> None:
    client_context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await connect(await start(), client_context)
    spoken = writer.get_extra_info("ssl_object")
    assert (spoken.version(), spoken.selected_alpn_protocol()) == ("TLSv1.3", "http/1.1")
    writer.close()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_versions_before_1_2_are_refused(
    start: Started, client_context: ssl.SSLContext, version: ssl.TLSVersion
) -> None:
    client_context.set_ciphers("ALL:@SECLEVEL=0")
    client_context.minimum_version = client_context.maximum_version = version
    with pytest.raises(ConnectionError):  # and no SSLError, by which the client itself would decline
        await connect(await start(), client_context)


@pytest.mark.parametrize(
    "suite",
    ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES128-SHA", "AES128-GCM-SHA256", "AES256-SHA"],
)
async def test_suites_of_1_2_without_forward_secrecy_or_aead_are_refused(
    start: Started, client_context: ssl.SSLContext, suite: str
) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client_context.set_ciphers(suite + ":@SECLEVEL=0")
    with pytest.raises(ConnectionError):  # as above
        await connect(await start(), client_context)


@pytest.mark.parametrize("suite", ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305"])
async def test_suites_of_1_2_with_both_are_taken(start: Started, client_context: ssl.SSLContext, suite: str) -> None:
    client_context.maximum_version = ssl.TLSVersion.TLSv1_2
    client_context.set_ciphers(suite)
    assert (await ask(await start(), client_context)).endswith(b"https /hello end")


async def test_plain_http_is_closed_and_nothing_is_said(start: Started) -> None:
    reader, writer = await asyncio.open_connection(*(await start()).addresses[0])
    writer.write(GET)
    async with asyncio.timeout(2):
        assert b"HTTP/1.1" not in await reader.read()
    writer.close()


async def test_a_handshake_that_does_not_end_is_dropped_in_time_and_gives_its_place_back(
    start: Started, client_context: ssl.SSLContext
) -> None:
    server = await start(connections=1, head_seconds=0.3)
    began = time.monotonic()
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(b"\x16\x03\x01")
    # It holds the only place: whoever comes meanwhile is turned away before any handshake.
    with pytest.raises(OSError, match=r"."):
        await connect(server, client_context)
    async with asyncio.timeout(2):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    assert time.monotonic() - began >= 0.25
    writer.close()
    assert (await ask(server, client_context)).endswith(b"https /hello end")


async def test_a_place_is_given_back_once_by_those_who_finished_their_handshake(
    start: Started, client_context: ssl.SSLContext
) -> None:
    server = await start(connections=1)
    for _ in range(3):
        assert (await ask(server, client_context)).endswith(b"https /hello end")
        await asyncio.sleep(0.1)  # until its end was noticed


async def test_a_new_context_is_for_the_next_client_and_drops_nobody(
    start: Started,
    authority: Any,  # noqa: ANN401 -- a fixture of another file
    client_context: ssl.SSLContext,
) -> None:
    contexts = [make_server_context(*authority.issue("localhost"))]
    server = await start(tls=Tls(context=lambda: contexts[-1]))
    reader, writer = await connect(server, client_context)
    contexts.append(make_server_context(*authority.issue("localhost")))
    _, later = await connect(server, client_context)
    numbers = [each.get_extra_info("peercert")["serialNumber"] for each in (writer, later)]
    assert numbers[0] != numbers[1]
    writer.write(GET)
    assert (await reader.readuntil(b"end")).endswith(b"https /hello end")
    later.close()
    writer.close()


async def test_browsers_are_told_to_come_by_https_in_every_answer_over_tls_alone(
    start: Started,
    client_context: ssl.SSLContext,
    serve: Callable[..., Awaitable[int]],
    talk: Callable[..., Awaitable[bytes]],
) -> None:
    strict = b"\r\nstrict-transport-security: max-age=31536000\r\n"
    server = await start()
    assert strict in await ask(server, client_context)
    reader, writer = await connect(server, client_context)
    writer.write(b"nonsense\r\n\r\n")
    assert strict in await reader.readuntil(b"}")
    writer.close()
    assert b"strict-transport-security" not in await talk(await serve(), GET, until=b":")


async def test_a_large_body_is_taken_and_a_larger_one_answered_and_closed(
    start: Started, client_context: ssl.SSLContext
) -> None:
    server = await start(body_bytes=50_000, linger_seconds=0.2)
    assert (await ask(server, client_context, POST % (50_000, b"x" * 50_000))).endswith(b"https / end")
    reader, writer = await connect(server, client_context)
    writer.write(POST % (200_000, b"x" * 200_000))
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 413 ")
        with suppress(OSError):
            assert await reader.read() == b""
    writer.close()


async def test_stop_ends_idle_clients_handshakes_and_the_listener(
    start: Started, client_context: ssl.SSLContext
) -> None:
    server = await start()
    reader, writer = await connect(server, client_context)
    raw_reader, raw = await asyncio.open_connection(*server.addresses[0])
    await asyncio.sleep(0.05)
    async with asyncio.timeout(3):
        assert await server.stop(1) == 0
        with suppress(OSError):
            assert await reader.read() == b""
        with suppress(OSError):
            assert await raw_reader.read() == b""
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(*server.addresses[0])
    raw.close()
    writer.close()


async def test_a_stream_goes_out_piece_by_piece_and_hears_of_its_client_leaving(
    authority: Any,  # noqa: ANN401 -- a fixture of another file
    client_context: ssl.SSLContext,
) -> None:
    left = asyncio.Event()

    async def streams(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for piece in (b"one", b"two"):
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        assert (await receive())["type"] == "http.disconnect"
        left.set()

    context = make_server_context(*authority.issue("localhost"))
    server = HttpServer(streams, listen=Listen(host="127.0.0.1", port=0), tls=Tls(context=lambda: context))
    await server.start()
    reader, writer = await connect(server, client_context)
    writer.write(GET)
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"one\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        await reader.readuntil(b"two\r\n")
        writer.close()
        await left.wait()
    await server.stop(1)


async def test_many_clients_at_once_and_some_who_never_speak_are_served(
    start: Started, client_context: ssl.SSLContext
) -> None:
    server = await start(head_seconds=1)
    silent = [await asyncio.open_connection(*server.addresses[0]) for _ in range(20)]
    answers = await asyncio.gather(*(ask(server, client_context) for _ in range(40)))
    assert all(answer.endswith(b"https /hello end") for answer in answers)
    for _, writer in silent:
        writer.transport.abort()
