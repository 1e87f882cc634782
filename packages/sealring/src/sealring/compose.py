"""The one place that knows every room: opens the house from its settings, and serves it."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sealring.admin.control_app import ControlApp, build_control_app
from sealring.clocks import OffsetClock, ServiceClockReading, wall_clock
from sealring.config import Settings, control_socket, hash_parameters, password_policy
from sealring.hashing.password_hash import HashingThreads
from sealring.limiting.sign_in import MemorySignInLimit
from sealring.ports import Clock, Store
from sealring.protocol.api import SESSIONS_SCOPE, Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Seconds
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.services.acknowledgement import Readers
from sealring.services.desk import Desk
from sealring.services.expiry import forget_expired
from sealring.services.house import House
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import KeyTerms, adopt_keys, complete_key_stock, turn_due_keys
from sealring.services.report import ReportBoard
from sealring.services.revocation_feed import FeedPolicy, RevocationFeed
from sealring.signing.incarnation_file import IncarnationFile, IncarnationFileProblem
from sealring.signing.keyring import Keyring, KeyringProblem, make_key_forge, open_keyring
from sealring.signing.master_key import (
    MasterKey,
    MasterKeyProblem,
    generate_master_key,
    load_master_key,
    write_master_key,
)
from sealring.signing.sealing import derive
from sealring.storage.sqlite.database import StoreProblem, open_database
from sealring.storage.sqlite.store import SqliteStore
from sealring.telemetry.logs import configure_logs
from sealring.web.app import WebApp, WebPolicy
from sealring.web.http_server import CannotListen, ConnectionLimits, HttpServer, Listen, ListenUnix
from sealring.web.routes import Methods

_GRACE_SECONDS: Final = 10
_BEAT_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.25
_TURN_EVERY: Final = 4
_FORGET_EVERY: Final = 60
_FORGET_AT_ONCE: Final = 500
_log = structlog.get_logger()


class ComposeProblem(Exception):  # noqa: N818 -- a sentence for the operator, who reads no traceback
    """The house cannot be opened; the message says what to do."""


class DemoTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo adds to a server, and nothing else may: its pages and its movable clock (SECURITY D7)."""

    routes: Mapping[str, Methods]
    clock_offset_file: Path


class OpenHouse(msgspec.Struct, frozen=True, kw_only=True):
    """An open house, with what the operator's desk and the upkeep need."""

    house: House
    desk: Desk
    service_clock: ServiceClockReading
    incarnation_file: IncarnationFile


@asynccontextmanager
async def open_house(settings: Settings, *, demo: DemoTerms | None = None) -> AsyncIterator[OpenHouse]:
    """Open store, keys and threads, and close them in order. Raises ComposeProblem with a sentence."""
    async with AsyncExitStack() as stack:
        master_key = load_master_key(settings.path(settings.master_key_file))
        if isinstance(master_key, MasterKeyProblem):
            raise ComposeProblem(master_key.sentence)
        clock = wall_clock if demo is None else OffsetClock(demo.clock_offset_file)
        audit_key = derive(master_key.reveal(), "audit")
        store = _open_store(settings, audit_key=audit_key, demo=demo is not None)
        stack.push_async_callback(store.close)
        identity = await store.state.identity()
        if identity.demo and demo is None:
            raise ComposeProblem(
                "This is the demo's database: its users are not yours. Run `sealring init` in another folder."
            )
        remembered = IncarnationFile(_incarnation_path(settings))
        rolled_back = remembered.disagrees_with(identity.incarnation, identity.feed_number)
        if isinstance(rolled_back, IncarnationFileProblem):
            raise ComposeProblem(rolled_back.sentence)
        hashing = _start_hashing(settings)
        stack.callback(hashing.close)
        await _register_issuer(store, settings.issuer, clock=clock)
        terms = _key_terms(settings, master_key=master_key)
        keyring = await _open_keys(
            store, settings, terms=terms, master_key=master_key, incarnation=identity.incarnation, clock=clock
        )
        service_clock = ServiceClockReading(identity.service_now)
        feed = RevocationFeed(store=store, signer=keyring, clock=clock, policy=_feed_policy(settings))
        house = House(
            issuer=settings.issuer,
            store=store,
            signer=keyring,
            hashing=hashing,
            limit=_make_limit(settings),
            clock=clock,
            service_clock=service_clock,
            randomness=os.urandom,
            password_policy=password_policy(settings),
            halted=rolled_back,
            feed=feed,
            reports=ReportBoard(),
            key_set_life=terms.key_set_life,
        )
        opened = OpenHouse(
            house=house,
            desk=_desk_of(house, audit_key=audit_key, terms=terms),
            service_clock=service_clock,
            incarnation_file=remembered,
        )
        yield opened
        await _remember(opened)


