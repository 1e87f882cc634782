"""What a server does beside answering: clocks, expiry, retention, keys, checkpoints of the audit."""

import asyncio
from typing import Final

import structlog

from sealring.compose.certificate import Certificate
from sealring.compose.opening import OpenHouse, remember_store
from sealring.compose.unlocking import clock_problem
from sealring.services.audit_checkpoint import AuditCheckpoints
from sealring.services.audit_retention import AuditRetention
from sealring.services.backchannel_logout import Teller, tell_due_logouts
from sealring.services.desk import Desk
from sealring.services.expiry import forget_expired
from sealring.services.key_schedule import adopt_keys, turn_due_keys
from sealring.services.readiness import is_another_store
from sealring.telemetry.audit_checkpoint import CheckpointLines
from sealring.telemetry.standard_output import StandardOutput

_BEAT_SECONDS: Final = 1.0
_LOOK_SECONDS: Final = 0.25
_TURN_EVERY: Final = 4
_FORGET_EVERY: Final = 60
_FORGET_AT_ONCE: Final = 500
_log = structlog.get_logger()


async def keep_up(opened: OpenHouse, retention: AuditRetention) -> None:
    """Once a second: look at the store and at the clocks, keep what goes on; now and then forget what expired."""
    beats, more = 0, False
    while True:
        await asyncio.sleep(_BEAT_SECONDS)
        beats += 1
        try:
            await look_at_store(opened)
            await compare_clocks(opened)
            await _keep_service_clock(opened)
            await remember_store(opened)
            if beats % _FORGET_EVERY == 0:
                await forget_expired(store=opened.house.store, now=opened.house.clock(), limit=_FORGET_AT_ONCE)
            # A database that was set back is evidence of what happened to it.
            if (more or beats % _FORGET_EVERY == 0) and not opened.house.halted:
                more = await retention.apply() is not None
        except Exception:  # noqa: BLE001 -- upkeep must outlive whatever went wrong once
            # A later beat tries again; a request that needs the store says so itself.
            more = False
            _log.exception("upkeep_failed")


async def look_at_store(opened: OpenHouse) -> None:
    """Stop issuing once the store is not the one that this node opened, or has forgotten what it knew (SECURITY A9)."""
    house, known = opened.house, opened.incarnation_file.feed_number
    identity = await house.store.state.identity()
    if house.halted or not is_another_store(identity, opened=house.signer.realm.incarnation, feed_number=known):
        return
    house.readiness.halted = True
    # Whoever reads the feed here must go stale, or hear the rest of it from a node that knows.
    house.feed.close()
    tell_halt(opened)


def tell_halt(opened: OpenHouse) -> None:
    """Log why nothing is issued, and what to do."""
    _log.critical(
        "store_rolled_back",
        advice="This database is another than this node last saw, or older. Where `sealring recover` was run at "
        f"another node since: stop this one, remove {opened.incarnation_file.path}, start. Else stop, run "
        "`sealring recover`, start.",
    )


async def compare_clocks(opened: OpenHouse) -> None:
    """Be ready while this machine's clock is the database's, to a second; a file has none of its own."""
    house = opened.house
    before = house.clock()
    database = await house.store.state.clock()
    problem = None if database is None else clock_problem(database, before=before, after=house.clock())
    if problem is not None and not house.readiness.clock_differs:
        _log.error("clock_differs", advice=problem)
    house.readiness.clock_differs = problem is not None


async def _keep_service_clock(opened: OpenHouse) -> None:
    state, clock = opened.house.store.state, opened.service_clock
    if clock.is_in_use():
        await state.beat(clock.peek())
        clock.catch_up((await state.identity()).service_now)


def make_retention(desk: Desk, days: int) -> AuditRetention:
    """Make the retention of the audit."""
    return AuditRetention(store=desk.store, audit_key=desk.audit_key, clock=desk.clock, days=days)


def make_checkpoints(desk: Desk, output: StandardOutput) -> AuditCheckpoints:
    """Make the checkpoints of the audit, written to standard output."""
    return AuditCheckpoints(
        store=desk.store,
        issuer=desk.issuer,
        audit_key=desk.audit_key,
        clock=desk.clock,
        write=CheckpointLines(output).write,
    )


async def keep_checkpoints(checkpoints: AuditCheckpoints | None, seconds: int) -> None:
    """Write a checkpoint each so many seconds, where one is due. None: the demo writes none."""
    while True:
        await asyncio.sleep(seconds)
        await write_checkpoint(checkpoints)


async def write_checkpoint(checkpoints: AuditCheckpoints | None) -> None:
    """Write a checkpoint if one is due; a failure is logged, and stops nothing."""
    if checkpoints is None:
        return
    try:
        await checkpoints.write_due()
    except Exception:  # noqa: BLE001 -- an audit without its outside copy is better than no service
        _log.exception("audit_checkpoint_failed")


async def keep_certificate(certificate: Certificate | None) -> None:
    """Once a second: serve a certificate that was renewed. None: there is none."""
    while certificate is not None:
        await asyncio.sleep(_BEAT_SECONDS)
        certificate.reload_if_changed()


async def keep_clients_told(opened: OpenHouse) -> None:
    """Four times a second: tell clients of sessions that have ended."""
    house = opened.house
    teller = Teller(
        store=house.store,
        signer=house.signer,
        outgoing=house.outgoing,
        pairwise_key=house.pairwise_key,
        randomness=house.randomness,
        holder=opened.desk.keys.holder,
    )
    while True:
        await asyncio.sleep(_LOOK_SECONDS)
        try:
            if not house.halted:
                await tell_due_logouts(teller, now=house.clock())
        except Exception:  # noqa: BLE001 -- as in keep_up
            _log.exception("clients_not_told")


async def keep_keys(opened: OpenHouse) -> None:
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
        except Exception:  # noqa: BLE001 -- as in keep_up
            _log.exception("keys_not_kept")
        looks += 1
        await asyncio.sleep(_LOOK_SECONDS)
