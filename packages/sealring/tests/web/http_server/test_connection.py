import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest
from starlette.types import Receive, Scope, Send

Serve = Callable[..., Awaitable[int]]  # the port of a server with these limits
Talk = Callable[..., Awaitable[bytes]]  # what comes back for these bytes

HEAD = b"Host: localhost\r\n"
SLOW_HEAD = b"GET / HTTP/1.1\r\n" + HEAD + b"A: "
SLOW_BODY = b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1000\r\n\r\n"


def get(path: str, *headers: bytes) -> bytes:
    return b"GET %b HTTP/1.1\r\n%b%b\r\n" % (path.encode(), HEAD, b"".join(header + b"\r\n" for header in headers))


def post(path: str, body: bytes) -> bytes:
    return b"POST %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (path.encode(), HEAD, len(body), body)


async def test_keep_alive_serves_request_after_request(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve())
    for number in range(3):
        writer.write(post("/n", b"%d" % number))
        assert (await reader.readuntil(b"/n:%d" % number)).startswith(b"HTTP/1.1 200 OK\r\n")
    writer.close()


async def test_pipelined_requests_are_answered_in_order(serve: Serve, talk: Talk) -> None:
    sent = get("/1") + post("/2", b"two") + get("/3") + get("/4", b"Connection: close")
    answers = await talk(await serve(), sent)
    places = [answers.index(body) for body in (b"/1:", b"/2:two", b"/3:", b"/4:")]
    assert places == sorted(places)
    assert answers.count(b"HTTP/1.1 200 OK") == 4


async def test_input_cut_at_any_byte_gives_the_same_answers(serve: Serve) -> None:
    port = await serve()
    sent = b"\r\n" + get("/1") + b"POST /2 HTTP/1.1\r\n" + HEAD
    sent += b"Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n" + get("/3", b"Connection: close")

    async def answers(cut: int) -> list[bytes]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent[:cut])
        await asyncio.sleep(0.01)
        writer.write(sent[cut:])
        received = await reader.read()
        writer.close()
        return [line for line in received.split(b"\r\n") if line.startswith((b"/", b"HTTP/1.1 200"))]

    for first in range(1, len(sent), 50):
        cuts = range(first, min(first + 50, len(sent)))
        for found in await asyncio.gather(*map(answers, cuts)):
            assert b"".join(found).replace(b"HTTP/1.1 200 OK", b"") == b"/1:/2:two/3:"


async def test_more_pipelined_requests_than_allowed_are_left_to_the_next_connection(serve: Serve, talk: Talk) -> None:
    answers = await talk(await serve(pipelined_requests=3), get("/x") * 10)
    assert answers.count(b"HTTP/1.1 200 OK") == 4
    assert answers.count(b"connection: close") == 1


