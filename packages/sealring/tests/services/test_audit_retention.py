import os
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import msgspec
import pytest

from sealring.protocol.audit_anchor import AuditAnchor
from sealring.protocol.audit_chain import ChainProblem
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_retention import AuditClosing
from sealring.protocol.instant import Instant
from sealring.services.audit import AuditVerdict, VerifyAudit, anchor_audit, verify_audit
from sealring.services.audit_retention import AuditRetention
from sealring.services.desk import Desk
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore

DAY = 24 * 60 * 60 * 1000
LONG_AGO = Instant(1_600_000_000_000)
NOW = Instant(1_700_000_000_000)


async def record(desk: Desk, *instants: int) -> None:
    for at in instants:
        event = AuditEvent(event="sign_in", at=Instant(at), actor="user:ada", personal={"name": "Ada"})
        await desk.store.audit.record([event])


def retention(desk: Desk, *, days: int = 30, now: int = NOW) -> AuditRetention:
    return AuditRetention(store=desk.store, audit_key=desk.audit_key, clock=lambda: Instant(now), days=days)


async def verify(desk: Desk, *anchors: AuditAnchor) -> AuditVerdict:
    request = VerifyAudit(anchors=anchors)
    verdict = await verify_audit(request, store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key)
    assert isinstance(verdict, AuditVerdict)
    return verdict


async def anchor(desk: Desk) -> AuditAnchor:
    made = await anchor_audit(store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key, clock=desk.clock)
    assert isinstance(made, AuditAnchor)
    return made


async def instants(desk: Desk) -> list[int]:
    return [recorded.event.at for _, recorded in await desk.store.audit.list_events(after=0, limit=1000)]


async def test_events_are_kept_for_good_where_no_days_are_set(desk: Desk) -> None:
    await record(desk, LONG_AGO, NOW)
    assert await retention(desk, days=0).apply() is None
    assert len(await instants(desk)) == 2


async def test_what_is_older_than_the_days_goes_and_the_rest_stays(desk: Desk) -> None:
    hour = NOW - NOW % (60 * 60 * 1000)
    await record(desk, LONG_AGO, hour - 30 * DAY - 1, hour - 30 * DAY, NOW)
    closing = await retention(desk).apply()
    assert isinstance(closing, AuditClosing)
    assert (closing.last_sequence, closing.events, closing.at) == (2, 2, NOW)
    assert await instants(desk) == [hour - 30 * DAY, NOW, NOW]
    assert await retention(desk).apply() is None
    assert (await verify(desk)).removed == 2


async def test_a_step_is_bounded_and_the_next_ones_do_the_rest(desk: Desk) -> None:
    await record(desk, *[LONG_AGO] * 700, NOW)
    steps = retention(desk)
    counts = []
    while (closing := await steps.apply()) is not None:
        assert isinstance(closing, AuditClosing)
        counts.append(closing.events)
    assert counts == [300, 600, 700]
    names = [recorded.event.event for _, recorded in await desk.store.audit.list_events(after=0, limit=1000)]
    assert names == ["sign_in", *["audit_retention_applied"] * 3]


async def test_the_newest_event_alone_is_no_old_segment_and_no_broken_one(desk: Desk) -> None:
    await record(desk, LONG_AGO)
    steps = retention(desk)
    assert await steps.apply() is None
    await record(desk, NOW)
    assert isinstance(await steps.apply(), AuditClosing)


async def test_an_idle_store_comes_to_rest(desk: Desk) -> None:
    await record(desk, *[LONG_AGO + number for number in range(10)])
    for number in range(100):
        await retention(desk, now=NOW + number * DAY).apply()
    assert len(await instants(desk)) == 1
    assert (await verify(desk)).holds


async def test_an_anchor_of_a_removed_place_is_told_and_is_no_failure(desk: Desk) -> None:
    await record(desk, LONG_AGO)
    early = await anchor(desk)
    await record(desk, LONG_AGO)
    at_the_end = await anchor(desk)
    await record(desk, NOW)
    assert isinstance(await retention(desk).apply(), AuditClosing)
    exact = await verify(desk, at_the_end, await anchor(desk))
    assert (exact.holds, exact.remarks) == (True, ())
    told = await verify(desk, early, at_the_end)
    assert told.holds
    (remark,) = told.remarks
    assert (remark.writer, remark.sequence) == ("node", 2)
    assert remark.sentence.startswith("Removed by retention on 2023-11-14, up to 2: ")


@pytest.fixture
async def filed(desk: Desk, tmp_path: Path) -> AsyncIterator[Desk]:
    """Open a desk over the file `sealring.db`, its chains `old` (all but gone) and `node` (cut by half)."""
    for writer in ("old", "node"):
        path = tmp_path / "sealring.db"
        database = open_database(path, audit_key=desk.audit_key, writer=writer, randomness=os.urandom, demo=False)
        assert isinstance(database, SqliteDatabase)
        store = SqliteStore(database)
        opened = msgspec.structs.replace(desk, store=store)
        await record(opened, LONG_AGO, LONG_AGO)
        if writer == "old":
            await store.close()
    await record(opened, NOW, NOW)
    yield opened
    await store.close()


