"""Opens the house from its settings: store, keys, threads, and what the operator's desk holds."""

import os
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from sealring.admin.act import Act
from sealring.admin.control_app import ControlApp, build_control_app
from sealring.browser.page_style import LOGO_TYPES, Logo, PageStyle
from sealring.clocks import OffsetClock, ServiceClockReading, wall_clock
from sealring.compose.problem import ComposeProblem
from sealring.compose.unlocking import UnlockedStore, master_key_path, open_locked_store, unlock_store
from sealring.config import Settings, hash_parameters, page_style, password_policy, reserved_places, sso_policy
from sealring.hashing.password_hash import HashingThreads
from sealring.limiting.registration import MemoryRegistrationLimit
from sealring.limiting.sign_in import MemorySignInLimit
from sealring.outgoing.fetcher import GuardedFetcher, OutgoingPolicy, TrustProblem, load_trust
from sealring.ports import Clock, Store, StoreIdentity
from sealring.protocol.api import ISSUER_SCOPES, Api
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.https_target import is_authority
from sealring.protocol.instant import Seconds
from sealring.protocol.refresh_token_format import TokenRealm
from sealring.protocol.subject_identifier import PairwiseKey
from sealring.services.acknowledgement import Readers
from sealring.services.client_keys import ClientKeys
from sealring.services.client_logo import ClientLogos
from sealring.services.desk import Desk
from sealring.services.house import House
from sealring.services.key_admin import KeyDesk
from sealring.services.key_schedule import KeyTerms, complete_key_stock
from sealring.services.readiness import Readiness, is_another_store
from sealring.services.registration import RegistrationDesk
from sealring.services.report import ReportBoard
from sealring.services.revocation_feed import FeedPolicy, RevocationFeed
from sealring.signing.incarnation_file import IncarnationFile, IncarnationFileProblem
from sealring.signing.keyring import Keyring, make_key_forge, open_keyring
from sealring.signing.master_key import MasterKeyProblem, generate_master_key, load_master_key, write_master_key
from sealring.signing.master_key_change import MasterKeyBook
from sealring.signing.master_key_file import MasterKeyFile, next_file
from sealring.signing.unsealing import KeyringProblem
from sealring.web.routes import Methods
from sealring_verify.verified_tokens import VerifiedTokens

_LARGEST_LOGO: Final = 256 * 1024
_DEMO_REGISTRATIONS: Final = 1000


class DemoTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What the demo adds to a server, and nothing else may: its pages, acts and movable clock (SECURITY D7)."""

    routes: Mapping[str, Methods]
    clock_offset_file: Path
    acts: Mapping[str, Act] = {}


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
        clock = wall_clock if demo is None else OffsetClock(demo.clock_offset_file)
        unlocked = await _unlock(stack, settings, demo=demo is not None, clock=clock)
        store = unlocked.store
        identity = await store.state.identity()
        remembered = IncarnationFile(incarnation_path(settings))
        hashing = _start_hashing(stack, settings)
        await _register_issuer(store, settings.issuer, clock=clock)
        terms = key_terms(settings, master_key=unlocked.master_key)
        keyring = await open_keys(unlocked, settings, terms=terms, incarnation=identity.incarnation, clock=clock)
        service_clock = ServiceClockReading(identity.service_now, shared=settings.database != "sqlite")
        outgoing = _make_fetcher(settings)
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
            readiness=Readiness(halted=_is_rolled_back(identity, remembered)),
            feed=RevocationFeed(store=store, signer=keyring, clock=clock, policy=_feed_policy(settings)),
            reports=ReportBoard(),
            key_set_life=terms.key_set_life,
            checked_tokens=VerifiedTokens(),
            outgoing=outgoing,
            client_keys=ClientKeys(outgoing, monotonic=time.monotonic),
            client_logos=ClientLogos(outgoing, monotonic=time.monotonic),
            pairwise_key=PairwiseKey(unlocked.standing.pairwise),
            sso_policy=sso_policy(settings),
            page_style=_read_style(settings),
            frontchannel_logout=settings.logout.front_channel,
        )
        desk = _desk_of(house, settings, unlocked=unlocked, terms=terms)
        registration = _registration_desk(house, desk, settings, demo=demo is not None)
        opened = OpenHouse(
            house=msgspec.structs.replace(house, registration=registration),
            desk=desk,
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


async def _unlock(stack: AsyncExitStack, settings: Settings, *, demo: bool, clock: Clock) -> UnlockedStore:
    # Before the store: a missing key must not leave a database behind.
    master_key = load_master_key(master_key_path(settings))
    if isinstance(master_key, MasterKeyProblem) and not next_file(master_key_path(settings)).exists():
        raise ComposeProblem(master_key.sentence)
    async with AsyncExitStack() as unlocking:
        locked = await open_locked_store(settings, demo=demo)
        unlocking.push_async_callback(locked.close)
        if (await locked.identity()).demo and not demo:
            raise ComposeProblem(
                "This is the demo's database: its users are not yours. Run `sealring init` in another folder."
            )
        unlocked = await unlock_store(locked, settings, clock=clock)
        unlocking.pop_all()
    stack.push_async_callback(unlocked.store.close)
    return unlocked


def _is_rolled_back(identity: StoreIdentity, remembered: IncarnationFile) -> bool:
    rolled_back = remembered.disagrees_with(identity.incarnation, identity.feed_number)
    if isinstance(rolled_back, IncarnationFileProblem):
        raise ComposeProblem(rolled_back.sentence)
    return rolled_back


def _start_hashing(stack: AsyncExitStack, settings: Settings) -> HashingThreads:
    hashing = HashingThreads(
        parameters=hash_parameters(settings),
        threads=settings.password.threads or max(1, (os.cpu_count() or 2) - 1),
        queue=settings.password.queue,
        reserved=reserved_places(settings),
        randomness=os.urandom,
    )
    stack.callback(hashing.close)
    return hashing


def _read_style(settings: Settings) -> PageStyle:
    """Read how pages look. Raises ComposeProblem where the logo cannot be read."""
    style, file = page_style(settings), settings.pages.logo_file
    if file is None:
        return style
    path = settings.path(file)
    media_type = LOGO_TYPES.get(path.suffix.lower())
    if media_type is None:
        raise ComposeProblem(f"The logo {path} is no {', '.join(LOGO_TYPES)} file (pages.logo_file).")
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise ComposeProblem(f"The logo {path} cannot be read ({failure.strerror}): see pages.logo_file.") from failure
    if len(content) > _LARGEST_LOGO:
        raise ComposeProblem(f"The logo {path} is larger than {_LARGEST_LOGO // 1024} KiB (pages.logo_file).")
    return msgspec.structs.replace(style, logo=Logo(media_type, content))


def _make_limit(settings: Settings) -> MemorySignInLimit:
    return MemorySignInLimit(
        failures_per_account=settings.limits.failures_per_account,
        failures_per_network=settings.limits.failures_per_network,
    )


def _make_fetcher(settings: Settings) -> GuardedFetcher:
    written = settings.outgoing
    odd = [text for text in written.allow if not is_authority(text)]
    if odd:
        raise ComposeProblem(
            f'outgoing.allow names {odd[0]!r}: write "host:port", in lower case, the port always said.'
        )
    trust = load_trust(None if written.ca_file is None else settings.path(written.ca_file))
    if isinstance(trust, TrustProblem):
        raise ComposeProblem(trust.sentence)
    return GuardedFetcher(trust, policy=OutgoingPolicy(allow=frozenset(written.allow)))


def _feed_policy(settings: Settings) -> FeedPolicy:
    return FeedPolicy(
        streams_per_api=settings.feed.streams_per_api, snapshots_per_minute=settings.feed.snapshots_per_minute
    )


def _desk_of(house: House, settings: Settings, *, unlocked: UnlockedStore, terms: KeyTerms) -> Desk:
    return Desk(
        store=house.store,
        signer=house.signer,
        hashing=house.hashing,
        password_policy=house.password_policy,
        clock=house.clock,
        randomness=house.randomness,
        issuer=house.issuer,
        audit_key=unlocked.standing.audit,
        key_folder=settings.path(settings.master_key_file).parent,
        keys=KeyDesk(
            store=house.store,
            signer=house.signer,
            terms=terms,
            clock=house.clock,
            holder=os.urandom(8).hex(),
            master_key=MasterKeyBook(unlocked.master_key, issuer=settings.issuer, randomness=os.urandom),
            data_folder=settings.path(settings.data),
        ),
        readers=Readers(feed=house.feed, reports=house.reports),
        readiness=house.readiness,
    )


def _registration_desk(house: House, desk: Desk, settings: Settings, *, demo: bool) -> RegistrationDesk | None:
    if settings.registration.mode == "off":
        return None
    # All callers of a demo are this machine, and a conformance suite registers a client for each of its modules.
    per_network = max(settings.registration.per_network, _DEMO_REGISTRATIONS if demo else 0)
    return RegistrationDesk(
        store=house.store,
        keys=desk.keys,
        outgoing=house.outgoing,
        frontchannel_logout=house.frontchannel_logout,
        needs_token=settings.registration.mode == "token",
        limit=MemoryRegistrationLimit(per_network=per_network),
        clock=house.clock,
        randomness=house.randomness,
        require_pkce=settings.registration.require_pkce,
        most_clients=settings.registration.most_clients,
    )


def key_terms(settings: Settings, *, master_key: MasterKeyFile) -> KeyTerms:
    """Say how keys are made and when they turn."""
    return KeyTerms(
        forge=make_key_forge(master_key=master_key, issuer=settings.issuer, randomness=os.urandom),
        pending=Seconds(settings.keys.pending_hours * 3600),
        active=Seconds(settings.keys.active_days * 24 * 3600),
        key_set_life=Seconds(settings.keys.key_set_seconds),
    )


async def open_keys(
    unlocked: UnlockedStore, settings: Settings, *, terms: KeyTerms, incarnation: bytes, clock: Clock
) -> Keyring:
    """Complete the stock of keys and unseal them. Raises ComposeProblem where the master key does not open them."""
    stock = await complete_key_stock(store=unlocked.store, terms=terms, now=clock())
    keyring = open_keyring(
        stock.keys,
        master_key=unlocked.master_key,
        realm=TokenRealm(issuer=settings.issuer, incarnation=incarnation),
    )
    if isinstance(keyring, KeyringProblem):
        raise ComposeProblem(keyring.sentence)
    return keyring


async def _register_issuer(store: Store, issuer: str, *, clock: Clock) -> None:
    """The issuer is itself an API: people list and end their sessions with its tokens (DESIGN §5)."""
    now = clock()
    known = await store.apis.find(issuer)
    if known is None:
        api = Api(identifier=issuer, scopes=ISSUER_SCOPES, created_at=now)
        await store.apis.add(api, events=[AuditEvent(event="api_added", at=now, actor="sealring", api=issuer)])
    elif not ISSUER_SCOPES.keys() <= known.scopes.keys():  # a store of an older version
        api = msgspec.structs.replace(known, scopes={**known.scopes, **ISSUER_SCOPES})
        event = AuditEvent(event="api_changed", at=now, actor="sealring", api=issuer)
        await store.apis.replace(api, read=known, events=[event])


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
    if not is_another_store(
        identity, opened=opened.house.signer.realm.incarnation, feed_number=opened.incarnation_file.feed_number
    ):
        opened.incarnation_file.remember(identity.incarnation, identity.feed_number)
