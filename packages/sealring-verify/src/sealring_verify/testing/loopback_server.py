"""An HTTP server on loopback, in threads of its own, that answers by one function."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

import msgspec

_POLL_SECONDS = 0.01


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked: `path` without its query. The names of `headers` are in lower case."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is answered. A body in parts is sent as they come, and ends with the connection."""

    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | Iterator[bytes] = b""


Respond = Callable[[Request], Answer | None]
"""None: the connection is closed without an answer."""


class LoopbackServer:
    """Serves http://127.0.0.1:`port` until it is stopped, and may be started again on the same port."""

    def __init__(self, respond: Respond) -> None:
        self._handler = type("Handler", (_Handler,), {"respond": staticmethod(respond)})
        self.port = 0
        self.start()

    def start(self) -> None:
        """Begin to answer: on the port of before, or at first on a free one."""
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), self._handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(_POLL_SECONDS,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Answer nobody who comes from now on."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    respond: Respond

    def do_GET(self) -> None:
        self._exchange(b"")

    def do_POST(self) -> None:
        self._exchange(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as above
        """Say nothing: a test's output is its own."""

    def _exchange(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.respond(Request(path=parts.path, query=dict(parse_qsl(parts.query)), headers=headers, body=body))
        if answer is None:
            self.close_connection = True
            return
        # Whoever asked may be gone: that is no fault of the server.
        with contextlib.suppress(ConnectionError):
            self._send(answer)

    def _send(self, answer: Answer) -> None:
        parts = [answer.body] if isinstance(answer.body, bytes) else answer.body
        self.send_response(answer.status)
        if not isinstance(answer.body, bytes):
            self.close_connection = True
        elif answer.status not in {204, 304}:
            self.send_header("Content-Length", str(len(answer.body)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        for part in parts:
            self.wfile.write(part)
            self.wfile.flush()
