"""An HTTP answer, read to its bound and no further (RFC 9112)."""

import asyncio
from http import HTTPStatus
from typing import Final

import httptools

from sealring.ports import OutgoingAnswer

BODY_BYTES: Final = 64 * 1024
_HEAD_BYTES: Final = 16 * 1024
_READ_BYTES: Final = 16 * 1024


class UnusableResponse(Exception):  # noqa: N818 -- a reason on its way to the log
    """The answer is no HTTP, too large, encoded, or it broke off."""


async def read_response(reader: asyncio.StreamReader) -> OutgoingAnswer:
    """Read one answer. Raises UnusableResponse; how long it takes is bounded by the caller."""
    reading = _Reading()
    received = 0
    while not reading.complete:
        piece = await reader.read(_READ_BYTES)
        if not piece:
            # Neither a length nor chunks: the body ends with the connection (RFC 9112 §6.3).
            if reading.ends_with_connection:
                break
            raise UnusableResponse("the answer broke off")
        received += len(piece)
        reading.feed(piece)
        # Extensions of chunks, trailers and interim answers count as well: all of it is bytes that somebody sends.
        if len(reading.body) > BODY_BYTES or received > BODY_BYTES + _HEAD_BYTES:
            raise UnusableResponse("the answer is too large")
    if reading.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnusableResponse("the answer is compressed, which nobody asked for")
    return OutgoingAnswer(
        status=reading.status, body=bytes(reading.body), cache_control=reading.headers.get("cache-control")
    )


class _Reading:
    """What httptools has called out so far; an interim answer (1xx) is forgotten when it ends."""

    def __init__(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._forget()

    def feed(self, piece: bytes) -> None:
        try:
            self._parser.feed_data(piece)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as failure:
            if not self.complete:  # what follows a complete answer is nobody's
                raise UnusableResponse("the answer is not HTTP") from failure

    @property
    def ends_with_connection(self) -> bool:
        return self._head_complete and not {"content-length", "transfer-encoding"} & self.headers.keys()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._head_complete:  # else a trailer, which must not join the head (RFC 9110 §6.5.1)
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        self._head_complete = True

    def on_body(self, body: bytes) -> None:
        if not self.complete:
            self.body += body

    def on_message_complete(self) -> None:
        if self.status < HTTPStatus.OK:
            self._forget()
        else:
            self.complete = True

    def _forget(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.complete = False
        self._head_complete = False
