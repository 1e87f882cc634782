import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog
from starlette.types import Receive, Scope, Send

from sealring.web.exchange import Answer, Respond
from sealring.web.http_server import ConnectionLimits, HttpServer, Listen
from sealring.web.http_server.direct import MAX_HEAD_BYTES, MAX_HEADS, KnownHeads, write_answer

HEAD = b"POST /known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"
DATE = [(b"date", b"today")]
Peer = tuple[str, int] | None


async def ordinary(scope: Scope, receive: Receive, send: Send) -> None:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        if not message["more_body"]:
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"way", b"ordinary")]})
    await send({"type": "http.response.body", "body": scope["path"].encode() + b":" + body})


def direct(scope: MutableMapping[str, Any]) -> Respond:
    async def respond(body: bytes, peer: Peer) -> Answer:
        assert peer is not None
        return Answer(status=200, headers=((b"way", b"direct"),), body=scope["path"].encode() + b":" + body)

    return respond


def slowly(seconds: float) -> Callable[[object], Respond]:
    def recognise(_scope: object) -> Respond:
        async def respond(_body: bytes, _peer: Peer) -> Answer:
            await asyncio.sleep(seconds)
            return Answer(status=200, headers=(), body=b"ok")

        return respond

    return recognise


@asynccontextmanager
async def serving(recognise: Callable[[Any], Respond | None] = direct, **limits: float) -> AsyncIterator[HttpServer]:
    server = HttpServer(
        ordinary,
        listen=Listen(host="127.0.0.1", port=0),
        limits=ConnectionLimits(**{"sweep_seconds": 0.02, **limits}),  # type: ignore[arg-type]  # some are whole numbers
        recognise=recognise,
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop(0)


Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def known(server: HttpServer) -> Streams:
    """Connect, and let the server see the head once, if it has not."""
    reader, writer = await asyncio.open_connection(*server.addresses[0])
    writer.write(HEAD + b"abc")
    await reader.readuntil(b"/known:abc")
    return reader, writer


async def test_a_head_goes_the_ordinary_way_once_and_the_direct_way_ever_after() -> None:
    async with serving() as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        writer.write(HEAD + b"abc")
        assert b"way: ordinary\r\n" in await reader.readuntil(b"/known:abc")
        for body in (b"two", b"\r\n\r", b"\x00\xff\n"):
            writer.write(HEAD + body)
            assert b"way: direct\r\n" in await reader.readuntil(b"/known:" + body)
        writer.close()
        other_reader, other_writer = await asyncio.open_connection(*server.addresses[0])
        other_writer.write(HEAD + b"new")
        assert b"way: direct\r\n" in await other_reader.readuntil(b"/known:new")
        other_writer.close()


async def test_a_known_request_cut_at_any_octet_gives_the_same_answer() -> None:
    sent = HEAD + b"abc"
    async with serving() as server:
        reader, writer = await known(server)
        for cut in range(1, len(sent)):
            writer.write(sent[:cut])
            await asyncio.sleep(0.002)
            writer.write(sent[cut:])
            assert (await reader.readuntil(b"/known:abc")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.close()


async def test_known_requests_in_one_piece_or_one_behind_the_other_are_answered_in_order() -> None:
    async with serving(slowly(0.05)) as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"one")
        await asyncio.sleep(0.01)  # goes the direct way; the next come while it is answered
        writer.write(HEAD + b"two" + HEAD + b"xxx")
        assert b"way" not in await reader.readuntil(b"ok")
        for body in (b"two", b"xxx"):
            assert b"way: ordinary\r\n" in await reader.readuntil(b"/known:" + body)
        writer.close()


@pytest.mark.parametrize(
    "head",
    [
        b"POST /known HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\nExpect: 100-continue\r\n\r\n",
        b"POST /known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\nConnection: keep-alive\r\n\r\n",
        b"POST /known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\nConnection: close\r\n\r\n",
        b"POST /known HTTP/1.0\r\nContent-Length: 13\r\n\r\n",
        b"POST /known HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\nA: %b\r\n\r\n" % (b"a" * MAX_HEAD_BYTES),
        b"POST /known HTTP/1.1\nHost: localhost\nContent-Length: 13\n\n",
    ],
)
async def test_what_is_not_plain_is_never_remembered(head: bytes) -> None:
    body = b"3\r\nabc\r\n0\r\n\r\n"
    asked: list[object] = []
    async with serving(asked.append) as server:
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            writer.write(head + body)
            await reader.read(1024)
            writer.close()
    assert asked == []


async def test_what_the_application_does_not_settle_goes_the_ordinary_way() -> None:
    async with serving(lambda _scope: None) as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"abc")
        assert b"way: ordinary\r\n" in await reader.readuntil(b"/known:abc")
        writer.close()


async def test_a_known_head_with_more_or_less_behind_it_is_left_to_the_parser() -> None:
    async with serving() as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"abc\r\n")  # an empty line between requests is allowed
        assert b"way: ordinary\r\n" in await reader.readuntil(b"/known:abc")
        writer.write(HEAD + b"abcGARBAGE\r\n")
        answers = await reader.read()
        assert answers.count(b"HTTP/1.1 200 OK") == 1
        assert b'"code":"malformed_http"' in answers
        writer.close()


