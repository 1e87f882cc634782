"""The direct way of a request whose head was read before: no parser, no ASGI messages, one write.

What a head means is settled by the strict parser and the application when it first comes, and remembered octet for
octet: services and browsers send the same head again and again. Everything that is not a whole request with such a head
in one piece goes the ordinary way, with its deadlines and bounds.
"""

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HEADER_VALUE_RE, STATUS_LINE

from sealring.web.exchange import Answer, Headers, Respond
from sealring.web.http_server.exchange import header_prefix, log_failure
from sealring.web.http_server.refusal import whole_answer

Recognise = Callable[[MutableMapping[str, Any]], Respond | None]
"""Say beforehand who answers requests with the head of this ASGI scope; None where they go the ordinary way."""

MAX_HEADS: Final = 1024
MAX_HEAD_BYTES: Final = 2048
# Where one of these stands, what follows the head is not just so many octets, or the connection does not go on.
_NOT_PLAIN: Final = frozenset({b"transfer-encoding", b"expect", b"upgrade", b"connection"})


class KnownHead(msgspec.Struct, frozen=True, kw_only=True):
    """A head that was read. `body_bytes`: how many octets follow it."""

    respond: Respond
    body_bytes: int


class KnownHeads:
    """The heads that a listener has read, octet for octet, shared by its connections.

    Two generations bound it: when the young one is full it becomes the old one, whose unused heads are forgotten.
    """

    def __init__(self, recognise: Recognise) -> None:
        self._recognise = recognise
        self._young: dict[bytes, KnownHead] = {}
        self._old: dict[bytes, KnownHead] = {}

    def __len__(self) -> int:
        return len(self._young) + len(self._old)

    def recall(self, data: bytes) -> tuple[KnownHead, bytes] | None:
        """Take a request apart if it is whole, alone, and has a known head: what answers it, and its body."""
        end = data.find(b"\r\n\r\n") + 4
        head = data[:end]
        known = self._young.get(head)
        if known is None:
            known = self._old.get(head)
            if known is None:
                return None
            self._note(head, known)
        return (known, data[end:]) if len(data) - end == known.body_bytes else None

    def learn(self, data: bytes, scope: MutableMapping[str, Any]) -> bool:
        """Remember the head of a request that the parser has read as `scope`, if it is plain and came in this piece.

        False where the piece was not exactly that request, so that the parser may have begun with another.
        """
        end = data.find(b"\r\n\r\n") + 4
        lengths = [int(value) for name, value in scope["headers"] if name == b"content-length"]
        # All of the piece was taken for one request, so with this length its head ends exactly there.
        if end < 4 or data[0] in b"\r\n" or sum(lengths) != len(data) - end:
            return False
        if not _NOT_PLAIN.isdisjoint(name for name, _ in scope["headers"]):
            return False
        respond = self._recognise(scope) if end <= MAX_HEAD_BYTES and scope["http_version"] == "1.1" else None
        if respond is not None:
            self._note(data[:end], KnownHead(respond=respond, body_bytes=len(data) - end))
        return True

    def _note(self, head: bytes, known: KnownHead) -> None:
        if len(self._young) >= MAX_HEADS // 2:
            self._young, self._old = {}, self._young
        self._young[head] = known


class DirectExchange:
    """One request that goes the direct way; it stands on its connection where an `Exchange` does."""

    waiting_for_100_continue = False
    head_written = False

    def __init__(self, flow: FlowControl, transport: asyncio.WriteTransport, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.response_complete = False
        self.disconnected = False
        self._flow = flow
        self._transport = transport

    async def run(
        self,
        respond: Respond,
        body: bytes,
        *,
        client: tuple[str, int] | None,
        default_headers: list[tuple[bytes, bytes]],
        on_response: Callable[[], None],
    ) -> None:
        """Answer with all of it in one write, then call `on_response`. `default_headers`: those of every answer."""
        try:
            written = await self._written(respond(body, client), default_headers)
            if self._flow.write_paused and not self.disconnected:
                await self._flow.drain()
            if not self.disconnected:
                self._transport.write(written)
                self.response_complete = self.head_written = True
                on_response()
        finally:
            if not self.response_complete and not self.disconnected:
                self._transport.abort()  # cancelled: only a broken connection tells the client

    def disconnect(self) -> None:
        """Note that nobody listens any more: the answer is dropped."""
        self.disconnected = True

    async def _written(
        self, responding: Coroutine[Any, Any, Answer], default_headers: list[tuple[bytes, bytes]]
    ) -> bytes:
        try:
            return write_answer(await responding, default_headers=default_headers, closes=not self.keep_alive)
        except Exception as error:  # noqa: BLE001 -- the last place that can log it and answer
            self.keep_alive = False
            return whole_answer(log_failure(error, method="POST"), default_headers)


def write_answer(answer: Answer, *, default_headers: list[tuple[bytes, bytes]], closes: bool) -> bytes:
    """Write a whole answer as it goes to the socket. `closes`: the connection ends with it."""
    return b"%b%b%b%b\r\n%b" % (
        _head(answer.status, answer.headers),
        b"".join([b"%b: %b\r\n" % header for header in default_headers]),
        b"" if answer.status in (204, 304) else b"content-length: %d\r\n" % len(answer.body),
        b"connection: close\r\n" if closes else b"",
        answer.body,
    )


# The same few heads stand before all answers.
@lru_cache(maxsize=256)
def _head(status: int, headers: Headers) -> bytes:
    if any(HEADER_VALUE_RE.search(value) for _, value in headers):
        raise RuntimeError("A header of the answer has a control character in its value.")
    return b"".join((STATUS_LINE[status], *(b"%b%b\r\n" % (header_prefix(name), value) for name, value in headers)))