async def test_http_1_0_is_answered_and_closed(serve: Serve, talk: Talk) -> None:
    answer = await talk(await serve(), b"GET /old HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"connection: close\r\n\r\n/old:")


async def test_100_continue_is_sent_when_the_body_is_wanted(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve())
    writer.write(b"POST /c HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"abc")
    assert (await reader.readuntil(b"/c:abc")).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_refusing_before_100_continue_closes_so_that_no_body_is_read_as_a_request(
    serve: Serve, talk: Talk
) -> None:
    async def refuses(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body"})

    sent = b"POST /c HTTP/1.1\r\n" + HEAD + b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    assert b"connection: close" in await talk(await serve(refuses), sent)


@pytest.mark.parametrize(
    "sent",
    [
        b"GARBAGE\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + HEAD + b"\r\n",
        b"GET / HTTP/2.0\r\n" + HEAD + b"\r\n",
        b"GET /\xff HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET / HTTP/1.1\r\n" + HEAD + b"A: \x00\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\na",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Content-Length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
async def test_what_is_not_http_is_refused_in_json(serve: Serve, talk: Talk, sent: bytes) -> None:
    answer = await talk(await serve(), sent)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"\r\ncache-control: no-store\r\n" in answer
    assert answer.endswith(
        b'{"error":"invalid_request","error_description":"The request is not valid HTTP.","code":"malformed_http"}'
    )


async def test_a_refusal_waits_for_the_answers_before_it(serve: Serve, talk: Talk) -> None:
    answers = await talk(await serve(), get("/1") + get("/2") + b"GARBAGE\r\n\r\n")
    assert answers.index(b"/1:") < answers.index(b"/2:") < answers.index(b"malformed_http")


@pytest.mark.parametrize("before", [b"", get("/before")])
async def test_a_head_over_the_bound_is_refused_with_431(serve: Serve, talk: Talk, before: bytes) -> None:
    port = await serve(head_bytes=1000)
    fits = get("/fits", b"A: " + b"x" * 900, b"Connection: close")
    assert b"/fits:" in await talk(port, before + fits)
    answer = await talk(port, before + get("/large", b"A: " + b"x" * 1000))
    assert b"HTTP/1.1 431 " in answer
    assert b'"code":"head_too_large"' in answer
    assert b"/large:" not in answer


async def test_a_header_that_never_ends_is_refused_with_431(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve(head_bytes=1000))
    writer.write(b"GET / HTTP/1.1\r\nA: ")
    for _ in range(30):
        writer.write(b"x" * 50)
        await asyncio.sleep(0.002)
    assert (await reader.read()).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_empty_lines_without_end_are_refused_with_431(serve: Serve, talk: Talk) -> None:
    assert (await talk(await serve(head_bytes=1000), b"\r\n" * 2000)).startswith(b"HTTP/1.1 431 ")


async def test_an_announced_body_over_the_bound_is_refused_before_the_application_runs(
    serve: Serve, talk: Talk
) -> None:
    started = []

    async def notes(scope: Scope, _receive: Receive, _send: Send) -> None:
        started.append(scope["path"])

    answer = await talk(await serve(notes), post("/large", b"x" * (64 * 1024 + 1)))
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"code":"body_too_large"' in answer
    assert not started


async def test_a_body_of_the_bound_arrives_whole(serve: Serve, talk: Talk) -> None:
    body = b"x" * (64 * 1024)
    assert (await talk(await serve(), post("/full", body), until=b":" + body)).startswith(b"HTTP/1.1 200 ")


async def test_a_chunked_body_is_cut_at_the_bound_whatever_the_application_reads(serve: Serve, talk: Talk) -> None:
    async def reads_nothing(_scope: Scope, _receive: Receive, _send: Send) -> None:
        await asyncio.sleep(60)

    port = await serve(reads_nothing, body_bytes=1000)
    chunk = b"64\r\n" + b"x" * 100 + b"\r\n"
    answer = await talk(port, b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 11)
    assert answer.startswith(b"HTTP/1.1 413 ")


async def test_chunk_extensions_and_trailers_are_bounded_too(serve: Serve) -> None:
    sent = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    port = await serve(body_bytes=1000)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    await asyncio.sleep(0.02)
    writer.write(b"1;" + b"x" * 9000)
    assert (await reader.read()).startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_trailer_does_not_become_a_header(serve: Serve, talk: Talk) -> None:
    async def tells_headers(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b",".join(name for name, _ in scope["headers"])})

    sent = b"POST / HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX-Forwarded-For: ::1\r\n\r\n"
    assert await talk(await serve(tells_headers), sent, until=b"host,transfer-encoding")


async def test_upgrade_is_answered_as_plain_http_and_closed(serve: Serve, talk: Talk) -> None:
    answer = await talk(await serve(), get("/ws", b"Connection: Upgrade", b"Upgrade: websocket") + b"frames")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"connection: close\r\n\r\n/ws:")


async def test_a_head_that_comes_byte_by_byte_is_dropped_at_its_deadline(serve: Serve) -> None:
    port = await serve(head_seconds=0.3)
    started = time.monotonic()
    assert await _dribble(port, SLOW_HEAD, seconds_per_byte=0.02) == b""
    assert 0.28 <= time.monotonic() - started < 3


async def test_a_connection_that_sends_nothing_is_dropped_at_the_deadline_of_the_head(serve: Serve, talk: Talk) -> None:
    started = time.monotonic()
    assert await talk(await serve(head_seconds=0.2), b"") == b""
    assert 0.18 <= time.monotonic() - started < 3


async def test_the_second_head_has_its_deadline_from_its_first_byte(serve: Serve) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", await serve(head_seconds=0.3, idle_seconds=5))
    writer.write(get("/1"))
    await reader.readuntil(b"/1:")
    await asyncio.sleep(0.5)
    writer.write(b"GET")
    started = time.monotonic()
    assert await reader.read() == b""
    assert 0.25 <= time.monotonic() - started < 3
    writer.close()


async def test_a_body_that_comes_byte_by_byte_gets_408_at_its_deadline(serve: Serve) -> None:
    port = await serve(body_seconds=0.3)
    started = time.monotonic()
    answer = await _dribble(port, SLOW_BODY, seconds_per_byte=0.02)
    assert 0.28 <= time.monotonic() - started < 3
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_too_slow"' in answer


async def test_an_idle_connection_is_closed_and_sooner_when_many_are_open(serve: Serve, talk: Talk) -> None:
    port = await serve(connections=4, idle_seconds=5, busy_idle_seconds=0.2)
    one = asyncio.create_task(talk(port, get("/1")))
    await asyncio.sleep(0.4)
    assert not one.done()
    others = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    async with asyncio.timeout(1):
        assert (await one).endswith(b"/1:")
    for _, writer in others:
        writer.close()


async def test_a_long_answer_is_no_idleness(serve: Serve, talk: Talk) -> None:
    async def thinks(_scope: Scope, _receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.4)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"thought"})

    assert await talk(await serve(thinks, head_seconds=0.1, body_seconds=0.1, idle_seconds=0.1), get("/"))


async def test_who_does_not_take_the_answer_is_dropped(serve: Serve) -> None:
    ended = asyncio.Event()

    async def floods(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for _ in range(1000):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        ended.set()

    _, writer = await asyncio.open_connection("127.0.0.1", await serve(floods, write_seconds=0.3), limit=1000)
    writer.write(get("/"))
    async with asyncio.timeout(3):
        await ended.wait()
    writer.close()


async def test_connections_over_the_bound_are_closed(serve: Serve, talk: Talk) -> None:
    port = await serve(connections=2)
    held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await talk(port, get("/"), until=b"/:")
    held[0][1].close()
    await asyncio.sleep(0.05)
    assert await talk(port, get("/"), until=b"/:")
    held[1][1].close()


async def test_500_slow_heads_and_300_slow_bodies_do_not_slow_the_others(serve: Serve) -> None:
    port = await serve(head_seconds=1, body_seconds=1, sweep_seconds=0.1)
    dribblers = [asyncio.create_task(_dribble(port, SLOW_HEAD, seconds_per_byte=0.25)) for _ in range(500)]
    dribblers += [asyncio.create_task(_dribble(port, SLOW_BODY, seconds_per_byte=0.25)) for _ in range(300)]
    await asyncio.sleep(0.3)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    seconds: list[float] = []
    for _ in range(300):
        started = time.perf_counter()
        writer.write(get("/fast"))
        await reader.readuntil(b"/fast:")
        seconds.append(time.perf_counter() - started)
    writer.close()
    async with asyncio.timeout(5):
        answers = await asyncio.gather(*dribblers)
    assert answers[:500] == [b""] * 500
    assert all(answer.startswith(b"HTTP/1.1 408 ") for answer in answers[500:])
    assert sorted(seconds)[297] < 0.5


async def _dribble(port: int, opening: bytes, *, seconds_per_byte: float) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(opening)
    answer = asyncio.create_task(_read_to_end(reader))
    while not writer.is_closing() and not answer.done():
        writer.write(b"x")
        await asyncio.wait([answer], timeout=seconds_per_byte)
    writer.close()
    return await answer


async def _read_to_end(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read()
    except ConnectionResetError:  # dropped while one more byte was on its way
        return b""
