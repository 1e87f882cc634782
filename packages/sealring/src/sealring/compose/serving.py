"""Serves an open house until it is told to stop."""

import asyncio
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from ipaddress import ip_network
from typing import Final

import msgspec
import structlog

from sealring.admin.control_app import build_control_app
from sealring.compose.certificate import Certificate
from sealring.compose.opening import DemoTerms, OpenHouse, open_house
from sealring.compose.problem import ComposeProblem
from sealring.compose.upkeep import (
    keep_certificate,
    keep_checkpoints,
    keep_clients_told,
    keep_keys,
    keep_up,
    make_checkpoints,
    make_retention,
    tell_halt,
    write_checkpoint,
)
from sealring.config import Settings, certificate_files, control_socket
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.discovery import is_loopback
from sealring.telemetry.activity import ActivityLines
from sealring.telemetry.logs import configure_logs
from sealring.telemetry.standard_output import StandardOutput
from sealring.web.app import WebApp, WebPolicy
from sealring.web.http_server import CannotListen, ConnectionLimits, HttpServer, Listen, ListenUnix

_GRACE_SECONDS: Final = 10
_FRONT_CHANNEL: Final = (
    "Browsers that keep cookies out of other sites' frames tell no application so, and nobody hears of it. "
    "Register back-channel logout URIs, and set logout.front_channel = false."
)
_log = structlog.get_logger()


async def serve_house(
    settings: Settings,
    *,
    demo: DemoTerms | None = None,
    announce: Callable[[], None] | None = None,
    until: asyncio.Event | None = None,
) -> None:
    """Serve until SIGTERM, SIGINT or `until`. `announce`: called once requests are answered.

    Raises ComposeProblem where a port, a file or a key is in the way.
    """
    configure_logs()
    stop = until or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop.set)
    # The demo's standard output is for people, and its audit nobody's evidence.
    output = None if demo is not None else StandardOutput()
    async with open_house(settings, demo=demo) as found, AsyncExitStack() as stack:
        opened = _telling(found, settings, output, stack)
        files = certificate_files(settings)
        certificate = None if files is None else Certificate(*files)
        for server in _servers(settings, opened, demo=demo, certificate=certificate):
            try:
                await server.start()
            except CannotListen as problem:
                raise ComposeProblem(str(problem)) from problem
            stack.push_async_callback(server.stop, _GRACE_SECONDS)
        retention = make_retention(opened.desk, settings.audit.retention_days)
        for upkeep in (
            keep_up(opened, retention),
            keep_keys(opened),
            keep_clients_told(opened),
            keep_certificate(certificate),
        ):
            stack.callback(asyncio.create_task(upkeep).cancel)
        await _note(opened, "node_started")
        checkpoints = None if output is None else make_checkpoints(opened.desk, output)
        checkpointing = asyncio.create_task(keep_checkpoints(checkpoints, settings.audit.checkpoint_seconds))
        stack.callback(checkpointing.cancel)
        if opened.house.halted:
            tell_halt(opened)
        if opened.house.frontchannel_logout:
            _log.warning("front_channel_logout_is_on", advice=_FRONT_CHANNEL)
        if announce is not None:
            announce()
        # After the word that programs wait for, which stays the first line.
        await write_checkpoint(checkpoints)
        await stop.wait()
        # First: an open stream is a request under way, and would hold up the servers' ordered stop.
        opened.house.feed.close()
        checkpointing.cancel()
        await _note(opened, "node_stopped")
        await write_checkpoint(checkpoints)


def _servers(
    settings: Settings, opened: OpenHouse, *, demo: DemoTerms | None, certificate: Certificate | None
) -> Sequence[HttpServer]:
    trusted = tuple(ip_network(network) for network in settings.server.trusted_proxies)
    policy = WebPolicy(
        trusted_proxies=trusted,
        refuse_forwarded=demo is not None,
        extra_routes={} if demo is None else demo.routes,
    )
    limits = ConnectionLimits(
        connections=settings.server.connections,
        trusted_proxies=trusted,
        head_seconds=settings.server.head_seconds,
        body_seconds=settings.server.body_seconds,
    )
    socket = control_socket(settings)
    try:
        socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise ComposeProblem(f"The folder {socket.parent} cannot be made ({failure.strerror}).") from failure
    app = WebApp(opened.house, policy=policy)
    listen = Listen(host=settings.server.host, port=settings.server.port)
    return (
        HttpServer(
            app,
            listen=listen,
            limits=limits,
            # Browsers apply what `localhost` says to each of its ports, and other programs live there.
            tls=None if certificate is None else certificate.tls(strict_transport=not is_loopback(settings.issuer)),
            recognise=app.recognise,
        ),
        HttpServer(
            build_control_app(opened.desk, more={} if demo is None else demo.acts), listen=ListenUnix(path=socket)
        ),
    )


def _telling(opened: OpenHouse, settings: Settings, output: StandardOutput | None, stack: AsyncExitStack) -> OpenHouse:
    """Let the house tell ordinary acts, where that is wanted."""
    if output is None or settings.telemetry.activity == "off":
        return opened
    activity = ActivityLines(output)
    # Registered before the servers, so it ends after them, and their last acts are told.
    stack.push_async_callback(asyncio.to_thread, activity.close)
    return msgspec.structs.replace(opened, house=msgspec.structs.replace(opened.house, activity=activity))


async def _note(opened: OpenHouse, event: str) -> None:
    await opened.house.store.audit.record([AuditEvent(event=event, at=opened.house.clock(), actor="sealring")])
