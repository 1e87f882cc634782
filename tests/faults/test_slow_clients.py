"""Clients that send a byte a second are dropped at the deadline, and the others do not notice (DESIGN §4)."""

import asyncio
import resource
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Installation

SLOW_HEADS = 500
SLOW_BODIES = 300
DEADLINE = 2
PATIENCE = 10  # seconds in which all must be dropped: the deadline, a sweep, and a busy machine
HEAD = b"GET /readyz HTTP/1.1\r\nHost: "
BODY = (
    b"POST /session/refresh HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n{"
)


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard) if hard > 0 else 4096, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def seconds_until_dropped(port: int, sent: bytes) -> float:
    """Send `sent`, then a byte a second, until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    started = time.monotonic()
    ended = asyncio.create_task(reader.read(-1))
    try:
        writer.write(sent)
        while not ended.done():
            await asyncio.wait([ended], timeout=1)
            writer.write(b"x")
        ended.exception()  # a reset is a drop as well
    finally:
        writer.close()
    return time.monotonic() - started


async def refresh_latencies(installation: "Installation", token: str, stop: asyncio.Event) -> list[float]:
    latencies = []
    while not stop.is_set():
        started = time.monotonic()
        token = (await installation.refresh(token)).refresh_token
        latencies.append(time.monotonic() - started)
        await asyncio.sleep(0.01)
    return sorted(latencies)


async def test_slow_heads_and_bodies_are_dropped_and_harm_nobody(installation: "Installation") -> None:
    installation.configure(server=f"head_seconds = {DEADLINE}\nbody_seconds = {DEADLINE}")
    await installation.furnish()
    await installation.start()
    [token] = await installation.open_sessions(1)
    stop = asyncio.Event()
    honest = asyncio.create_task(refresh_latencies(installation, token, stop))
    slow = [HEAD] * SLOW_HEADS + [BODY % installation.port] * SLOW_BODIES
    dropped = await asyncio.gather(*(seconds_until_dropped(installation.port, sent) for sent in slow))
    stop.set()
    latencies = await honest
    assert min(dropped) >= DEADLINE - 0.1
    assert max(dropped) < PATIENCE
    assert len(latencies) > 50
    assert latencies[len(latencies) * 99 // 100] < 1, latencies[-10:]
