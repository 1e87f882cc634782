import os
from pathlib import Path

import apsw
import msgspec

from sealring.protocol.audit_anchor import AuditAnchor
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.services.audit import (
    AuditTail,
    AuditVerdict,
    TailAudit,
    VerifyAudit,
    anchor_audit,
    tail_audit,
    verify_audit,
)
from sealring.services.desk import Desk
from sealring.storage.sqlite.database import SqliteDatabase, open_database
from sealring.storage.sqlite.store import SqliteStore


async def record(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.store.audit.record([AuditEvent(event=name, at=Instant(1000), actor="sealring")])


async def tail(desk: Desk, *, after: int | None = None, limit: int = 20) -> AuditTail:
    found = await tail_audit(TailAudit(after=after, limit=limit), store=desk.store)
    assert isinstance(found, AuditTail)
    return found


async def verify(desk: Desk, anchor: AuditAnchor | None = None) -> AuditVerdict | OAuthError:
    return await verify_audit(
        VerifyAudit(anchors=() if anchor is None else (anchor,)),
        store=desk.store,
        issuer=desk.issuer,
        audit_key=desk.audit_key,
    )


async def make_anchor(desk: Desk) -> AuditAnchor | OAuthError:
    return await anchor_audit(store=desk.store, issuer=desk.issuer, audit_key=desk.audit_key, clock=desk.clock)


def names(tail: AuditTail) -> list[str]:
    return [each.recorded.event.event for each in tail.events]


async def test_the_tail_is_the_last_events_and_goes_on_from_there(desk: Desk) -> None:
    assert await tail(desk) == AuditTail(events=(), last=0)
    await record(desk, "node_started", "user_added", "node_stopped")
    last = await tail(desk, limit=2)
    assert names(last) == ["user_added", "node_stopped"]
    assert names(await tail(desk, after=last.last)) == []
    await record(desk, "node_started")
    assert names(await tail(desk, after=last.last)) == ["node_started"]
    assert (await tail(desk, after=100)).last == 100


async def test_a_foolish_limit_is_refused(desk: Desk) -> None:
    refused = await tail_audit(TailAudit(limit=0), store=desk.store)
    assert isinstance(refused, OAuthError)


async def test_a_whole_audit_holds_and_an_anchor_proves_its_tail(desk: Desk) -> None:
    await record(desk, "node_started", "user_added")
    verdict = await verify(desk)
    assert verdict == AuditVerdict(holds=True, events=2, writers=1, anchored=False, problems=())
    anchor = await make_anchor(desk)
    assert isinstance(anchor, AuditAnchor)
    await record(desk, "node_stopped")
    later = await verify(desk, anchor)
    assert later == AuditVerdict(holds=True, events=3, writers=1, anchored=True, problems=())


async def test_an_anchor_that_is_not_ours_is_refused(desk: Desk) -> None:
    anchor = await make_anchor(desk)
    assert isinstance(anchor, AuditAnchor)
    refused = await verify(desk, msgspec.structs.replace(anchor, issuer="https://other.example"))
    assert isinstance(refused, OAuthError)
    assert refused.code == "invalid_parameter"


def tamper(path: Path, *statements: str) -> None:
    connection = apsw.Connection(str(path))
    for statement in statements:
        connection.execute(statement)
    connection.close()


async def desk_over(desk: Desk, path: Path) -> Desk:
    database = open_database(path, audit_key=desk.audit_key, writer="node", randomness=os.urandom, demo=False)
    assert isinstance(database, SqliteDatabase)
    return msgspec.structs.replace(desk, store=SqliteStore(database))


async def test_a_cut_tail_shows_by_the_anchor_alone(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    filed = await desk_over(desk, path)
    await record(filed, "node_started", "user_added")
    anchor = await make_anchor(filed)
    assert isinstance(anchor, AuditAnchor)
    tamper(path, "DELETE FROM audit_events WHERE sequence = 2", "DELETE FROM audit_links WHERE last_sequence = 2")
    blind = await verify(filed)
    assert isinstance(blind, AuditVerdict)
    assert blind.holds
    seeing = await verify(filed, anchor)
    assert isinstance(seeing, AuditVerdict)
    assert not seeing.holds
    assert seeing.problems[0].sequence == 2
    await filed.store.close()  # type: ignore[attr-defined] -- a file is behind this one


async def test_an_altered_row_breaks_the_chain_and_no_anchor_is_made_of_it(desk: Desk, tmp_path: Path) -> None:
    path = tmp_path / "sealring.db"
    filed = await desk_over(desk, path)
    await record(filed, "node_started", "user_added")
    tamper(path, "UPDATE audit_events SET actor = 'nobody' WHERE sequence = 2")
    verdict = await verify(filed)
    assert isinstance(verdict, AuditVerdict)
    assert (verdict.holds, verdict.problems[0].sequence) == (False, 2)
    refused = await make_anchor(filed)
    assert isinstance(refused, OAuthError)
    assert refused.code == "audit_broken"
    await filed.store.close()  # type: ignore[attr-defined] -- a file is behind this one
