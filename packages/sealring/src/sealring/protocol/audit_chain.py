"""The chain that makes the audit tamper-evident (SECURITY F1): one per writer, one link per commit group.

A link is HMAC(audit key, previous link, writer, first and last number, digest of the group's rows). The personal part
of a row counts only through SHA-256(salt, personal), so erasing it leaves every link true.
"""

import hmac
from collections.abc import Iterable, Sequence
from hashlib import sha256

import msgspec

from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.instant import Instant

SALT_OCTETS = 16
_GENESIS = bytes(32)


class AuditRow(msgspec.Struct, frozen=True, kw_only=True):
    """An event as it is stored. `personal`, `salt`: None once erased; `personal_digest` stays (32 octets)."""

    writer: str
    sequence: int
    at: Instant
    event: str
    outcome: str
    code: str | None
    actor: str
    sub: str | None
    client_id: str | None
    sid: str | None
    api: str | None
    network: str | None
    country: str | None
    error_id: str | None
    details: str
    personal: str | None
    salt: bytes | None
    personal_digest: bytes


class AuditLink(msgspec.Struct, frozen=True, kw_only=True):
    """One commit group of one writer: the numbers that it covers, and the MAC that joins it to the one before."""

    writer: str
    first_sequence: int
    last_sequence: int
    mac: bytes


class ChainHead(msgspec.Struct, frozen=True, kw_only=True):
    """How far a writer's chain has come."""

    sequence: int
    mac: bytes


class ChainProblem(msgspec.Struct, frozen=True, kw_only=True):
    """Where a chain does not hold, and why."""

    writer: str
    sequence: int
    sentence: str


EMPTY_CHAIN = ChainHead(sequence=0, mac=_GENESIS)


def audit_row(event: AuditEvent, *, writer: str, sequence: int, salt: bytes) -> AuditRow:
    """Write an event down as the row with that number. `salt`: 16 random octets."""
    personal = msgspec.json.encode(event.personal, order="sorted").decode()
    return AuditRow(
        writer=writer,
        sequence=sequence,
        at=event.at,
        event=event.event,
        outcome=event.outcome,
        code=event.code,
        actor=event.actor,
        sub=event.sub,
        client_id=event.client_id,
        sid=event.sid,
        api=event.api,
        network=event.network,
        country=event.country,
        error_id=event.error_id,
        details=msgspec.json.encode(event.details, order="sorted").decode(),
        personal=personal if event.personal else None,
        salt=salt if event.personal else None,
        personal_digest=_personal_digest(personal, salt),
    )


def extend_chain(head: ChainHead, rows: Sequence[AuditRow], *, writer: str, audit_key: bytes) -> AuditLink:
    """Join one commit group (`rows`, not empty, numbers following `head`) to a writer's chain."""
    group = sha256()
    for row in rows:
        octets = _hashed_part(row)
        group.update(len(octets).to_bytes(4, "big") + octets)
    first, last = rows[0].sequence, rows[-1].sequence
    joined = head.mac + msgspec.json.encode([writer, first, last]) + group.digest()
    return AuditLink(
        writer=writer, first_sequence=first, last_sequence=last, mac=hmac.digest(audit_key, joined, "sha256")
    )


def check_chain(
    rows: Sequence[AuditRow],
    links: Iterable[AuditLink],
    *,
    writer: str,
    audit_key: bytes,
    start: ChainHead = EMPTY_CHAIN,
) -> ChainHead | ChainProblem:
    """Check one writer's chain, rows and links in order; return its head or the first place that is not true.

    `start`: the head that was checked before, where this is not the chain's beginning.
    """
    head, position = start, 0
    for link in links:
        first, size = head.sequence + 1, link.last_sequence - head.sequence
        group = rows[position : position + max(size, 0)]
        gapless = size > 0 and [row.sequence for row in group] == list(range(first, first + len(group)))
        if not gapless or len(group) != size or link.first_sequence != first or link.writer != writer:
            return ChainProblem(writer=writer, sequence=first, sentence="A row or a link is missing here.")
        problem = _erasure_problem(group)
        if problem is not None:
            return problem
        if not hmac.compare_digest(extend_chain(head, group, writer=writer, audit_key=audit_key).mac, link.mac):
            return ChainProblem(
                writer=writer, sequence=link.first_sequence, sentence="A row of this group was altered."
            )
        head, position = ChainHead(sequence=link.last_sequence, mac=link.mac), position + size
    if position != len(rows):
        return ChainProblem(writer=writer, sequence=head.sequence + 1, sentence="Rows follow that no link covers.")
    return head


def _erasure_problem(group: Sequence[AuditRow]) -> ChainProblem | None:
    for row in group:
        # Without its salt a personal part cannot be checked, and so it may not be shown either.
        if row.personal is not None and _personal_digest(row.personal, row.salt or b"") != row.personal_digest:
            return ChainProblem(
                writer=row.writer, sequence=row.sequence, sentence="The personal part of this row was altered."
            )
    return None


def _personal_digest(personal: str, salt: bytes) -> bytes:
    return sha256(salt + personal.encode()).digest()


def _hashed_part(row: AuditRow) -> bytes:
    """Return the row without what may be erased, in one unambiguous encoding."""
    members = msgspec.structs.astuple(row)
    kept = [member for name, member in zip(row.__struct_fields__, members, strict=True) if name not in _ERASABLE]
    return msgspec.json.encode(kept)


_ERASABLE = frozenset({"personal", "salt"})