@asynccontextmanager
async def open_desk(settings: Settings) -> AsyncIterator[Desk]:
    """Open the house for one command of the operator, while no server runs."""
    async with open_house(settings) as opened:
        yield msgspec.structs.replace(opened.desk, readers=None, remember=opened.incarnation_file.remember)


def make_master_key(settings: Settings) -> None:
    """Make the master key of a new installation in its file. Raises ComposeProblem; never overwrites."""
    problem = write_master_key(settings.path(settings.master_key_file), generate_master_key(randomness=os.urandom))
    if problem is not None:
        raise ComposeProblem(problem.sentence)


@asynccontextmanager
async def open_control_app(settings: Settings) -> AsyncIterator[ControlApp]:
    """Open the control application over the store itself, for one command of the operator."""
    async with open_desk(settings) as desk:
        yield build_control_app(desk)


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
    async with open_house(settings, demo=demo) as opened, AsyncExitStack() as stack:
        for server in _servers(settings, opened, demo=demo):
            try:
                await server.start()
            except CannotListen as problem:
                raise ComposeProblem(str(problem)) from problem
            stack.push_async_callback(server.stop, _GRACE_SECONDS)
        for upkeep in (_keep_up(opened), _keep_keys(opened)):
            stack.callback(asyncio.create_task(upkeep).cancel)
        await _note(opened, "node_started")
        if opened.house.halted:
            _log.critical(
                "store_rolled_back",
                advice="This database is older than what this node last saw. Stop, run `sealring recover`, start.",
            )
        if announce is not None:
            announce()
        await stop.wait()
        # First: an open stream is a request under way, and would hold up the servers' ordered stop.
        opened.house.feed.close()
        await _note(opened, "node_stopped")


def _servers(settings: Settings, opened: OpenHouse, *, demo: DemoTerms | None) -> Sequence[HttpServer]:
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
    return (
        HttpServer(
            WebApp(opened.house, policy=policy),
            listen=Listen(host=settings.server.host, port=settings.server.port),
            limits=limits,
        ),
        HttpServer(build_control_app(opened.desk), listen=ListenUnix(path=socket)),
    )


def _open_store(settings: Settings, *, audit_key: bytes, demo: bool) -> SqliteStore:
    database = open_database(
        settings.path(settings.data) / "sealring.db",
        audit_key=audit_key,
        writer=os.urandom(8).hex(),
        randomness=os.urandom,
        demo=demo,
    )
    if isinstance(database, StoreProblem):
        raise ComposeProblem(database.sentence)
    return SqliteStore(database)


def _start_hashing(settings: Settings) -> HashingThreads:
    return HashingThreads(
        parameters=hash_parameters(settings),
        threads=settings.password.threads or max(1, (os.cpu_count() or 2) - 1),
        queue=settings.password.queue,
        randomness=os.urandom,
    )


def _make_limit(settings: Settings) -> MemorySignInLimit:
    return MemorySignInLimit(
        failures_per_account=settings.limits.failures_per_account,
        failures_per_network=settings.limits.failures_per_network,
    )


def _feed_policy(settings: Settings) -> FeedPolicy:
    return FeedPolicy(
        streams_per_api=settings.feed.streams_per_api, snapshots_per_minute=settings.feed.snapshots_per_minute
    )


