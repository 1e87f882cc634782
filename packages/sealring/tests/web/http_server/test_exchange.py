import asyncio
import logging
import re

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs
from uvicorn.protocols.http.flow_control import FlowControl

from sealring.web.exchange import PUSH_EXTENSION, Push
from sealring.web.http_server.exchange import Exchange

START = {"type": "http.response.start", "status": 200, "headers": [(b"Content-Type", b"text/plain")]}


class RecordingTransport(asyncio.Transport):
    """A transport that keeps each write apart, as the system would send it."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.aborted = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.writes.append(bytes(data))

    def is_closing(self) -> bool:
        return self.aborted

    def abort(self) -> None:
        self.aborted = True


def exchange_over(transport: RecordingTransport, *, method: str = "GET", http_version: str = "1.1") -> Exchange:
    return Exchange(
        scope={"type": "http", "method": method, "http_version": http_version, "path": "/secret-path"},
        transport=transport,
        flow=FlowControl(transport),
        logger=logging.getLogger("test"),
        access_logger=logging.getLogger("test"),
        access_log=False,
        default_headers=[(b"date", b"today")],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=http_version == "1.1",
        on_response=lambda: None,
    )


async def run(app: ASGIApp, *, method: str = "GET", http_version: str = "1.1") -> RecordingTransport:
    transport = RecordingTransport()
    await exchange_over(transport, method=method, http_version=http_version).run_asgi(app)
    return transport


def streams(pieces: list[tuple[str, bytes]], pushed: list[bool]) -> ASGIApp:
    """An application that sends some pieces of its body and pushes others."""

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        taken: list[Push] = []
        await send(START)
        await send({"type": PUSH_EXTENSION, "take": taken.append})
        for way, piece in pieces:
            if way == "send":
                await send({"type": "http.response.body", "body": piece, "more_body": True})
            else:
                pushed.append(taken[0](piece))
        await send({"type": "http.response.body", "body": b""})
        pushed.append(taken[0](b"late"))

    return app


def answers(*messages: Message) -> ASGIApp:
    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        for message in messages:
            await send(message)

    return app


async def test_head_and_body_of_an_answer_are_one_write() -> None:
    start = {**START, "headers": [*START["headers"], (b"content-length", b"2")]}
    transport = await run(answers(start, {"type": "http.response.body", "body": b"ok"}))
    assert transport.writes == [
        b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok"
    ]


async def test_a_whole_body_without_a_length_gets_one_instead_of_chunks() -> None:
    transport = await run(answers(START, {"type": "http.response.body", "body": b"ok"}))
    assert transport.writes[0].endswith(b"content-length: 2\r\n\r\nok")


async def test_a_body_in_pieces_is_chunked_and_the_first_piece_carries_the_head() -> None:
    body = [{"type": "http.response.body", "body": piece, "more_body": True} for piece in (b"one", b"twelve bytes")]
    transport = await run(answers(START, *body, {"type": "http.response.body"}))
    assert transport.writes[0].endswith(b"transfer-encoding: chunked\r\n\r\n3\r\none\r\n")
    assert transport.writes[1:] == [b"c\r\ntwelve bytes\r\n", b"0\r\n\r\n"]


async def test_an_empty_first_piece_sends_the_head_alone() -> None:
    sent: list[int] = []
    transport = RecordingTransport()

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(START)
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        sent.append(1)
        await send({"type": "http.response.body", "body": b"late"})

    transport = await run(app)
    assert transport.writes[0].endswith(b"transfer-encoding: chunked\r\n\r\n")
    assert transport.writes[1] == b"4\r\nlate\r\n0\r\n\r\n"


async def test_a_body_in_pieces_ends_with_the_connection_for_http_1_0() -> None:
    pieces = answers(
        START,
        {"type": "http.response.body", "body": b"a", "more_body": True},
        {"type": "http.response.body", "body": b"b"},
    )
    transport = await run(pieces, http_version="1.0")
    assert transport.writes[0].endswith(b"\r\nconnection: close\r\n\r\na")
    assert transport.writes[1] == b"b"


async def test_the_answer_to_head_has_no_body() -> None:
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]}
    transport = await run(answers(start, {"type": "http.response.body", "body": b"never"}), method="HEAD")
    assert transport.writes == [b"HTTP/1.1 200 OK\r\ndate: today\r\ncontent-length: 5\r\n\r\n"]


@pytest.mark.parametrize("status", [204, 304])
async def test_an_answer_that_has_no_body_has_no_framing(status: int) -> None:
    start = {"type": "http.response.start", "status": status, "headers": []}
    transport = await run(answers(start, {"type": "http.response.body"}))
    assert b"content-length" not in transport.writes[0]
    assert b"chunked" not in transport.writes[0]


async def raises(_scope: Scope, _receive: Receive, _send: Send) -> None:
    password = "correct horse battery"  # noqa: F841 - a local that must not be logged
    raise ValueError("broken")


@pytest.mark.parametrize(
    "app",
    [
        raises,
        answers(),
        answers(START),
        answers({"type": "http.response.body"}),
        answers({**START, "headers": [(b"content-length", b"3")]}, {"type": "http.response.body", "body": b"four"}),
        answers({**START, "headers": [(b"x", b"a\r\nset-cookie: b")]}, {"type": "http.response.body"}),
        answers({**START, "headers": [(b"x y", b"a")]}, {"type": "http.response.body"}),
    ],
)
async def test_an_application_that_fails_before_its_answer_is_answered_for_with_500(app: ASGIApp) -> None:
    with capture_logs() as logs:
        transport = await run(app)
    (answer,) = transport.writes
    assert answer.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    found = re.search(rb'{"error":"server_error",.*"code":"internal_error","error_id":"([0-9a-f]{16})"}$', answer)
    assert found is not None
    assert [log["error_id"] for log in logs] == [found[1].decode()]


async def test_the_log_of_a_failure_has_the_traceback_and_neither_locals_nor_path() -> None:
    with capture_logs() as logs:
        await run(raises)
    assert "ValueError: broken" in logs[0]["exception"]
    assert "secret-path" not in str(logs)
    assert "horse" not in str({key: value for key, value in logs[0].items() if key != "exception"})
    assert "exc_info" not in logs[0]


async def test_an_application_that_fails_in_the_middle_breaks_the_connection() -> None:
    with capture_logs():
        transport = await run(answers(START, {"type": "http.response.body", "body": b"part", "more_body": True}))
    assert transport.aborted
    assert len(transport.writes) == 1


async def test_a_failure_after_the_answer_is_logged_and_nothing_more_is_sent() -> None:
    with capture_logs() as logs:
        transport = await run(answers(START, {"type": "http.response.body", "body": b"ok"}, START))
    assert len(transport.writes) == len(logs) == 1
    assert not transport.aborted


async def test_pieces_that_are_pushed_stand_between_those_that_are_sent() -> None:
    pushed: list[bool] = []
    transport = await run(streams([("send", b"one"), ("push", b"two"), ("send", b"three")], pushed))
    body = b"".join(transport.writes).partition(b"\r\n\r\n")[2]
    assert body == b"3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n"
    assert pushed == [True, False]


async def test_nothing_is_pushed_before_the_head_is_written() -> None:
    pushed: list[bool] = []
    transport = await run(streams([("push", b"early"), ("send", b"one")], pushed))
    assert (pushed, b"early" in b"".join(transport.writes)) == ([False, False], False)


async def test_nothing_is_pushed_to_a_client_that_takes_nothing() -> None:
    transport = RecordingTransport()
    exchange = exchange_over(transport)
    await exchange.send(START)
    await exchange.send({"type": "http.response.body", "body": b"one", "more_body": True})
    exchange.flow.pause_writing()
    assert not exchange.push(b"two")
    exchange.flow.resume_writing()
    assert exchange.push(b"three")
    exchange.disconnect()
    assert not exchange.push(b"four")
    assert b"".join(transport.writes).endswith(b"3\r\none\r\n5\r\nthree\r\n")
