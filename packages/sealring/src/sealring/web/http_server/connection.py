"""One connection: uvicorn's httptools protocol with phases that have deadlines, bounds on input, ordered refusals.

Leans on uvicorn.protocols.http.httptools_impl.HttpToolsProtocol: its constructor, the attributes it sets, the parser
callbacks' order and `_start_asgi_task`; `connection_made`, `on_message_begin` and `on_url` are kept as they are. Its
keep-alive timer is not used: deadlines are judged by one sweep over all connections, so a request arms no timer.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.config import Config
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from sealring.protocol.errors import OAuthError
from sealring.web.exchange import PUSH_EXTENSION
from sealring.web.http_server.admission import Admission, ConnectionLimits
from sealring.web.http_server.direct import DirectExchange, KnownHead, KnownHeads
from sealring.web.http_server.exchange import Exchange
from sealring.web.http_server.reading import Reading, ReadingStopped
from sealring.web.http_server.refusal import BODY_TOO_LARGE, BODY_TOO_SLOW, HEAD_TOO_LARGE, MALFORMED, whole_answer
from sealring.web.http_server.request_head import judge_head, read_target

# A chunk of one byte costs six on the wire; whoever sends more than this multiple of the body sends extensions.
_CHUNK_OVERHEAD = 8
_EXTENSIONS: Final[dict[str, dict[object, object]]] = {PUSH_EXTENSION: {}}


class Connection(HttpToolsProtocol):
    """One client connection, swept for deadlines by the server that made it."""

    cycle: Exchange | DirectExchange | None  # type: ignore[assignment]  # the newest request; uvicorn's annotation hides the None
    pipeline: deque[tuple[Exchange, ASGI3Application]]  # type: ignore[assignment]  # newest at the left

    def __init__(
        self,
        config: Config,
        state: ServerState,
        *,
        limits: ConnectionLimits,
        admission: Admission,
        heads: KnownHeads | None,
        on_lost: Callable[[], None],
        place: str | None = None,
    ) -> None:
        """Serve one connection.

        `heads`: of requests that go the direct way, if any do. `on_lost`: called when the connection is gone. `place`:
        the address that was admitted before TLS began.
        """
        super().__init__(config, state, app_state={}, _loop=asyncio.get_running_loop())
        self.limits = limits
        self.admission = admission
        self.heads = heads
        self.place = place
        self.admitted = place is not None
        self.made = False
        self.on_lost = on_lost
        self.answering: Exchange | DirectExchange | None = (
            None  # started and not complete; those behind it wait in self.pipeline
        )
        self.last_words: OAuthError | None = None
        self.stopping = False
        self.reading = Reading.HEAD
        self.at_start = True  # the parser has taken nothing since the end of a request
        self.since = self.loop.time()
        self.untaken_since: float | None = None
        # Bytes of the phase being read: in earlier chunks of input, and at most in the present one.
        self.earlier_bytes = 0
        self.chunk_bytes = 0
        self.began_inside_chunk = False
        self.body_room = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Take a place among the connections, or close at once where none is left."""
        super().connection_made(transport)
        self.made = True
        if self.admitted:
            self.since = self.loop.time()  # the handshake had its own time
            return
        self.place = self.client[0] if self.client else None
        self.admitted = self.admission.admit(self.place)
        if not self.admitted:
            self.reading = Reading.DEAF
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back and tell every exchange under way that its client is gone."""
        del exc
        self.connections.discard(self)
        if self.admitted:
            self.admission.leave(self.place)
        if self.answering is not None:
            self.answering.disconnect()
            self.answering = None
        self.pipeline.clear()
        self.flow.resume_writing()
        self.parser = None  # type: ignore[assignment]  # it holds bound methods of this object: a cycle
        self.on_lost()

    def data_received(self, data: bytes) -> None:
        """Answer a request whose head is known, or feed the parser, which learns that head."""
        heads = self.heads if self.answering is None and self.reading is not Reading.DEAF else None
        known = heads.recall(data) if heads is not None and self.at_start else None
        if known is not None:
            self._answer_directly(*known)
            return
        begins = self.at_start or self.reading is Reading.IDLE
        self.at_start = False
        self._feed(data)
        if heads is not None and begins and self.reading is Reading.IDLE and isinstance(self.cycle, Exchange):
            self.at_start = heads.learn(data, cast("dict[str, Any]", self.cycle.scope))

    def on_message_begin(self) -> None:
        """Begin a request, unless no more of them are wanted on this connection."""
        if self.cycle is not None and (
            not self.cycle.keep_alive or len(self.pipeline) >= self.limits.pipelined_requests
        ):
            raise ReadingStopped(None)
        super().on_message_begin()
        if self.reading is Reading.IDLE:
            self._enter(Reading.HEAD)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header of the head; a trailer after a chunked body must not join it (RFC 9110 §6.5.1)."""
        if self.reading is Reading.BODY:
            return
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Check the head as a whole, then start its exchange or queue it behind the one being answered."""
        version = self.parser.get_http_version()
        refusal = judge_head(
            version, self.url, self.headers, received_bytes=self.earlier_bytes + self.chunk_bytes, limits=self.limits
        )
        target = read_target(self.url)
        if refusal is not None or target is None:
            raise ReadingStopped(refusal or MALFORMED)
        self.scope["method"] = self.parser.get_method().decode("ascii")
        self.scope["http_version"] = version
        self.scope["path"] = target.path
        self.scope["raw_path"] = target.raw_path
        self.scope["query_string"] = target.query_string
        self.scope["extensions"] = _EXTENSIONS
        self.cycle = Exchange(
            scope=self.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=False,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=self.expect_100_continue,
            keep_alive=version != "1.0" and self.parser.should_keep_alive() and not self.stopping,
            on_response=self.on_response_complete,
        )
        self._enter(Reading.BODY)
        self.body_room = self.limits.body_bytes
        if self.answering is None:
            self._answer(self.cycle)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((self.cycle, self.app))

    def on_body(self, body: bytes) -> None:
        """Hand a piece of the body on; more than the bound ends the connection, whoever reads it."""
        self.body_room -= len(body)
        if self.body_room < 0:
            raise ReadingStopped(BODY_TOO_LARGE)
        exchange = self.cycle
        if not isinstance(exchange, Exchange) or exchange.response_complete:
            return
        exchange.body += body
        if len(exchange.body) > HIGH_WATER_LIMIT:
            self.flow.pause_reading()
        exchange.message_event.set()

    def on_message_complete(self) -> None:
        """The request is whole; its exchange hears so unless it has answered already."""
        self._enter(Reading.IDLE)
        exchange = self.cycle
        if isinstance(exchange, Exchange) and not exchange.response_complete:
            exchange.more_body = False
            exchange.message_event.set()

    def on_response_complete(self) -> None:
        """Answer the next request in line, say the last words, or be idle."""
        done, self.answering = self.answering, None
        if done is None or self.transport.is_closing():
            return
        if not done.keep_alive:
            self._close()
        elif self.pipeline:
            # Input stays paused until the line is empty: what waits in the kernel costs us nothing.
            self._answer(self.pipeline.pop()[0])
        elif self.reading is Reading.DEAF:
            self._finish()
        else:
            self.flow.resume_reading()
            if self.reading is Reading.IDLE:
                self.since = self.loop.time()

    def sweep(self, now: float) -> None:
        """Drop the connection if a deadline has passed. `now`: the loop's monotonic seconds."""
        if not self.transport.get_write_buffer_size():
            self.untaken_since = None
        elif self.untaken_since is None:
            self.untaken_since = now
        elif now - self.untaken_since >= self.limits.write_seconds:
            self.transport.abort()
            return
        if self.flow.read_paused or (self.cycle is not None and self.cycle.waiting_for_100_continue):
            self.since = now  # it is we who keep the client waiting
            return
        waited = now - self.since
        match self.reading:
            case Reading.HEAD if waited >= self.limits.head_seconds:
                self._hear_no_more()
            case Reading.BODY if waited >= self.limits.body_seconds:
                self._refuse(BODY_TOO_SLOW)
            case Reading.IDLE if self.answering is None and waited >= self.admission.idle_seconds:
                self.transport.close()
            case Reading.LINGER if waited >= self.limits.linger_seconds:
                self.transport.close()
            case _:
                pass

    def shutdown(self) -> None:
        """Close now if no request is under way, else after the answers to those that are."""
        self.stopping = True
        if self.answering is not None and self.cycle is not None:
            self.cycle.keep_alive = False
        elif self.reading is not Reading.LINGER:
            self.transport.close()

    def _enter(self, reading: Reading) -> None:
        self.reading = reading
        self.since = self.loop.time()
        self.earlier_bytes = 0
        self.began_inside_chunk = True

    def _answer(self, exchange: Exchange) -> None:
        self.answering = exchange
        self._start_asgi_task(exchange, self.app)

    def _feed(self, data: bytes) -> None:
        """Feed the parser, then judge what is still incomplete by the bound of its phase."""
        if self.reading is Reading.IDLE:
            self._enter(Reading.HEAD)
        elif self.reading is Reading.DEAF or self.reading is Reading.LINGER:
            return
        self.chunk_bytes = len(data)
        self.began_inside_chunk = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # No protocol is offered: the request is answered as plain HTTP, and what follows it is not for us.
            self._hear_no_more()
        except httptools.HttpParserError as error:
            self._stop_reading(error)
        else:
            self.earlier_bytes = 0 if self.began_inside_chunk else self.earlier_bytes + self.chunk_bytes
            if self.reading is Reading.HEAD and self.earlier_bytes > self.limits.head_bytes:
                self._refuse(HEAD_TOO_LARGE)
            elif self.reading is Reading.BODY and self.earlier_bytes > self.limits.body_bytes * _CHUNK_OVERHEAD:
                self._refuse(BODY_TOO_LARGE)

    def _answer_directly(self, known: KnownHead, body: bytes) -> None:
        self.reading = Reading.IDLE  # its octets are all there
        exchange = DirectExchange(self.flow, self.transport, keep_alive=not self.stopping)
        self.cycle = self.answering = exchange
        answering = self.loop.create_task(
            exchange.run(
                known.respond,
                body,
                client=self.client,
                default_headers=self.server_state.default_headers,
                on_response=self.on_response_complete,
            )
        )
        self.tasks.add(answering)
        answering.add_done_callback(self.tasks.discard)

    def _stop_reading(self, error: httptools.HttpParserError) -> None:
        if not isinstance(error, httptools.HttpParserCallbackError):
            self._refuse(MALFORMED)
            return
        stop = error.__context__
        if not isinstance(stop, ReadingStopped):
            raise error  # a bug of ours: the loop logs it and drops the connection
        if stop.refusal is None:
            self._hear_no_more()
        else:
            self._refuse(stop.refusal)

    def _refuse(self, refusal: OAuthError) -> None:
        """Answer the request being read with `refusal`, after the answers before it, and close."""
        read = self.cycle if self.reading is Reading.BODY else None
        self.reading = Reading.DEAF
        if read is None:
            self.last_words = refusal
        elif read is self.answering:
            if read.head_written:
                self.transport.abort()
                return
            self.last_words = refusal
            self.answering = None
            read.disconnect()
        elif not read.response_complete:
            self.last_words = refusal
            self.pipeline.popleft()
        if self.answering is None:
            self._finish()

    def _hear_no_more(self) -> None:
        """Close after the answers under way, at once where there are none."""
        self.reading = Reading.DEAF
        if self.answering is None:
            self.transport.close()
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def _finish(self) -> None:
        if self.last_words is not None and not self.transport.is_closing():
            self.transport.write(whole_answer(self.last_words, self.server_state.default_headers))
        self._close()

    def _close(self) -> None:
        """Close, but first discard what the client still sends: closing over unread input resets the connection."""
        if self.reading is Reading.IDLE or self.transport.is_closing():
            self.transport.close()
            return
        self._enter(Reading.LINGER)
        self.flow.resume_reading()
        if self.transport.can_write_eof():  # TLS has no half of a connection to close: the client goes by the length
            self.transport.write_eof()
