"""Retention of the audit: whole links leave a chain at its old end, and a signed closing record stays (SECURITY F1).

A closing is HMAC(audit key, writer, last removed number, MAC of the last removed link, number of events, instant). The
chain goes on from it as it would from its genesis, so what was removed by anybody else is still found out.
"""

import hmac
from typing import Final

import msgspec

from sealring.protocol.audit_chain import EMPTY_CHAIN, AuditLink, AuditRow, ChainHead, ChainProblem, check_chain
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant, later

RETENTION_EVENT: Final = "audit_retention_applied"
_DAY_SECONDS: Final = 24 * 60 * 60
_HOUR_MILLISECONDS: Final = 60 * 60 * 1000


class AuditClosing(msgspec.Struct, frozen=True, kw_only=True):
    """What retention removed of one writer's chain. `link_mac`: of the link that ended with `last_sequence`.

    `events`: how many were removed so far, by this removal and all before it. `at`: when the last of them was.
    """

    writer: str
    last_sequence: int
    link_mac: bytes
    events: int
    at: Instant
    mac: bytes


class AuditPart(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of one writer's chain in order, and the closing from which the whole chain goes on, if any."""

    writer: str
    closing: AuditClosing | None
    rows: tuple[AuditRow, ...]
    links: tuple[AuditLink, ...]


def retention_limit(days: int, *, now: Instant) -> Instant:
    """Return the instant before which events are old: `days` ago, at the full hour.

    By the hour, a busy server removes in few large steps, and tells each of them, instead of one small one a minute.
    """
    limit = later(now, -days * _DAY_SECONDS)
    return Instant(limit - limit % _HOUR_MILLISECONDS)


def take_old_segment(part: AuditPart, *, before: Instant) -> AuditPart:
    """Return the leading links of a chain's oldest part all of whose events are older than `before`.

    A link whose rows are not all in the part ends the segment. The segment may be empty.
    """
    position, links = 0, []
    for link in part.links:
        group = part.rows[position : position + link.last_sequence - link.first_sequence + 1]
        if not group or group[-1].sequence != link.last_sequence or any(row.at >= before for row in group):
            break
        position += len(group)
        links.append(link)
    return msgspec.structs.replace(part, rows=part.rows[:position], links=tuple(links))


def close_segment(segment: AuditPart, *, audit_key: bytes, now: Instant) -> AuditClosing | ChainProblem:
    """Sign that a chain's oldest links were removed, as the closing that takes the place of the one before.

    A segment that does not hold is not to be removed: it is the evidence. An empty one is where rows are missing.
    """
    if not segment.links:
        return ChainProblem(writer=segment.writer, sequence=0, sentence="The rows of the oldest link are missing.")
    start = chain_start(segment.closing, writer=segment.writer, audit_key=audit_key)
    if isinstance(start, ChainProblem):
        return start
    head = check_chain(segment.rows, segment.links, writer=segment.writer, audit_key=audit_key, start=start)
    if isinstance(head, ChainProblem):
        return head
    closing = AuditClosing(
        writer=segment.writer,
        last_sequence=head.sequence,
        link_mac=head.mac,
        events=len(segment.rows) + (0 if segment.closing is None else segment.closing.events),
        at=now,
        mac=b"",
    )
    return msgspec.structs.replace(closing, mac=_mac(closing, audit_key))


def retention_event(segment: AuditPart, *, now: Instant) -> AuditEvent | None:
    """Make the event of a removal; none where nothing but such events was removed.

    Otherwise each of them, grown old, would make another one, for ever; the closing tells of their removal.
    """
    if all(row.event == RETENTION_EVENT for row in segment.rows):
        return None
    details: dict[str, str | int] = {
        "writer": segment.writer,
        "last_sequence": segment.rows[-1].sequence,
        "events": len(segment.rows),
    }
    return AuditEvent(event=RETENTION_EVENT, at=now, actor="sealring", details=details)


def chain_start(closing: AuditClosing | None, *, writer: str, audit_key: bytes) -> ChainHead | ChainProblem:
    """Return the head from which a writer's chain goes on; a problem where the closing was altered."""
    if closing is None:
        return EMPTY_CHAIN
    if closing.writer != writer or not hmac.compare_digest(_mac(closing, audit_key), closing.mac):
        return ChainProblem(
            writer=writer, sequence=closing.last_sequence, sentence="The closing record of retention was altered."
        )
    return ChainHead(sequence=closing.last_sequence, mac=closing.link_mac)


def _mac(closing: AuditClosing, audit_key: bytes) -> bytes:
    *members, _ = msgspec.structs.astuple(closing)
    return hmac.digest(audit_key, b"sealring audit closing\x00" + msgspec.json.encode(members), "sha256")