def _desk_of(house: House, *, audit_key: bytes, terms: KeyTerms) -> Desk:
    return Desk(
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        password_policy=house.password_policy,
        clock=house.clock,
        randomness=house.randomness,
        issuer=house.issuer,
        audit_key=audit_key,
        keys=KeyDesk(
            store=house.store, signer=house.signer, terms=terms, clock=house.clock, holder=os.urandom(8).hex()
        ),
        readers=Readers(feed=house.feed, reports=house.reports),
    )


def _key_terms(settings: Settings, *, master_key: MasterKey) -> KeyTerms:
    return KeyTerms(
        forge=make_key_forge(master_key=master_key, issuer=settings.issuer, randomness=os.urandom),
        pending=Seconds(settings.keys.pending_hours * 3600),
        active=Seconds(settings.keys.active_days * 24 * 3600),
        key_set_life=Seconds(settings.keys.key_set_seconds),
    )


async def _open_keys(
    store: Store, settings: Settings, *, terms: KeyTerms, master_key: MasterKey, incarnation: bytes, clock: Clock
) -> Keyring:
    stock = await complete_key_stock(store=store, terms=terms, now=clock())
    keyring = open_keyring(
        stock.keys, master_key=master_key, realm=TokenRealm(issuer=settings.issuer, incarnation=incarnation)
    )
    if isinstance(keyring, KeyringProblem):
        raise ComposeProblem(keyring.sentence)
    return keyring


async def _register_issuer(store: Store, issuer: str, *, clock: Clock) -> None:
    """The issuer is itself an API: people list and end their sessions with its tokens (DESIGN §5)."""
    now = clock()
    api = Api(identifier=issuer, scopes={SESSIONS_SCOPE: "See and end your own sessions"}, created_at=now)
    await store.apis.add(api, events=[AuditEvent(event="api_added", at=now, actor="sealring", api=issuer)])


def _incarnation_path(settings: Settings) -> Path:
    if settings.incarnation_file is not None:
        return settings.path(settings.incarnation_file)
    master_key = settings.path(settings.master_key_file)
    return master_key.with_name(master_key.name + ".incarnation")


async def _keep_up(opened: OpenHouse) -> None:
    """Once a second: keep the service clock and what is remembered of the store; now and then forget what expired."""
    beats = 0
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        beats += 1
        try:
            if opened.service_clock.is_in_use():
                await opened.house.store.state.beat(opened.service_clock.peek())
            await _remember(opened)
            if beats % _FORGET_EVERY == 0:
                await forget_expired(store=opened.house.store, now=opened.house.clock(), limit=_FORGET_AT_ONCE)
        except Exception:  # noqa: BLE001 -- upkeep must outlive whatever went wrong once
            # The next beat tries again; a request that needs the store says so itself.
            _log.exception("upkeep_failed")


async def _keep_keys(opened: OpenHouse) -> None:
    """Notice within 250 ms that another node changed keys, and once a second do what their schedules say."""
    desk, version, looks = opened.desk.keys, -1, 0
    while True:
        try:
            if await desk.store.keys.version() != version:
                version = (await adopt_keys(store=desk.store, signer=desk.signer)).version
            if looks % _TURN_EVERY == 0 and not opened.house.halted:
                await turn_due_keys(
                    store=desk.store, signer=desk.signer, terms=desk.terms, holder=desk.holder, now=desk.clock()
                )
        except Exception:  # noqa: BLE001 -- as in _keep_up
            _log.exception("keys_not_kept")
        looks += 1
        await asyncio.sleep(_LOOK_SECONDS)


async def _remember(opened: OpenHouse) -> None:
    if opened.house.halted:
        return
    identity = await opened.house.store.state.identity()
    opened.incarnation_file.remember(identity.incarnation, identity.feed_number)


async def _note(opened: OpenHouse, event: str) -> None:
    await opened.house.store.audit.record([AuditEvent(event=event, at=opened.house.clock(), actor="sealring")])
