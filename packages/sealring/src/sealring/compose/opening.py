"""Opens the house from its settings: store, keys, threads, and what the operator's desk holds."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from sealring.admin.control_app import ControlApp, build_control_app
from sealring.clocks import OffsetClock, ServiceClockReading, wall_clock
from sealring.config import Settings, hash_parameters, password_policy, reserved_places
from sealring.hashing.password_hash import HashingThreads
from sealring.limiting.sign_in import MemorySignInLimit
from sealring.ports import Clock, Store, StoreIdentity
from sealring.protocol.api import SESSIONS_SCOPE, Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, Seconds
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.services.acknowledgement import Readers
from sealring.services.desk import Desk
from sealring.services.house import House
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import KeyTerms, complete_key_stock
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
from sealring.storage.sqlite.database import open_database
from sealring.storage.sqlite.store import SqliteStore
from sealring.storage.store_problem import StoreProblem
from sealring.web.routes import Methods

if TYPE_CHECKING:
    from sealring.storage.postgresql.store import PostgresqlStore

_MOST_DIFFERENCE: Final = 1000  # milliseconds
_Held = TypeVar("_Held")


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
        store = await _open_store(settings, audit_key=audit_key, demo=demo is not None)
        stack.push_async_callback(store.close)
        identity = await store.state.identity()
        if identity.demo and demo is None:
            raise ComposeProblem(
                "This is the demo's database: its users are not yours. Run `sealring init` in another folder."
            )
        remembered = IncarnationFile(incarnation_path(settings))
        hashing = _start_hashing(settings)
        stack.callback(hashing.close)
        await _register_issuer(store, settings.issuer, clock=clock)
        terms = key_terms(settings, master_key=master_key)
        keyring = await open_keys(
            store, settings, terms=terms, master_key=master_key, incarnation=identity.incarnation, clock=clock
        )
        service_clock = ServiceClockReading(identity.service_now, shared=settings.database != "sqlite")
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
            halted=_is_rolled_back(identity, remembered),
            feed=RevocationFeed(store=store, signer=keyring, clock=clock, policy=_feed_policy(settings)),
            reports=ReportBoard(),
            key_set_life=terms.key_set_life,
        )
        opened = OpenHouse(
            house=house,
            desk=_desk_of(house, settings, audit_key=audit_key, terms=terms),
            service_clock=service_clock,
            incarnation_file=remembered,
        )
        yield opened
        await remember_store(opened)


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


def held(outcome: _Held | StoreProblem) -> _Held:
    """Return an outcome that is no problem; a StoreProblem becomes a ComposeProblem."""
    if isinstance(outcome, StoreProblem):
        raise ComposeProblem(outcome.sentence)
    return outcome


def open_store(path: Path, *, audit_key: bytes, demo: bool) -> SqliteStore:
    """Open the store at `path`, under a new name of this run in the audit. Raises ComposeProblem."""
    database = open_database(
        path,
        audit_key=audit_key,
        writer=os.urandom(8).hex(),
        randomness=os.urandom,
        demo=demo,
    )
    if isinstance(database, StoreProblem):
        raise ComposeProblem(database.sentence)
    return SqliteStore(database)


async def _open_store(settings: Settings, *, audit_key: bytes, demo: bool) -> "SqliteStore | PostgresqlStore":
    if settings.database == "sqlite":
        return open_store(settings.path(settings.data) / "sealring.db", audit_key=audit_key, demo=demo)
    # Here, for those who have it: whoever serves a file need not load a driver of databases.
    from sealring.storage.postgresql.database import open_database as open_postgresql  # noqa: PLC0415 -- as said
    from sealring.storage.postgresql.store import PostgresqlStore  # noqa: PLC0415 -- as said

    writer = os.urandom(8).hex()
    database = await open_postgresql(
        settings.database, audit_key=audit_key, writer=writer, randomness=os.urandom, demo=demo
    )
    store = PostgresqlStore(held(database))
    before = wall_clock()
    problem = clock_problem(await store.state.clock(), before=before, after=wall_clock())
    if problem is not None:
        await store.close()
        raise ComposeProblem(problem)
    return store


def clock_problem(database: Instant, *, before: Instant, after: Instant) -> str | None:
    """Say that this machine's clock is not the database's. `before`, `after`: readings around that of the `database`.

    Nodes judge by their own clocks what others wrote by theirs: expiry, and since when something has ended.
    """
    difference = max(database - after, before - database)
    if difference <= _MOST_DIFFERENCE:
        return None
    return (
        f"The clocks of this machine and of the database's are {difference / 1000:.1f} s apart, and more than one is "
        "too much: let both follow the same time servers (NTP)."
    )


def _is_rolled_back(identity: StoreIdentity, remembered: IncarnationFile) -> bool:
    rolled_back = remembered.disagrees_with(identity.incarnation, identity.feed_number)
    if isinstance(rolled_back, IncarnationFileProblem):
        raise ComposeProblem(rolled_back.sentence)
    return rolled_back


def _start_hashing(settings: Settings) -> HashingThreads:
    return HashingThreads(
        parameters=hash_parameters(settings),
        threads=settings.password.threads or max(1, (os.cpu_count() or 2) - 1),
        queue=settings.password.queue,
        reserved=reserved_places(settings),
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


def _desk_of(house: House, settings: Settings, *, audit_key: bytes, terms: KeyTerms) -> Desk:
    return Desk(
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        password_policy=house.password_policy,
        clock=house.clock,
        randomness=house.randomness,
        issuer=house.issuer,
        audit_key=audit_key,
        key_folder=settings.path(settings.master_key_file).parent,
        keys=KeyDesk(
            store=house.store, signer=house.signer, terms=terms, clock=house.clock, holder=os.urandom(8).hex()
        ),
        readers=Readers(feed=house.feed, reports=house.reports),
    )


def key_terms(settings: Settings, *, master_key: MasterKey) -> KeyTerms:
    """Say how keys are made and when they turn."""
    return KeyTerms(
        forge=make_key_forge(master_key=master_key, issuer=settings.issuer, randomness=os.urandom),
        pending=Seconds(settings.keys.pending_hours * 3600),
        active=Seconds(settings.keys.active_days * 24 * 3600),
        key_set_life=Seconds(settings.keys.key_set_seconds),
    )


async def open_keys(
    store: Store, settings: Settings, *, terms: KeyTerms, master_key: MasterKey, incarnation: bytes, clock: Clock
) -> Keyring:
    """Complete the stock of keys and unseal them. Raises ComposeProblem where the master key does not open them."""
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


def incarnation_path(settings: Settings) -> Path:
    """Return where the incarnation is remembered outside of the store."""
    if settings.incarnation_file is not None:
        return settings.path(settings.incarnation_file)
    master_key = settings.path(settings.master_key_file)
    return master_key.with_name(master_key.name + ".incarnation")


async def remember_store(opened: OpenHouse) -> None:
    """Write down outside of the store how far it has come, unless it was rolled back."""
    if opened.house.halted:
        return
    identity = await opened.house.store.state.identity()
    opened.incarnation_file.remember(identity.incarnation, identity.feed_number)