async def test_no_request_passes_the_parser_by_while_that_holds_a_part_of_something_else() -> None:
    async with serving() as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"abc\r")
        await reader.readuntil(b"/known:abc")
        for way in (b"ordinary", b"direct"):
            writer.write(HEAD + b"abc")
            assert b"way: " + way in await reader.readuntil(b"/known:abc")
        writer.close()


async def test_the_deadlines_hold_after_a_direct_answer() -> None:
    async with serving(head_seconds=0.2, body_seconds=0.2, idle_seconds=0.3) as server:
        for cut, answer in ((20, b""), (len(HEAD) + 1, b'"code":"body_too_slow"')):
            reader, writer = await known(server)
            writer.write(HEAD + b"abc")
            await reader.readuntil(b"/known:abc")
            writer.write((HEAD + b"abc")[:cut])
            async with asyncio.timeout(2):
                assert answer in await reader.read()
            writer.close()
        reader, writer = await known(server)
        writer.write(HEAD + b"abc")
        await reader.readuntil(b"/known:abc")
        async with asyncio.timeout(2):
            assert await reader.read() == b""  # idle
        writer.close()


async def test_a_body_over_the_bound_is_refused_each_time() -> None:
    head = HEAD.replace(b"Content-Length: 3", b"Content-Length: 100")
    async with serving(body_bytes=99) as server:
        for _ in range(2):
            reader, writer = await asyncio.open_connection(*server.addresses[0])
            writer.write(head + b"x" * 100)
            assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
            writer.close()


async def test_an_application_that_fails_is_answered_for_with_500() -> None:
    def recognise(_scope: object) -> Respond:
        async def respond(_body: bytes, _peer: Peer) -> Answer:
            raise LookupError("a secret")

        return respond

    async with serving(recognise) as server:
        reader, writer = await known(server)
        with structlog.testing.capture_logs() as logs:
            writer.write(HEAD + b"abc")
            answer = await reader.read()  # and the connection is closed
        writer.close()
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"secret" not in answer
    assert [entry["event"] for entry in logs] == ["application_failed"]
    assert logs[0]["error_id"].encode() in answer


async def test_stop_lets_a_direct_answer_finish_and_says_that_it_is_the_last() -> None:
    async with serving(slowly(0.2)) as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"abc")
        await asyncio.sleep(0.05)
        assert await server.stop(5) == 0
        assert (await reader.read()).endswith(b"connection: close\r\n\r\nok")
        writer.close()


async def test_stop_cuts_off_a_direct_answer_that_outlasts_the_grace() -> None:
    async with serving(slowly(60)) as server:
        reader, writer = await known(server)
        writer.write(HEAD + b"abc")
        await asyncio.sleep(0.05)
        assert await server.stop(0.1) == 1
        assert await reader.read() == b""
        writer.close()


async def test_a_client_that_goes_away_is_answered_no_more_and_the_work_is_done() -> None:
    done = asyncio.Event()

    def recognise(_scope: object) -> Respond:
        async def respond(_body: bytes, _peer: Peer) -> Answer:
            await asyncio.sleep(0.1)
            done.set()
            return Answer(status=200, headers=(), body=b"x" * 1000)

        return respond

    async with serving(recognise) as server:
        _, writer = await known(server)
        writer.write(HEAD + b"abc")
        await asyncio.sleep(0.02)
        writer.transport.abort()
        async with asyncio.timeout(2):
            await done.wait()


def scope_of(head: bytes) -> dict[str, Any]:
    lines = head.strip().split(b"\r\n")[1:]
    return {"http_version": "1.1", "headers": [(n.lower(), v) for n, v in (line.split(b": ") for line in lines)]}


def test_heads_are_bounded_and_those_in_use_stay() -> None:
    heads = KnownHeads(direct_nothing)
    heads.learn(HEAD + b"abc", scope_of(HEAD))
    for number in range(MAX_HEADS * 2):
        other = HEAD.replace(b"localhost", b"%d" % number)
        heads.learn(other + b"abc", scope_of(other))
        assert heads.recall(HEAD + b"xyz") is not None
    assert len(heads) <= MAX_HEADS


def direct_nothing(_scope: object) -> Respond:
    def respond(_body: bytes, _peer: Peer) -> Coroutine[Any, Any, Answer]:
        raise NotImplementedError

    return respond


def test_an_answer_is_one_piece_framed_by_its_length() -> None:
    answer = Answer(status=200, headers=((b"Cache-Control", b"no-store"),), body=b"{}")
    assert write_answer(answer, default_headers=DATE, closes=False) == (
        b"HTTP/1.1 200 OK\r\ncache-control: no-store\r\ndate: today\r\ncontent-length: 2\r\n\r\n{}"
    )


def test_an_answer_that_has_no_body_has_no_length() -> None:
    answer = Answer(status=204, headers=(), body=b"")
    assert write_answer(answer, default_headers=DATE, closes=True) == (
        b"HTTP/1.1 204 No Content\r\ndate: today\r\nconnection: close\r\n\r\n"
    )


@pytest.mark.parametrize("header", [(b"a", b"b\r\nc: d"), (b"a b", b"c")])
def test_a_header_that_would_write_another_is_not_written(header: tuple[bytes, bytes]) -> None:
    with pytest.raises(RuntimeError):
        write_answer(Answer(status=200, headers=(header,), body=b""), default_headers=DATE, closes=False)
