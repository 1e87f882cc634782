"""A closed-loop load generator: N keep-alive connections, each sends its next request when it has its answer.

It costs about a third of the server's time per request, so pin it to another core than the server's.
"""

import asyncio
import time
from collections.abc import Callable
from typing import cast

import msgspec


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one run saw. `p50`, `p99`: seconds from a request's write to the end of its answer.

    `errors`: answers of status 400 and above, and connections that were lost or answered unintelligibly.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int

    @property
    def per_second(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


async def run_load(
    host: str,
    port: int,
    *,
    connections: int,
    seconds: float,
    next_request: Callable[[int], bytes],
    on_answer: Callable[[int, bytes], None],
) -> LoadReport:
    """Load a server for `seconds`; requests under way at the end are waited for and counted.

    `next_request`: the whole request for a connection, by its number from 0. `on_answer`: its answer, head and body;
    it is called before that connection's next request is asked for. Answers need a Content-Length.
    """
    run = _Run(next_request, on_answer)
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(connections):
        _, client = await loop.create_connection(lambda number=number: _Client(number, run), host, port)
        clients.append(client)
    started = time.perf_counter()
    run.ends_at = started + seconds
    for client in clients:
        client.ask()
    await asyncio.gather(*(client.done for client in clients))
    elapsed = time.perf_counter() - started
    latencies = sorted(run.latencies) or [0.0]
    return LoadReport(
        requests=len(run.latencies),
        seconds=elapsed,
        p50=latencies[len(latencies) // 2],
        p99=latencies[len(latencies) * 99 // 100],
        errors=run.errors,
    )


class _Run:
    def __init__(self, next_request: Callable[[int], bytes], on_answer: Callable[[int, bytes], None]) -> None:
        self.next_request = next_request
        self.on_answer = on_answer
        self.ends_at = 0.0
        self.latencies: list[float] = []
        self.errors = 0


class _Client(asyncio.Protocol):
    def __init__(self, number: int, run: _Run) -> None:
        self.number = number
        self.run = run
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.transport = asyncio.WriteTransport()
        self.received = b""
        self.asked_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.WriteTransport", transport)

    def ask(self) -> None:
        self.transport.write(self.run.next_request(self.number))
        self.asked_at = time.perf_counter()

    def data_received(self, data: bytes) -> None:
        self.received = self.received + data if self.received else data
        length = _answer_length(self.received)
        if length is None or len(self.received) < length:
            return
        now = time.perf_counter()
        answer, self.received = self.received, b""
        if len(answer) > length:
            self._lose()
            return
        self.run.latencies.append(now - self.asked_at)
        self.run.errors += answer[9:10] >= b"4"
        self.run.on_answer(self.number, answer)
        if now < self.run.ends_at:
            self.ask()
        else:
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if not self.done.done():
            self._lose()

    def _lose(self) -> None:
        self.run.errors += 1
        self._finish()

    def _finish(self) -> None:
        if not self.done.done():
            self.done.set_result(None)
        self.transport.close()


def _answer_length(received: bytes) -> int | None:
    """Bytes of the answer that `received` begins with; None while its head is incomplete, 0 where it has no length."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head = received[: end + 2].lower()
    start = head.find(b"\r\ncontent-length:")
    if start < 0:
        return end + 4 if head[9:12] in (b"204", b"304") else 0
    return end + 4 + int(head[start + 17 : head.index(b"\r\n", start + 2)])
