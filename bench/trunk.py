"""The trunk against its floors, in one run: sign-in, refresh and verification per second, start, memory, table size.

The server runs alone on core 0, the load on core 1; floors are measured on core 0 as well.
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
import tempfile
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from urllib.request import urlopen

import apsw
import http_server
import msgspec
import uvloop
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from load import LoadReport, run_load

from sealring.compose import OpenHouse, make_master_key, open_house
from sealring.config import Settings, hash_parameters, load_settings
from sealring.credentials.password_hash import hash_password, verify_password
from sealring.ports import NewSession
from sealring.protocol.access_token import SessionFacts, access_token_payload
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.refresh_token import PresentedRefreshToken
from sealring.protocol.user import Subject, User
from sealring_verify import Verifier

SECRET = "slc_" + "of_the_bench"
PASSWORD = "a passphrase of the bench"
SCOPES = {"orders:read": "See orders"}
ORDERS = Api(identifier="orders", scopes=SCOPES, claims=("roles",), created_at=1)
CONNECTIONS = 64
ROUNDS = 3
SECONDS = 3.0
TOKENS = 3000
STORED_SESSIONS = 2000
REFRESHES = 100
STARTS = 5


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One figure beside its floor. `ratio`: value through floor."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float


def row(name: str, value: float, unit: str, *, floor: float, floor_name: str) -> Row:
    """Put a figure beside its floor, both in `unit`."""
    against = f"{floor_name}: {floor:.4g} {unit}"
    return Row(name=name, value=round(value, 3), unit=unit, against=against, ratio=value / floor)


class Installation:
    """A folder with a furnished house, and its server on core 0 while one runs."""

    def __init__(self, folder: Path, *, database: str = "sqlite") -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.configuration = folder / "sealring.toml"
        self.configuration.write_text(
            f'issuer = "{self.issuer}"\ndatabase = "{database}"\n[server]\nport = {self.port}\n'
        )
        settings = load_settings(self.configuration, environment={})
        assert isinstance(settings, Settings), settings
        self.settings = settings
        make_master_key(settings)
        asyncio.run(furnish(settings))

    def start(self) -> "subprocess.Popen[bytes]":
        """Start `sealring serve` on core 0, and wait for its first answer."""
        sealring = Path(sys.executable).with_name("sealring")
        command = [str(sealring), "serve", "--config", str(self.configuration)]
        with on_core(0):  # a child inherits the cores of its parent
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            assert process.poll() is None, "the server ended"
            with suppress(OSError), urlopen(f"{self.issuer}/readyz"):  # noqa: S310 -- our own loopback address
                return process
            time.sleep(0.002)

    def head(self, path: str, length: int) -> bytes:
        """Write the head of a request of the client `shop`."""
        credentials = b64encode(f"shop:{SECRET}".encode()).decode()
        return (
            f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Basic {credentials}\r\n"
            f"User-Agent: bench\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        ).encode()


def load(
    port: int,
    *,
    connections: int,
    next_request: Callable[[int], bytes],
    on_answer: Callable[[int, bytes], None] = lambda *_: None,
) -> LoadReport:
    """Load a server from core 1; any error ends the bench."""
    with on_core(1), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        report = runner.run(
            run_load(
                "127.0.0.1",
                port,
                connections=connections,
                seconds=SECONDS,
                next_request=next_request,
                on_answer=on_answer,
            )
        )
    assert not report.errors, report
    return report


@contextmanager
def on_core(place: int) -> Iterator[None]:
    """Keep this process on one of its cores meanwhile (Linux only)."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    cores = sorted(before)
    os.sched_setaffinity(0, {cores[place % len(cores)]})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def per_second(work: Callable[[], object]) -> float:
    """Say how often `work` is done in a second, on core 0."""
    with on_core(0):
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < 1:
            work()
            done += 1
        return done / (time.perf_counter() - started)


async def furnish(settings: Settings) -> None:
    """Register the API `orders`, the client `shop` and ada."""
    async with open_house(settings) as opened:
        store = opened.house.store
        await store.apis.add(ORDERS, events=[])
        shop = Client(
            client_id="shop",
            name="Shop",
            type="confidential",
            secret_digests=(sha256(SECRET.encode()).digest(),),
            first_party=True,
            allowed={"orders": frozenset(SCOPES)},
            epoch=1,
            created_at=1,
        )
        await store.clients.add(shop, events=[])
        hashed = await opened.house.hashing.hash(PASSWORD.encode())
        assert isinstance(hashed, str)
        ada = User(sub="ada", username="ada", claims={}, roles=("clerk",), epoch=1, created_at=1)
        await store.users.add(ada, username_key="ada", email_key=None, password_hash=hashed, events=[])


