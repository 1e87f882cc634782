"""What our HTTP server adds to plain uvicorn: a raw ASGI echo on both, in turns, each server alone on core 0.

Deadlines, bounds and refusals cost, the single write saves; the ratio says which is more.
"""

import argparse
import asyncio
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import uvicorn
import uvloop
from load import LoadReport, run_load
from starlette.types import Receive, Scope, Send

from sealring.web.http_server import HttpServer, Listen

ROUNDS = 6
SECONDS = 1.0
CONNECTIONS = 32
FORM = b"grant_type=refresh_token&refresh_token=" + b"x" * 80
REQUEST = (
    b"POST /token HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: application/json\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%b" % (len(FORM), FORM)
)


CLOCK = b"GET /process_time HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = (await receive())["body"]
    if scope["path"] == "/process_time":
        body = b"%d" % time.process_time_ns()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve_ours() -> None:
    server = HttpServer(echo, listen=Listen(host="127.0.0.1", port=0))
    await server.start()
    print(server.addresses[0][1], flush=True)
    await asyncio.Event().wait()


class PlainServer(uvicorn.Server):
    """Plain uvicorn that says its port once it listens."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then print the port."""
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)


async def serve_uvicorn() -> None:
    config = uvicorn.Config(
        echo,
        port=0,
        http="httptools",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        log_config=None,
    )
    await PlainServer(config).serve()


SERVERS: dict[str, Callable[[], object]] = {"ours": serve_ours, "uvicorn": serve_uvicorn}


@contextmanager
def started(name: str) -> Iterator[int]:
    """Start a server in its own process and yield its port."""
    process = subprocess.Popen([sys.executable, __file__, "--serve", name], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of one server; `cpu_microseconds`: its process's, user and system, per request."""

    report: LoadReport
    cpu_microseconds: float


def take_turn(port: int) -> Turn:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        before = runner.run(process_time(port))
        report = runner.run(load(port))
        spent = runner.run(process_time(port)) - before
    assert not report.errors, report
    return Turn(report=report, cpu_microseconds=spent / 1000 / report.requests)


async def load(port: int) -> LoadReport:
    return await run_load(
        "127.0.0.1",
        port,
        connections=CONNECTIONS,
        seconds=SECONDS,
        next_request=lambda _: REQUEST,
        on_answer=lambda *_: None,
    )


async def process_time(port: int) -> int:
    """The CPU time of the server's process, in nanoseconds, as it says itself."""
    answers: list[bytes] = []
    await run_load(
        "127.0.0.1",
        port,
        connections=1,
        seconds=0,
        next_request=lambda _: CLOCK,
        on_answer=lambda _, answer: answers.append(answer),
    )
    return int(answers[0].rpartition(b"\r\n")[2])


def pin(place: int) -> None:
    """Keep this process on the core at that place among those allowed, counted round (Linux only)."""
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[place % len(cores)]})


def measure() -> list[dict[str, object]]:
    ours: list[Turn] = []
    plain: list[Turn] = []
    with started("ours") as our_port, started("uvicorn") as plain_port:
        pin(1)  # only now: a child inherits the cores of its parent
        take_turn(our_port)
        take_turn(plain_port)
        for _ in range(ROUNDS):
            ours.append(take_turn(our_port))
            plain.append(take_turn(plain_port))

    def row(name: str, unit: str, figure: Callable[[Turn], float]) -> dict[str, object]:
        value, floor = (statistics.median(map(figure, turns)) for turns in (ours, plain))
        against = f"plain uvicorn: {floor:.4g} {unit}"
        return {"name": name, "value": round(value, 3), "unit": unit, "against": against, "ratio": value / floor}

    return [
        row("http server: raw ASGI echo", "requests/s", lambda turn: turn.report.per_second),
        row("http server: CPU of a raw ASGI echo", "µs", lambda turn: turn.cpu_microseconds),
        row("http server: p99 of a raw ASGI echo", "ms", lambda turn: turn.report.p99 * 1000),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--serve", choices=SERVERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve is not None:
        pin(0)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(SERVERS[arguments.serve]())
        return
    rows = measure()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for entry in rows:
        print(f"{entry['name']}: {entry['value']:.4g} {entry['unit']}, {entry['ratio']:.2f} of {entry['against']}")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