def alter(folder: Path, statements: str) -> None:
    connection = apsw.Connection(str(folder / "sealring.db"))
    connection.execute(statements)
    assert connection.total_changes() > 0
    connection.close()


ALTERATIONS = (
    "UPDATE audit_events SET actor = 'nobody' WHERE position = (SELECT min(position) FROM audit_events)",
    "UPDATE audit_events SET at = at + 1 WHERE position = (SELECT max(position) FROM audit_events)",
    "DELETE FROM audit_events WHERE position = (SELECT min(position) FROM audit_events)",
    "DELETE FROM audit_links WHERE last_sequence = (SELECT min(last_sequence) FROM audit_links)",
    "DELETE FROM audit_links",
    "DELETE FROM audit_events",
    "DELETE FROM audit_closings WHERE writer = 'old'",
    "DELETE FROM audit_closings WHERE writer = 'node'",
    "UPDATE audit_closings SET events = events - 1 WHERE writer = 'old'",
    "UPDATE audit_closings SET at = at + 1 WHERE writer = 'old'",
    "UPDATE audit_closings SET last_sequence = last_sequence + 1 WHERE writer = 'node'",
    "UPDATE audit_closings SET link_mac = zeroblob(32) WHERE writer = 'node'",
    "UPDATE audit_closings SET mac = zeroblob(32)",
    "UPDATE audit_closings SET writer = 'other' WHERE writer = 'old'",
    (
        "INSERT INTO audit_events SELECT 1, 'old', 1, at, event, outcome, code, 'user:eve', sub, client_id, sid, api,"
        " network, country, error_id, details, personal, salt, personal_digest FROM audit_events LIMIT 1"
    ),
)


async def test_a_chain_that_was_removed_whole_stays_in_heads_and_anchors(filed: Desk) -> None:
    before = await anchor(filed)
    await retain_all(filed)
    made = await anchor(filed)
    assert made.heads["old"] == before.heads["old"]
    heads = await filed.store.audit.heads()
    assert {writer: (head.sequence, head.mac) for writer, head in heads.items()} == made.heads
    assert (await verify(filed, before, made)).remarks == ()


async def retain_all(desk: Desk) -> None:
    steps = retention(desk)
    for _ in range(2):
        assert isinstance(await steps.apply(), AuditClosing)
    assert await steps.apply() is None


@pytest.mark.parametrize("alteration", ALTERATIONS)
async def test_any_alteration_after_a_retention_is_found_without_an_anchor(
    filed: Desk, tmp_path: Path, alteration: str
) -> None:
    await retain_all(filed)
    whole = await verify(filed)
    assert (whole.holds, whole.removed, whole.writers) == (True, 4, 2)
    alter(tmp_path, alteration)
    assert not (await verify(filed)).holds


@pytest.mark.parametrize(
    "cut",
    [
        "DELETE FROM audit_events; DELETE FROM audit_links",
        "DELETE FROM audit_events; DELETE FROM audit_links; DELETE FROM audit_closings",
        "DELETE FROM audit_events WHERE sequence = 6; DELETE FROM audit_links WHERE last_sequence = 6",
    ],
)
async def test_a_tail_that_was_cut_after_a_retention_is_found_by_an_anchor(
    filed: Desk, tmp_path: Path, cut: str
) -> None:
    await retain_all(filed)
    made = await anchor(filed)
    assert (await verify(filed, made)).holds
    alter(tmp_path, cut)
    assert not (await verify(filed, made)).holds


async def test_a_chain_that_does_not_hold_is_told_once_and_keeps_its_old_events(filed: Desk, tmp_path: Path) -> None:
    alter(tmp_path, "UPDATE audit_events SET actor = 'nobody' WHERE writer = 'node' AND sequence = 2")
    steps = retention(filed)
    problem = await steps.apply()
    assert isinstance(problem, ChainProblem)
    assert (problem.writer, problem.sequence) == ("node", 2)
    closing = await steps.apply()
    assert isinstance(closing, AuditClosing)
    assert closing.writer == "old"
    assert await steps.apply() is None
    assert not (await verify(filed)).holds


@pytest.mark.parametrize(
    "removal",
    [
        "DELETE FROM audit_events WHERE writer = 'node' AND sequence = 3",
        "DELETE FROM audit_links WHERE writer = 'node' AND last_sequence = 3",
        "DELETE FROM audit_closings WHERE writer = 'node'",
    ],
)
async def test_nothing_is_signed_over_where_something_is_missing(filed: Desk, tmp_path: Path, removal: str) -> None:
    await retain_all(filed)
    await record(filed, NOW)
    alter(tmp_path, removal)
    later = retention(filed, now=NOW + 90 * DAY)
    assert isinstance(await later.apply(), ChainProblem)
    assert await later.apply() is None
