"""The listener: opens sockets, makes connections, sweeps their deadlines once a second, stops in bounded time."""

import asyncio
import resource
import socket
import time
from email.utils import formatdate
from pathlib import Path
from typing import cast

import structlog
from starlette.types import ASGIApp
from uvicorn.config import Config
from uvicorn.server import ServerState

from sealring.web.http_server.admission import Admission, ConnectionLimits
from sealring.web.http_server.connection import Connection
from sealring.web.http_server.direct import KnownHeads, Recognise
from sealring.web.http_server.listening import (
    BACKLOG,
    Listen,
    ListenUnix,
    open_tcp_sockets,
    open_unix_socket,
    remove_unix_socket,
)
from sealring.web.http_server.tls import Tls, TlsListener

# Descriptors for everything that is not a client: database, logs, listeners, calls to the outside.
_RESERVED_DESCRIPTORS = 256
_CANCEL_SECONDS = 1
_log = structlog.get_logger()


class HttpServer:
    """Serve one ASGI application on one address, in the running loop, beside other servers and tasks.

    It installs no signal handler and runs no lifespan; X-Forwarded-* headers reach the application as they came.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        listen: Listen | ListenUnix,
        limits: ConnectionLimits | None = None,
        tls: Tls | None = None,
        recognise: Recognise | None = None,
    ) -> None:
        """Serve `app`.

        `limits`: None for the defaults of ConnectionLimits. `tls`: None for plain HTTP. `recognise`: what of `app` may
        be asked directly.
        """
        self._listen = listen
        self._tls = tls
        self._limits = ConnectionLimits() if limits is None else limits
        self._config = Config(
            app,
            http="httptools",
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
        )
        self._state = ServerState()
        self._heads = None if recognise is None else KnownHeads(recognise)
        self._listeners: list[asyncio.Server | TlsListener] = []
        self._socket_identity: tuple[int, int] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stopping = False
        self._empty = asyncio.Event()
        self.addresses: tuple[tuple[str, int], ...] = ()
        """Host and port of each TCP socket once started, with the port that the system chose for port 0."""

    async def start(self) -> None:
        """Listen; returns when connections are accepted. Raises CannotListen, PortInUse or SocketInUse.

        Raises the process's soft limit of open files as far as the connections need and the hard limit allows.
        """
        connections = _room_for(self._limits.connections)
        admission = Admission(self._limits, connections=connections)
        sockets = self._open_sockets()
        self._config.load()
        loop = asyncio.get_running_loop()

        def connect(place: str | None = None) -> Connection:
            return Connection(
                self._config,
                self._state,
                limits=self._limits,
                admission=admission,
                heads=self._heads,
                on_lost=self._note_lost,
                place=place,
            )

        self._sweep(loop)
        for opened in sockets:
            if self._tls is not None:
                self._listeners.append(
                    TlsListener(opened, tls=self._tls, limits=self._limits, admission=admission, connect=connect)
                )
                continue
            make = loop.create_unix_server if isinstance(self._listen, ListenUnix) else loop.create_server
            self._listeners.append(await make(connect, sock=opened, backlog=BACKLOG))

    async def stop(self, grace_seconds: float) -> int:
        """Accept no more, drop idle connections, let requests under way finish for `grace_seconds`, then cut them off.

        Returns how many were cut off; takes at most a second beyond the grace. Stopping twice does nothing more.
        """
        if self._stopping:
            return 0
        self._stopping = True
        for listener in self._listeners:
            listener.close()
        for connection in self._connections():
            connection.shutdown()
        try:
            async with asyncio.timeout(grace_seconds):
                await self._finish()
        except TimeoutError:
            pass
        cut_off = len(self._state.tasks)
        await self._cut_off()
        if self._timer is not None:
            self._timer.cancel()
        if isinstance(self._listen, ListenUnix) and self._socket_identity is not None:
            remove_unix_socket(self._listen.path, self._socket_identity)
        return cut_off

    def _open_sockets(self) -> list[socket.socket]:
        match self._listen:
            case Listen():
                sockets = open_tcp_sockets(self._listen)
                self.addresses = tuple(opened.getsockname()[:2] for opened in sockets)
                return sockets
            case ListenUnix(path=path):
                opened = open_unix_socket(self._listen)
                self._socket_identity = _identity(path)
                return [opened]

    def _connections(self) -> list[Connection]:
        return cast("list[Connection]", list(self._state.connections))

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer = loop.call_later(self._limits.sweep_seconds, self._sweep, loop)
        standing = [] if self._tls is None else self._tls.headers()
        self._state.default_headers = [(b"date", formatdate(time.time(), usegmt=True).encode()), *standing]
        now = loop.time()
        for connection in self._connections():
            if self._stopping:
                connection.shutdown()  # one may have been accepted while the listener closed
            connection.sweep(now)

    def _note_lost(self) -> None:
        if not self._state.connections:
            self._empty.set()

    async def _finish(self) -> None:
        while self._state.connections:
            self._empty.clear()
            await self._empty.wait()
        while self._state.tasks:
            await asyncio.wait(self._state.tasks)

    async def _cut_off(self) -> None:
        for task in self._state.tasks:
            task.cancel()
        for connection in self._connections():
            connection.transport.abort()
        if self._state.tasks:
            await asyncio.wait(self._state.tasks, timeout=_CANCEL_SECONDS)
        # The loop closes sockets in its next rounds; who starts again on this port must not meet them.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


def _room_for(connections: int) -> int:
    """How many connections the process's open files allow, after raising the soft limit as far as needed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _RESERVED_DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    reachable = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if reachable > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    allowed = max(reachable - _RESERVED_DESCRIPTORS, reachable // 2)
    if allowed < connections:
        _log.warning("connections_limited_by_open_files", connections=allowed, open_files=reachable)
    return min(connections, allowed)


def _identity(path: Path) -> tuple[int, int]:
    status = path.lstat()
    return status.st_dev, status.st_ino
