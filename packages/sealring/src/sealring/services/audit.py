"""The operator's view of the audit: its tail, whether its chains hold, and anchors for keeping elsewhere."""

from typing import Final

import msgspec

from sealring.ports import AuditChain, Clock, Store
from sealring.protocol.audit_anchor import AuditAnchor, check_anchor, find_cut, make_anchor
from sealring.protocol.audit_chain import ChainHead, ChainProblem, check_chain
from sealring.protocol.audit_event import RecordedEvent
from sealring.protocol.errors import OAuthError, refuse

MAXIMUM_ANCHORS_BYTES: Final = 4 * 1024 * 1024


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
    """Whether the audit holds. `events`, `writers`: how much was checked; `anchored`: a cut tail would have shown."""

    holds: bool
    events: int
    writers: int
    anchored: bool
    problems: tuple[ChainProblem, ...]


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
    chains = await store.audit.chains()
    problems = [judged for chain in chains if isinstance(judged := _judge(chain, audit_key), ChainProblem)]
    links = {chain.writer: chain.links for chain in chains}
    cuts = {cut for anchor in request.anchors if (cut := find_cut(anchor, links)) is not None}
    problems += sorted(cuts, key=lambda cut: (cut.writer, cut.sequence))
    return AuditVerdict(
        holds=not problems,
        events=sum(len(chain.rows) for chain in chains),
        writers=len(chains),
        anchored=bool(request.anchors),
        problems=tuple(problems),
    )


async def anchor_audit(*, store: Store, issuer: str, audit_key: bytes, clock: Clock) -> AuditAnchor | OAuthError:
    """Make an anchor of the chains as they are; a chain that does not hold gets none."""
    heads: dict[str, ChainHead] = {}
    for chain in await store.audit.chains():
        judged = _judge(chain, audit_key)
        if isinstance(judged, ChainProblem):
            sentence = f"The chain of {judged.writer} does not hold at {judged.sequence}: run audit verify."
            return refuse("audit_broken", description=sentence)
        heads[chain.writer] = judged
    return make_anchor(heads, issuer=issuer, audit_key=audit_key, now=clock())


def _judge(chain: AuditChain, audit_key: bytes) -> ChainHead | ChainProblem:
    return check_chain(chain.rows, chain.links, writer=chain.writer, audit_key=audit_key)