def measure_sign_in(house: Installation) -> tuple[Row, list[bytes]]:
    """Sign in on 8 connections; the refresh tokens of the sessions come back as well."""
    parameters = hash_parameters(house.settings)
    hashed = hash_password(PASSWORD.encode(), parameters=parameters, randomness=os.urandom)
    message = {"username": "ada", "password": PASSWORD, "scope": "orders:read", "resource": "orders"}
    body = json.dumps(message).encode()
    request = house.head("/session", len(body)) + body
    tokens: list[bytes] = []
    values, floors = [], []
    for _ in range(ROUNDS):
        floors.append(per_second(lambda: verify_password(hashed, PASSWORD.encode(), parameters=parameters)))
        report = load(
            house.port,
            connections=8,
            next_request=lambda _: request,
            on_answer=lambda _, answer: tokens.append(refresh_token_in(answer)),
        )
        values.append(report.per_second)
    name = f"bare Argon2id verify, {parameters.memory // 1024} MiB, {parameters.passes} passes, one core"
    sign_in = row("sign-in", statistics.median(values), "/s", floor=statistics.median(floors), floor_name=name)
    return sign_in, tokens


def refresh_token_in(answer: bytes) -> bytes:
    """Find the refresh token in an answer, at the price of a search."""
    start = answer.index(b'"refresh_token":"') + 17
    return answer[start : answer.index(b'"', start)]


def measure_refresh(house: Installation, tokens: list[bytes]) -> list[Row]:
    """Refresh on 64 connections, a session each; the floor is one signature and one raw ASGI echo."""
    tokens = tokens[:CONNECTIONS]
    head = house.head("/session/refresh", len(tokens[0]) + 20) + b'{"refresh_token":"'

    def keep(number: int, answer: bytes) -> None:
        tokens[number] = refresh_token_in(answer)

    def refresh() -> LoadReport:
        return load(
            house.port,
            connections=len(tokens),
            next_request=lambda number: head + tokens[number] + b'"}',
            on_answer=keep,
        )

    private = ec.generate_private_key(ec.SECP256R1())
    octets = b"x" * 600
    reports, floors = [], []
    refresh()  # warm
    with http_server.started("ours") as echo_port:
        for _ in range(ROUNDS):
            echo = load(echo_port, connections=CONNECTIONS, next_request=lambda _: http_server.REQUEST)
            signatures = per_second(lambda: private.sign(octets, ec.ECDSA(SHA256())))
            floors.append(1 / (1 / signatures + 1 / echo.per_second))
            reports.append(refresh())
    per_s = statistics.median(report.per_second for report in reports)
    floor = statistics.median(floors)
    p99 = statistics.median(report.p99 for report in reports) * 1000
    name = f"{CONNECTIONS} callers at that rate"
    return [
        row("refresh", per_s, "/s", floor=floor, floor_name="one ES256 signature and one raw ASGI echo"),
        row("refresh: p99", p99, "ms", floor=CONNECTIONS / per_s * 1000, floor_name=name),
    ]


