"""One request and its answer, with head and body of a short answer in one socket write.

Leans on uvicorn.protocols.http.httptools_impl: the attributes that `RequestResponseCycle.__init__` sets, its `receive`
(kept as it is, 100-continue included), `STATUS_LINE`, `HEADER_RE`, `HEADER_VALUE_RE`, and `FlowControl.drain`.
"""

import secrets
import traceback
from collections.abc import Sequence
from functools import lru_cache

import structlog
from uvicorn._types import (
    ASGI3Application,
    ASGISendEvent,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
)
from uvicorn.protocols.http.httptools_impl import HEADER_RE, HEADER_VALUE_RE, STATUS_LINE, RequestResponseCycle

from sealring.protocol.errors import OAuthError, refuse
from sealring.web.exchange import PUSH_EXTENSION
from sealring.web.http_server.refusal import refusal_body, refusal_headers

_FRAMING = frozenset({b"content-length: ", b"transfer-encoding: ", b"connection: "})
_log = structlog.get_logger()


class Exchange(RequestResponseCycle):
    """A request handed to the application, and the answer that it sends.

    The head is held until the first body message, as ASGI demands ("must not start sending the response to the client
    until it has received at least one Response Body event"): an application that wants its head sent at once sends an
    empty body with `more_body`. Its maker closes the connection when `keep_alive` is false at `on_response`.
    """

    held_start: HTTPResponseStartEvent | None = None
    head_written = False
    ends_with_connection = False

    async def run_asgi(self, app: ASGI3Application) -> None:
        """Run the application; an exception is logged and, if nothing was sent yet, answered with 500."""
        try:
            await app(self.scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - the last place that can log it and answer
            await self._fail(error)
        else:
            if not self.response_complete and not self.disconnected:
                await self._fail(RuntimeError("The application returned without completing its answer."))
        finally:
            if not self.response_complete and not self.disconnected:
                # Cancelled, or failed in the middle of an answer: only a broken connection tells the client.
                self.transport.abort()
            self.on_response = _nothing

    async def send(self, message: ASGISendEvent) -> None:
        """Take one ASGI message; raises RuntimeError when the application breaks the order or its own length."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            if message["type"] != "http.response.start":
                raise RuntimeError(f"Expected 'http.response.start', got '{message['type']}'.")
            self.response_started = True
            self.held_start = message
        elif message["type"] == PUSH_EXTENSION:
            message["take"](self.push)  # type: ignore[typeddict-item]  # uvicorn's types know no extension but its own
        elif self.response_complete or message["type"] != "http.response.body":
            raise RuntimeError(f"Unexpected '{message['type']}' after the start or the end of an answer.")
        else:
            self._send_body(message)

    def push(self, body: bytes) -> bool:
        """Write a piece of a body now; False where it would have to wait, or where none is under way."""
        if self.flow.write_paused or self.disconnected or self.response_complete or not self.head_written:
            return False
        self.transport.write(_chunk(body) if self.chunked_encoding else body)
        return True

    def disconnect(self) -> None:
        """Tell the application that nobody listens any more: what it sends is dropped, `receive` says so."""
        self.disconnected = True
        self.waiting_for_100_continue = False
        self.message_event.set()

    def _send_body(self, message: HTTPResponseBodyEvent) -> None:
        body = message.get("body", b"")
        more_body = message.get("more_body", False)
        pieces: list[bytes] = []
        if self.held_start is not None:
            pieces = self._head(self.held_start, None if more_body else len(body))
        if self.scope["method"] != "HEAD":
            self._frame(pieces, body, more_body=more_body)
        self.held_start = None
        self.head_written = True
        if pieces:
            self.transport.write(b"".join(pieces))
        if not more_body:
            self.response_complete = True
            self.message_event.set()
            self.on_response()

    def _head(self, start: HTTPResponseStartEvent, whole_length: int | None) -> list[bytes]:
        """Status line and headers. `whole_length`: of the body, where all of it is known."""
        if self.waiting_for_100_continue:
            # A client refused before its body may send that body or the next request: only a new connection is clear.
            self.waiting_for_100_continue = False
            self.keep_alive = False
        status = start["status"]
        headers: Sequence[tuple[bytes, bytes]] = [*self.default_headers, *start.get("headers", ())]
        if HEADER_VALUE_RE.search(b" ".join([value for _, value in headers])):
            raise RuntimeError("A header of the answer has a control character in its value.")
        pieces = [STATUS_LINE[status]]
        closes = False
        for name, value in headers:
            prefix = header_prefix(name)
            if prefix in _FRAMING:
                closes |= self._note_framing(prefix, value)
            pieces += (prefix, value, b"\r\n")
        if self.chunked_encoding is None and self.scope["method"] != "HEAD" and status not in (204, 304):
            pieces.append(self._choose_framing(whole_length))
        if not self.keep_alive and not closes:
            pieces.append(b"connection: close\r\n")
        pieces.append(b"\r\n")
        return pieces

    def _note_framing(self, prefix: bytes, value: bytes) -> bool:
        """Remember how the application frames its body; true for a header that closes the connection."""
        if prefix == b"content-length: ":
            if self.chunked_encoding is None:
                self.chunked_encoding = False
                self.expected_content_length = int(value)
        elif prefix == b"transfer-encoding: ":
            self.chunked_encoding = value.lower() == b"chunked"
        elif b"close" in [token.strip() for token in value.lower().split(b",")]:
            self.keep_alive = False
            return True
        return False

    def _choose_framing(self, whole_length: int | None) -> bytes:
        if whole_length is not None:
            self.chunked_encoding = False
            self.expected_content_length = whole_length
            return b"content-length: %d\r\n" % whole_length
        if self.scope["http_version"] == "1.0":
            self.ends_with_connection = True  # RFC 9112 §6.1: no chunks for HTTP/1.0
            return b""
        self.chunked_encoding = True
        return b"transfer-encoding: chunked\r\n"

    def _frame(self, pieces: list[bytes], body: bytes, *, more_body: bool) -> None:
        if self.chunked_encoding:
            if body:
                pieces += (b"%x\r\n" % len(body), body, b"\r\n")
            if not more_body:
                pieces.append(b"0\r\n\r\n")
            return
        pieces.append(body)
        if self.ends_with_connection:
            return
        self.expected_content_length -= len(body)
        if self.expected_content_length < 0 or (self.expected_content_length and not more_body):
            raise RuntimeError("The body of the answer does not have the length that its head says.")

    async def _fail(self, error: Exception) -> None:
        refusal = log_failure(error, method=self.scope["method"])
        if self.disconnected or self.head_written:
            return
        self.response_started = False
        self.chunked_encoding = None
        body = refusal_body(refusal)
        await self.send({"type": "http.response.start", "status": 500, "headers": refusal_headers(body)})
        await self.send({"type": "http.response.body", "body": body})


def log_failure(error: Exception, *, method: str) -> OAuthError:
    """Log what an application failed with, and refuse under the name of that entry."""
    error_id = secrets.token_hex(8)
    # The text is made here: log processors may print the local variables of each frame, and those hold secrets.
    trace = "".join(traceback.format_exception(error))
    _log.error("application_failed", error_id=error_id, method=method, exception=trace)
    return refuse("internal_error", error_id=error_id)


@lru_cache(maxsize=256)  # the names are those in our own code; the check is worth doing once each
def header_prefix(name: bytes) -> bytes:
    """Write a header up to its value; RuntimeError for a name that HTTP forbids."""
    if HEADER_RE.search(name):
        raise RuntimeError("A header of the answer has a name that HTTP forbids.")
    return name.lower() + b": "


# A piece is pushed to a thousand connections at once.
@lru_cache(maxsize=8)
def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _nothing() -> None:
    """Stands where a finished exchange referred to its connection, so that the two are not kept by a cycle."""
