"""The revocation feed under load: from an end to the refusal, what a thousand readers cost, what entries weigh.

The server runs alone on core 0; readers, load and verifier share core 1, so latencies hold their waiting too.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import tracemalloc
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import IO, cast

import msgspec
import trunk
import uvloop
from trunk import Installation, Row, load, on_core, row

from sealring.compose import open_house
from sealring.config import Settings, load_settings
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import Revocation
from sealring_verify import TokenRefused, Verifier
from sealring_verify.revoked_entries import RevokedEntries

API_KEY = "sla_of_the_bench"
READERS = 1000
ENDS_PER_SECOND = 100
ENDS = 600
ENTRIES = 100_000
CALLERS = 64


class Site(Installation):
    """An installation with cheap hashes, whose API `orders` may read the feed."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        cheap = "[password]\nmemory = 8\npasses = 1\n"
        self.configuration.write_text(self.configuration.read_text() + cheap)
        settings = load_settings(self.configuration, environment={})
        assert isinstance(settings, Settings), settings
        self.settings = settings
        asyncio.run(self._give_secret())

    async def _give_secret(self) -> None:
        async with open_house(self.settings) as opened:
            store, hashing = opened.house.store, opened.house.hashing
            secret = (sha256(API_KEY.encode()).digest(),)
            api = await store.apis.find("orders")
            assert api is not None
            await store.apis.replace(msgspec.structs.replace(api, secret_digests=secret), read=api, events=[])
            cheap = await hashing.hash(trunk.PASSWORD.encode())
            assert isinstance(cheap, str)
            await store.users.set_password(
                "ada", password_hash=cheap, proven_epoch=None, keep=None, now=opened.house.clock(), events=[]
            )

    def sign_in(self, count: int) -> list[tuple[str, str]]:
        """Open sessions; access token and refresh token of each."""
        message = {"username": "ada", "password": trunk.PASSWORD, "scope": "orders:read", "resource": "orders"}
        body = json.dumps(message)
        connection = HTTPConnection("127.0.0.1", self.port)
        found = []
        for _ in range(count):
            connection.request("POST", "/session", body, headers_of_shop())
            answer = json.loads(connection.getresponse().read())
            found.append((answer["access_token"], answer["refresh_token"]))
        connection.close()
        return found


def headers_of_shop() -> dict[str, str]:
    credentials = b64encode(f"shop:{trunk.SECRET}".encode()).decode()
    return {"Authorization": f"Basic {credentials}", "Content-Type": "application/json"}


def log_out(connection: HTTPConnection, refresh_token: str) -> None:
    """End a session, as a client does; returns when the end is committed."""
    connection.request("DELETE", "/session", json.dumps({"refresh_token": refresh_token}), headers_of_shop())
    answer = connection.getresponse()
    assert answer.status == 204, answer.read()
    answer.read()


class Reader(asyncio.Protocol):
    """One stream, read as octets: it counts events and keeps the connection."""

    all_began: asyncio.Event

    heard = 0
    first = 0

    def __init__(self, request: bytes) -> None:
        self.request = request
        self.began = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        cast("asyncio.WriteTransport", transport).write(self.request)

    def data_received(self, data: bytes) -> None:
        """Count the ends of events."""
        events = data.count(b"\n\n")
        Reader.heard += events
        if events and not self.began:
            self.began = True
            Reader.first += 1
            if Reader.first == READERS:
                Reader.all_began.set()


async def read_streams(port: int, count: int, lines: "asyncio.StreamReader") -> None:
    """Keep `count` streams open; answer each line of standard input with what was heard since."""
    credentials = b64encode(f"orders:{API_KEY}".encode()).decode()
    request = (
        f"GET /revocations?after=0&nonce={'n' * 22} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Basic {credentials}\r\nAccept: text/event-stream\r\n\r\n"
    ).encode()
    loop = asyncio.get_running_loop()
    while (word := await lines.readline()) and word != b"end\n":
        if word == b"open\n":
            began = time.perf_counter()
            Reader.first, Reader.all_began = 0, asyncio.Event()
            transports = [
                (await loop.create_connection(lambda: Reader(request), "127.0.0.1", port))[0] for _ in range(count)
            ]
            await Reader.all_began.wait()
            print(time.perf_counter() - began, flush=True)
        elif word == b"close\n":
            for transport in transports:
                transport.abort()
            print(0, flush=True)
        else:
            heard, Reader.heard = Reader.heard, 0
            print(heard, flush=True)