async def measure_verification(settings: Settings) -> Row:
    """Verify tokens that the verifier has not seen, as an API does at each new one."""
    async with open_house(settings) as opened:
        tokens = [access_token(opened, number) for number in range(TOKENS)]
        key_set = opened.house.signer.key_set()
    verifier = Verifier(settings.issuer, "orders", jwks=key_set)
    keys = {key["kid"]: key for key in json.loads(key_set)["keys"]}
    header = json.loads(octets_of(tokens[0].partition(".")[0]))
    public = ec.EllipticCurvePublicNumbers(
        *(int.from_bytes(octets_of(keys[header["kid"]][name])) for name in "xy"), ec.SECP256R1()
    ).public_key()
    bare = [(signature_of(token), token.rpartition(".")[0].encode()) for token in tokens]
    ours, floors = [], []
    with on_core(0):
        for start in range(0, TOKENS, TOKENS // ROUNDS):
            started = time.perf_counter()
            for token in tokens[start : start + TOKENS // ROUNDS]:
                verifier.verify(token)
            between = time.perf_counter()
            for signature, signing_input in bare[start : start + TOKENS // ROUNDS]:
                public.verify(signature, signing_input, ec.ECDSA(SHA256()))
            ours.append(between - started)
            floors.append(time.perf_counter() - between)
    value, floor = (TOKENS // ROUNDS / statistics.median(times) for times in (ours, floors))
    return row("verification", value, "/s", floor=floor, floor_name="bare ES256 verify of cryptography")


def access_token(opened: OpenHouse, number: int) -> str:
    """Sign an access token as a session would get it."""
    facts = SessionFacts(
        sid=f"s{number}", client_id="shop", client_epoch=1, auth_time=opened.house.clock(), amr=("pwd",), claims={}
    )
    payload = access_token_payload(
        issuer=opened.house.issuer,
        api=ORDERS,
        subject=Subject(sub="ada", roles=("clerk",), claims={}, epoch=1),
        session=facts,
        scope=frozenset(SCOPES),
        jti=str(number),
        now=opened.house.clock(),
    )
    assert isinstance(payload, bytes)
    token = opened.house.signer.sign_access_token(payload)
    assert token is not None
    return token


def octets_of(text: str) -> bytes:
    """Decode base64url without padding."""
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def signature_of(token: str) -> bytes:
    """The signature in the form that cryptography wants."""
    raw = octets_of(token.rpartition(".")[2])
    return encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))


def measure_start(house: Installation) -> Row:
    """From the start of the process to its first answer."""
    starts, floors = [], []
    for _ in range(STARTS):
        with on_core(0):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", "pass"], check=True)
            floors.append(time.perf_counter() - started)
        started = time.perf_counter()
        process = house.start()
        starts.append(time.perf_counter() - started)
        process.terminate()
        process.wait()
    value, floor = (statistics.median(times) * 1000 for times in (starts, floors))
    return row("start to first answer", value, "ms", floor=floor, floor_name="python -c pass")


def measure_memory(pid: int) -> Row:
    """Resident memory of the loaded server."""
    bare = subprocess.run(
        [sys.executable, "-c", "print(open('/proc/self/statm').read())"], check=True, capture_output=True, text=True
    ).stdout
    value, floor = (
        int(text.split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20
        for text in (Path(f"/proc/{pid}/statm").read_text(), bare)
    )
    return row("resident memory after the load", value, "MiB", floor=floor, floor_name="a bare Python")


async def measure_table(settings: Settings) -> Row:
    """Bytes that a session takes in its table and indexes, after one refresh and after a hundred."""
    async with open_house(settings) as opened:
        keys = sorted(os.urandom(20) for _ in range(STORED_SESSIONS))
        await asyncio.gather(*(open_session(opened, key) for key in keys))
        await asyncio.gather(*(refresh_stored(opened, key, 0) for key in keys))
        after_one = session_bytes(settings) / STORED_SESSIONS
        for generation in range(1, REFRESHES):
            await asyncio.gather(*(refresh_stored(opened, key, generation) for key in keys))
        after_all = session_bytes(settings) / STORED_SESSIONS
    name = f"bytes a session after {REFRESHES} refreshes"
    return row(name, after_all, "bytes", floor=after_one, floor_name="after 1 refresh")


async def open_session(opened: OpenHouse, key: bytes) -> None:
    """Open a session as a sign-in does."""
    now = opened.house.clock()
    session = NewSession(
        key=key,
        sid=key.hex(),
        sub="ada",
        client_id="shop",
        subject_epoch=1,
        client_epoch=1,
        mac_key_id=opened.house.signer.current_mac_key().mac_key_id,
        scope=frozenset(SCOPES),
        resource="orders",
        resources=frozenset({"orders"}),
        auth_time=now,
        amr=("pwd",),
        claims=None,
        idle_expires_at=now + 3_600_000,
        absolute_expires_at=now + 36_000_000,
        binding_digest=None,
        network="127.0.0.0/24",
        user_agent="other",
    )
    assert await opened.house.store.sessions.create(session, now=now, events=[])


async def refresh_stored(opened: OpenHouse, key: bytes, generation: int) -> None:
    """Rotate a session in the store."""
    presented = PresentedRefreshToken(
        key=key, generation=generation, client_id="shop", network="127.0.0.0/24", user_agent="other"
    )
    grant = await opened.house.store.sessions.advance(
        presented,
        mac_key_id=opened.house.signer.current_mac_key().mac_key_id,
        idle_lifetime=3600,
        now=opened.house.clock(),
        service_now=opened.house.service_clock(),
    )
    assert grant is not None


def session_bytes(settings: Settings) -> int:
    """Bytes of the pages that the sessions' table and its indexes take."""
    database = apsw.Connection(str(settings.path(settings.data) / "sealring.db"), flags=apsw.SQLITE_OPEN_READONLY)
    names = "SELECT name FROM sqlite_schema WHERE tbl_name = 'sessions'"
    octets = database.execute(f"SELECT sum(pgsize) FROM dbstat WHERE name IN ({names})").get  # noqa: S608 -- constants
    database.close()
    return int(octets)


def measure() -> list[Row]:
    """Take every figure, each in a folder of its own where it needs one."""
    with tempfile.TemporaryDirectory() as folder:
        house = Installation(Path(folder))
        started = measure_start(house)
        process = house.start()
        try:
            sign_in, tokens = measure_sign_in(house)
            refreshes = measure_refresh(house, tokens)
            memory = measure_memory(process.pid)
        finally:
            process.terminate()
            process.wait()
        verification = asyncio.run(measure_verification(house.settings))
    with tempfile.TemporaryDirectory() as folder:
        house = Installation(Path(folder))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            table = runner.run(measure_table(house.settings))
    return [sign_in, *refreshes, verification, started, memory, table]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path, help="write the rows to this file")
    arguments = parser.parse_args()
    report(measure(), arguments.json)


def report(rows: list[Row], file: Path | None) -> None:
    """Print the rows and the machine; write them to `file` as JSON where one is named."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    for entry in rows:
        print(f"{entry.name}: {entry.value:.4g} {entry.unit}, {entry.ratio:.3g} of {entry.against}")
    if file is not None:
        file.write_text(json.dumps(msgspec.to_builtins(rows), indent=1))


if __name__ == "__main__":
    main()
