"""The operator's view of the audit: its tail, whether its chains hold, and anchors for keeping elsewhere."""

from typing import Final

import msgspec

from sealring.ports import Clock, Store
from sealring.protocol.audit_anchor import AuditAnchor, ChainRemark, check_anchor, make_anchor
from sealring.protocol.audit_chain import ChainProblem
from sealring.protocol.audit_event import RecordedEvent
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.errors import OAuthError, refuse

MAXIMUM_ANCHORS_BYTES: Final = 4 * 1024 * 1024
_PART_EVENTS: Final = 500


class TailAudit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events after a position in the store, at most `limit` (1 to 1000); without a position the last ones."""

    after: int | None = None
    limit: int = 20


class VerifyAudit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Check the chains, and that they still hold what each anchor saw of them."""

    anchors: tuple[AuditAnchor, ...] = ()


class PositionedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event and its position in this store."""

    position: int
    recorded: RecordedEvent


class AuditTail(msgspec.Struct, frozen=True, kw_only=True):
    """Events in order; `last`: the position to go on after."""

    events: tuple[PositionedEvent, ...]
    last: int


class AuditVerdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the audit holds. `events`, `writers`: how much was checked; `anchored`: a cut tail would have shown.

    `removed`: how many events retention has removed. `remarks`: what can therefore not be said of the anchors.
    """

    holds: bool
    events: int
    removed: int
    writers: int
    anchored: bool
    problems: tuple[ChainProblem, ...]
    remarks: tuple[ChainRemark, ...]


async def tail_audit(request: TailAudit, *, store: Store) -> AuditTail | OAuthError:
    """Read events, newest last."""
    if not 1 <= request.limit <= 1000:
        return refuse("invalid_parameter", description="The limit is 1 to 1000.")
    after = -1 if request.after is None else max(0, request.after)
    events = await store.audit.list_events(after=after, limit=request.limit)
    last = events[-1][0] if events else max(0, after)
    return AuditTail(events=tuple(PositionedEvent(position=at, recorded=event) for at, event in events), last=last)


async def verify_audit(
    request: VerifyAudit, *, store: Store, issuer: str, audit_key: bytes
) -> AuditVerdict | OAuthError:
    """Check every chain, and with anchors that no tail was cut. An anchor that is not ours is refused.

    The newest anchor alone would not do: one made after a cut tells the shorter chain.
    """
    for anchor in request.anchors:
        refusal = check_anchor(anchor, issuer=issuer, audit_key=audit_key)
        if refusal is not None:
            return refusal
    verification = AuditVerification(audit_key=audit_key, anchors=request.anchors)
    await store.audit.walk(verification.take, limit=_PART_EVENTS)
    problems = verification.problems()
    return AuditVerdict(
        holds=not problems,
        events=verification.events,
        removed=verification.removed,
        writers=verification.writers,
        anchored=bool(request.anchors),
        problems=problems,
        remarks=verification.remarks(),
    )


async def anchor_audit(*, store: Store, issuer: str, audit_key: bytes, clock: Clock) -> AuditAnchor | OAuthError:
    """Make an anchor of the chains as they are; where one does not hold none is made."""
    verification = AuditVerification(audit_key=audit_key)
    await store.audit.walk(verification.take, limit=_PART_EVENTS)
    for problem in verification.problems():
        sentence = f"The chain of {problem.writer} does not hold at {problem.sequence}: run audit verify."
        return refuse("audit_broken", description=sentence)
    return make_anchor(verification.heads, issuer=issuer, audit_key=audit_key, now=clock())