async def run_readers(port: int, count: int) -> None:
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    await read_streams(port, count, lines)


class Readers:
    """A process on core 1 that holds a thousand streams."""

    def __init__(self, site: Site) -> None:
        with on_core(1):
            self.process = subprocess.Popen(
                [sys.executable, __file__, "--readers", str(READERS), "--port", str(site.port)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    def ask(self, word: str) -> float:
        """Say a word and wait for its number."""
        stdin, stdout = pipes(self.process)
        stdin.write(word + "\n")
        stdin.flush()
        return float(stdout.readline())

    def end(self) -> None:
        """Let the process go."""
        stdin, _ = pipes(self.process)
        stdin.write("end\n")
        stdin.close()
        self.process.wait()


def pipes(process: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout


@contextmanager
def ending(site: Site, sessions: list[tuple[str, str]]) -> Iterator[list[float]]:
    """End sessions meanwhile, a hundred a second; the list fills with when each end was committed."""
    committed: list[float] = []
    with on_core(1):  # a process of its own: a thread would share the load's interpreter lock, and slow the load
        process = subprocess.Popen(
            [sys.executable, __file__, "--ends", "--port", str(site.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
    stdin, stdout = pipes(process)
    stdin.write(json.dumps([refresh_token for _, refresh_token in sessions]) + "\n")
    stdin.flush()
    stdout.readline()

    def gather() -> None:
        for line in iter(stdout.readline, ""):
            committed.append(float(line))  # noqa: PERF401 -- seen by others as it grows

    thread = threading.Thread(target=gather)
    thread.start()
    try:
        yield committed
    finally:
        process.terminate()
        process.wait()
        thread.join()


def run_ends(port: int) -> None:
    """End the sessions that standard input names, and say when each end was committed."""
    connection = HTTPConnection("127.0.0.1", port)
    refresh_tokens = json.loads(sys.stdin.readline())
    print("begun", flush=True)
    began = time.perf_counter()
    with suppress(BrokenPipeError):  # enough was seen
        for number, refresh_token in enumerate(refresh_tokens):
            time.sleep(max(0.0, began + number / ENDS_PER_SECOND - time.perf_counter()))
            log_out(connection, refresh_token)
            print(time.perf_counter(), flush=True)


def measure_latency(site: Site) -> list[float]:
    """Seconds from the commit of an end to the refusal of a token of it, for one end after another."""
    sessions = site.sign_in(ENDS)
    verifier = Verifier(site.issuer, "orders", api_key=API_KEY)
    verifier.verify(sessions[-1][0])
    seconds = []
    with on_core(1), ending(site, sessions) as committed:
        number = 0
        while number < ENDS - 5:
            while len(committed) <= number:
                time.sleep(0.0005)
            number = len(committed) - 1
            while accepts(verifier, sessions[number][0]):
                time.sleep(0.0005)
            seconds.append(time.perf_counter() - committed[number])
            number += 1
    return sorted(seconds)


def accepts(verifier: Verifier, token: str) -> bool:
    try:
        verifier.verify(token)
    except TokenRefused as refusal:
        if refusal.code != "session_ended":
            raise
        return False
    return True


def refreshes_per_second(site: Site, tokens: list[bytes]) -> float:
    head = site.head("/session/refresh", len(tokens[0]) + 20) + b'{"refresh_token":"'

    def keep(number: int, answer: bytes) -> None:
        tokens[number] = trunk.refresh_token_in(answer)

    report = load(
        site.port,
        connections=len(tokens),
        next_request=lambda number: head + tokens[number] + b'"}',
        on_answer=keep,
    )
    return report.per_second


def processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def measure_readers(site: Site, pid: int) -> list[Row]:
    """What a thousand readers and a hundred ends a second cost, and how soon an end is known."""
    tokens = [refresh_token.encode() for _, refresh_token in site.sign_in(CALLERS)]
    readers = Readers(site)
    refreshes_per_second(site, tokens)  # warm
    alone, beside, used, grown = [], [], [], []
    for _ in range(trunk.ROUNDS):
        alone.append(refreshes_per_second(site, tokens))
        memory = resident(pid)
        opened = readers.ask("open")
        grown.append(resident(pid) - memory)
        with ending(site, site.sign_in(ENDS)):
            readers.ask("heard")
            before, began = processor_seconds(pid), time.perf_counter()
            time.sleep(2)
            elapsed = time.perf_counter() - began
            used.append((processor_seconds(pid) - before) / elapsed)
            heard = readers.ask("heard") / elapsed
            beside.append(refreshes_per_second(site, tokens))
        readers.ask("close")
        time.sleep(0.5)
    readers.ask("open")
    # Last, since a verifier reads on in this process and would slow the load.
    latencies = sorted(seconds for _ in range(trunk.ROUNDS) for seconds in measure_latency(site))
    readers.end()
    milliseconds = [latencies[len(latencies) * share // 100] * 1000 for share in (50, 99)]
    name = f"target of p99, {READERS} readers, {ENDS_PER_SECOND} ends/s"
    return [
        row("feed: commit to refusal, p50", milliseconds[0], "ms", floor=250, floor_name=name),
        row("feed: commit to refusal, p99", milliseconds[1], "ms", floor=250, floor_name=name),
        row(
            "refresh beside the feed",
            statistics.median(beside),
            "/s",
            floor=statistics.median(alone),
            floor_name="without readers and ends",
        ),
        row("feed: core of the server", statistics.median(used), "cores", floor=1, floor_name="one core"),
        row("feed: events sent", heard, "/s", floor=READERS, floor_name="one checkpoint a second"),
        # Before anything ended: later streams begin with all that did, which a reader that stayed has long.
        row("feed: memory of a reader", grown[0] * 1024 / READERS, "KiB", floor=64, floor_name="64 KiB"),
        row("feed: all readers come back", opened, "s", floor=READERS / 1000, floor_name="one each ms"),
    ]


async def fill(settings: Settings) -> None:
    """Put a hundred thousand live entries into the feed."""
    async with open_house(settings) as opened:
        now = opened.house.clock()

        async def end(number: int) -> None:
            ended = Revocation(
                kind="jti", value=f"t{number}", at=Instant(now), audiences=frozenset({"orders"}), client_id=f"c{number}"
            )
            await opened.house.store.revocations.end_token(ended, most=10, now=now, events=[])

        for start in range(0, ENTRIES, 2000):
            await asyncio.gather(*(end(number) for number in range(start, start + 2000)))


def measure_entries(site: Site) -> list[Row]:
    """What a snapshot of a hundred thousand entries weighs, and an entry in the verifier."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(fill(site.settings))
    process = site.start()
    try:
        connection = HTTPConnection("127.0.0.1", site.port)
        credentials = b64encode(f"orders:{API_KEY}".encode()).decode()
        started = time.perf_counter()
        connection.request("GET", "/revocations/snapshot", headers={"Authorization": f"Basic {credentials}"})
        octets = len(connection.getresponse().read())
        seconds = time.perf_counter() - started
        connection.close()
    finally:
        process.terminate()
        process.wait()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    entries = RevokedEntries()
    for _ in range(ENTRIES):
        entries.add(os.urandom(16), at=1, until=2**31, epoch=0, now=0)
    held = (tracemalloc.get_traced_memory()[0] - before) / ENTRIES
    tracemalloc.stop()
    return [
        row("feed: snapshot", octets / ENTRIES, "bytes/entry", floor=16, floor_name="the id alone"),
        row("feed: snapshot, first", seconds, "s", floor=1, floor_name=f"a second for {ENTRIES} entries"),
        row("feed: an entry in the verifier", held, "bytes", floor=64, floor_name="the bound"),
    ]


def measure() -> list[Row]:
    """Take every figure, each in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder))
        process = site.start()
        try:
            rows = measure_readers(site, process.pid)
        finally:
            process.terminate()
            process.wait()
    with tempfile.TemporaryDirectory() as folder:
        return rows + measure_entries(Site(Path(folder)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    parser.add_argument("--readers", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ends", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.readers:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_readers(arguments.port, arguments.readers))
        return
    if arguments.ends:
        run_ends(arguments.port)
        return
    trunk.report(measure(), arguments.json)


if __name__ == "__main__":
    main()
