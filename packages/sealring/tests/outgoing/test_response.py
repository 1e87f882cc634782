import asyncio

import pytest

from sealring.outgoing.response import BODY_BYTES, UnusableResponse, read_response
from sealring.ports import OutgoingAnswer


async def read(*pieces: bytes) -> OutgoingAnswer:
    reader = asyncio.StreamReader()
    for piece in pieces:
        reader.feed_data(piece)
    reader.feed_eof()
    return await read_response(reader)


def ok(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(body), *headers, b"", body])


async def test_status_body_and_how_long_it_may_be_kept_are_read() -> None:
    answer = await read(ok(b'{"keys":[]}', b"Cache-Control: public, max-age=60"))
    assert answer == OutgoingAnswer(status=200, body=b'{"keys":[]}', cache_control="public, max-age=60")


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    assert (await read(b"HTTP/1.1 302 Found\r\nLocation: https://x\r\nContent-Length: 0\r\n\r\n")).status == 302


async def test_chunks_and_their_trailers_are_read() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunked = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\nCache-Control: max-age=9\r\n\r\n"
    assert await read(chunked) == OutgoingAnswer(status=200, body=b"abcde")


async def test_a_body_without_length_ends_with_the_connection() -> None:
    assert (await read(b"HTTP/1.0 200 OK\r\n\r\nabc")).body == b"abc"


async def test_an_answer_without_body_is_whole() -> None:
    assert (await read(b"HTTP/1.1 204 No Content\r\n\r\n")).status == 204


async def test_interim_answers_are_passed_over() -> None:
    early = b"HTTP/1.1 103 Early Hints\r\nCache-Control: max-age=9\r\n\r\n"
    assert await read(early, ok(b"x")) == OutgoingAnswer(status=200, body=b"x")


async def test_what_follows_the_answer_is_nobodys() -> None:
    assert (await read(ok(b"one") + ok(b"two"))).body == b"one"
    assert (await read(ok(b"one") + b"nonsense")).body == b"one"


async def test_a_body_of_64_kib_is_taken_and_one_byte_more_is_not() -> None:
    assert len((await read(ok(b"x" * BODY_BYTES))).body) == BODY_BYTES
    with pytest.raises(UnusableResponse, match="too large"):
        await read(ok(b"x" * (BODY_BYTES + 1)))


@pytest.mark.parametrize(
    "piece", [b"HTTP/1.1 103 Early Hints\r\n\r\n", b"X: " + b"y" * 100 + b"\r\n"], ids=["interim answers", "headers"]
)
async def test_what_never_comes_to_a_body_is_bounded_as_well(piece: bytes) -> None:
    with pytest.raises(UnusableResponse):
        await read(b"HTTP/1.1 103 Early Hints\r\n" if piece.startswith(b"X") else b"", piece * 5000)


async def test_extensions_of_chunks_count() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(UnusableResponse):
        await read(head + (b"1;" + b"e" * 1000 + b"\r\nx\r\n") * 200)


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        ok(b"abc", b"Content-Length: 4"),
        ok(b"abc", b"Transfer-Encoding: chunked"),
        ok(b"abc", b"Content-Encoding: gzip"),
    ],
)
async def test_what_is_broken_is_no_answer(sent: bytes) -> None:
    with pytest.raises(UnusableResponse):
        await read(sent)
