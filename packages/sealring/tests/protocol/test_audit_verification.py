"""What the whole audit says, over histories of events, retentions and erasures, and over every kind of alteration."""

from collections.abc import Callable, Iterable

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.audit_anchor import AuditAnchor, make_anchor
from sealring.protocol.audit_chain import EMPTY_CHAIN, AuditLink, AuditRow, ChainHead, audit_row, extend_chain
from sealring.protocol.audit_event import AuditEvent
from sealring.protocol.audit_retention import (
    AuditClosing,
    AuditPart,
    close_segment,
    retention_event,
    take_old_segment,
)
from sealring.protocol.audit_verification import AuditVerification
from sealring.protocol.instant import Instant

KEY = b"k" * 32
EVENT = AuditEvent(event="sign_in", at=Instant(0), actor="user:ada", personal={"name": "Ada"})
WRITERS = ("first", "second", "third")


class Audit:
    """A store of chains in memory; it keeps what was recorded, and the closings that were replaced."""

    def __init__(self) -> None:
        self.chains: dict[str, AuditPart] = {}
        self.heads: dict[str, ChainHead] = {}
        self.replaced: list[AuditClosing] = []
        self.recorded = 0
        self.now = Instant(0)

    def record(self, writer: str, events: Iterable[AuditEvent]) -> None:
        head = self.heads.get(writer, EMPTY_CHAIN)
        rows = [
            audit_row(replace(event, at=self.now), writer=writer, sequence=number, salt=bytes(16))
            for number, event in enumerate(events, start=head.sequence + 1)
        ]
        link = extend_chain(head, rows, writer=writer, audit_key=KEY)
        self.heads[writer] = ChainHead(sequence=link.last_sequence, mac=link.mac)
        chain = self.chains.get(writer, AuditPart(writer=writer, closing=None, rows=(), links=()))
        self.chains[writer] = replace(chain, rows=(*chain.rows, *rows), links=(*chain.links, link))
        self.recorded += len(rows)

    def retain(self, writer: str, *, age: int) -> None:
        """Remove what is older than `age` steps, as a step of retention does, and record it in the last chain."""
        chain = self.chains.get(writer)
        segment = None if chain is None else take_old_segment(chain, before=Instant(self.now - age))
        if chain is None or segment is None or not segment.links:
            return
        closing = close_segment(segment, audit_key=KEY, now=self.now)
        assert isinstance(closing, AuditClosing)
        if chain.closing is not None:
            self.replaced.append(chain.closing)
        rows, links = chain.rows[len(segment.rows) :], chain.links[len(segment.links) :]
        self.chains[writer] = AuditPart(writer=writer, closing=closing, rows=rows, links=links)
        event = retention_event(segment, now=self.now)
        if event is not None:
            self.record(WRITERS[-1], [event])

    def erase(self, writer: str) -> None:
        chain = self.chains.get(writer)
        if chain is not None:
            erased = tuple(replace(row, personal=None, salt=None) for row in chain.rows)
            self.chains[writer] = replace(chain, rows=erased)

    def anchor(self) -> AuditAnchor:
        return make_anchor(self.heads, issuer="https://a.example", audit_key=KEY, now=self.now)


def play(steps: Iterable[tuple[str, str, int]]) -> tuple[Audit, list[AuditAnchor]]:
    audit, anchors = Audit(), []
    for kind, writer, number in steps:
        audit.now = Instant(audit.now + 1)
        match kind:
            case "record":
                audit.record(writer, [EVENT] * (number + 1))
            case "retain":
                audit.retain(writer, age=number)
            case "erase":
                audit.erase(writer)
        anchors.append(audit.anchor())
    return audit, anchors


def verify(parts: Iterable[AuditPart], anchors: Iterable[AuditAnchor] = ()) -> AuditVerification:
    verification = AuditVerification(audit_key=KEY, anchors=anchors)
    for part in parts:
        verification.take(part)
    return verification


STEPS = st.lists(
    st.tuples(st.sampled_from(["record", "record", "retain", "erase"]), st.sampled_from(WRITERS), st.integers(0, 3)),
    min_size=1,
    max_size=16,
)


@given(steps=STEPS)
def test_any_history_of_events_retentions_and_erasures_holds_at_every_anchor(steps: list[tuple[str, str, int]]) -> None:
    audit, anchors = play(steps)
    verification = verify(audit.chains.values(), anchors)
    assert verification.problems() == ()
    assert verification.heads == audit.heads
    assert verification.events + verification.removed == audit.recorded
    assert verification.writers == len(audit.chains)
    removed = {
        writer
        for anchor in anchors
        for writer, (sequence, _) in anchor.heads.items()
        if (closing := audit.chains[writer].closing) is not None and sequence < closing.last_sequence
    }
    assert [remark.writer for remark in verification.remarks()] == sorted(removed)


@given(steps=STEPS, size=st.integers(1, 3))
def test_a_chain_in_parts_is_judged_like_the_whole_one(steps: list[tuple[str, str, int]], size: int) -> None:
    audit, anchors = play(steps)
    parts = [part for chain in audit.chains.values() for part in cut_in_parts(chain, size)]
    verification = verify(parts, anchors)
    assert (verification.problems(), verification.heads) == ((), audit.heads)
    assert verification.events + verification.removed == audit.recorded


def cut_in_parts(chain: AuditPart, size: int) -> Iterable[AuditPart]:
    position = 0
    for number in range(0, len(chain.links), size):
        links = chain.links[number : number + size]
        count = links[-1].last_sequence - links[0].first_sequence + 1
        yield replace(chain, rows=chain.rows[position : position + count], links=links)
        position += count
    yield replace(chain, rows=(), links=())


def altered(value: object) -> object:
    match value:
        case None:
            return "x"
        case int():
            return value + 1
        case bytes():
            return bytes([value[0] ^ 1]) + value[1:]
        case _:
            return f"{value} "


def without(chain: AuditPart, first: int, last: int) -> AuditPart:
    """Leave rows and links of those numbers out."""
    return replace(
        chain,
        rows=tuple(row for row in chain.rows if not first <= row.sequence <= last),
        links=tuple(link for link in chain.links if not first <= link.last_sequence <= last),
    )


def alter_row(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if not chain.rows:
        return None
    columns = [name for name in AuditRow.__struct_fields__ if name != "salt"]
    number, column = pick(len(chain.rows)), columns[pick(len(columns))]
    row = replace(chain.rows[number], **{column: altered(getattr(chain.rows[number], column))})
    return replace(chain, rows=(*chain.rows[:number], row, *chain.rows[number + 1 :]))


def remove_row(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if not chain.rows:
        return None
    number = pick(len(chain.rows))
    return replace(chain, rows=chain.rows[:number] + chain.rows[number + 1 :])


def alter_link(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if not chain.links:
        return None
    columns = AuditLink.__struct_fields__
    number, column = pick(len(chain.links)), columns[pick(len(columns))]
    link = replace(chain.links[number], **{column: altered(getattr(chain.links[number], column))})
    return replace(chain, links=(*chain.links[:number], link, *chain.links[number + 1 :]))


def remove_link(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if not chain.links:
        return None
    number = pick(len(chain.links))
    return replace(chain, links=chain.links[:number] + chain.links[number + 1 :])


def remove_oldest(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    """Remove whole links as retention would, but without the key."""
    if len(chain.links) < 2:
        return None
    return without(chain, 0, chain.links[pick(len(chain.links) - 1)].last_sequence)


def alter_closing(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if chain.closing is None:
        return None
    column = AuditClosing.__struct_fields__[pick(len(AuditClosing.__struct_fields__))]
    return replace(chain, closing=replace(chain.closing, **{column: altered(getattr(chain.closing, column))}))


def remove_closing(_audit: Audit, chain: AuditPart, _pick: Callable[[int], int]) -> AuditPart | None:
    return None if chain.closing is None else replace(chain, closing=None)


def bring_an_older_closing(audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    older = [closing for closing in audit.replaced if closing.writer == chain.writer]
    return replace(chain, closing=older[pick(len(older))]) if older else None


def bring_anothers_closing(audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    others = [each.closing for each in audit.chains.values() if each.closing and each.writer != chain.writer]
    return replace(chain, closing=others[pick(len(others))]) if others else None


def put_a_row_before_the_closing(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    forged = audit_row(replace(EVENT, actor="user:eve"), writer=chain.writer, sequence=pick(2), salt=bytes(16))
    return replace(chain, rows=(forged, *chain.rows))


def cut_the_tail(_audit: Audit, chain: AuditPart, pick: Callable[[int], int]) -> AuditPart | None:
    if not chain.links:
        return None
    return without(chain, chain.links[pick(len(chain.links))].first_sequence, 10**9)


ALTERATIONS = (
    alter_row,
    remove_row,
    alter_link,
    remove_link,
    remove_oldest,
    alter_closing,
    remove_closing,
    bring_an_older_closing,
    bring_anothers_closing,
    put_a_row_before_the_closing,
    cut_the_tail,
)


@given(steps=STEPS, alteration=st.sampled_from(ALTERATIONS), writer=st.sampled_from(WRITERS), data=st.data())
def test_any_alteration_after_any_history_is_found(
    steps: list[tuple[str, str, int]],
    alteration: Callable[[Audit, AuditPart, Callable[[int], int]], AuditPart | None],
    writer: str,
    data: st.DataObject,
) -> None:
    audit, anchors = play(steps)
    assume(writer in audit.chains)
    changed = alteration(audit, audit.chains[writer], lambda many: data.draw(st.integers(0, many - 1)))
    assume(changed is not None)
    assert changed is not None
    chains = [changed if chain.writer == writer else chain for chain in audit.chains.values()]
    assert verify(chains, anchors[-1:]).problems() != ()


def test_a_closing_that_is_gone_with_its_whole_chain_is_found_by_the_event_of_its_removal() -> None:
    audit, anchors = play([("record", "first", 1), ("record", "third", 0), ("retain", "first", 0)])
    assert audit.chains["first"].links == ()
    left = verify([audit.chains["third"]])
    (problem,) = left.problems()
    assert (problem.writer, problem.sequence) == ("first", 2)
    assert len(verify([audit.chains["third"]], anchors).problems()) == 2


def test_an_older_closing_in_the_place_of_a_chain_that_was_removed_whole_is_found() -> None:
    steps = [("record", "first", 0), ("record", "first", 0), ("retain", "first", 1), ("record", "third", 0)]
    audit, _ = play([*steps, ("retain", "first", 0)])
    assert audit.chains["first"].links == ()
    (older,) = audit.replaced
    brought = replace(audit.chains["first"], closing=older)
    (problem,) = verify([brought, audit.chains["third"]]).problems()
    assert (problem.writer, problem.sequence) == ("first", 2)


def test_a_chain_all_of_which_was_removed_still_has_its_head() -> None:
    audit, _ = play([("record", "first", 1), ("retain", "first", 0)])
    assert verify(audit.chains.values()).heads["first"] == audit.heads["first"]


def test_details_that_are_none_of_a_removal_are_told_as_an_altered_row_and_do_no_harm() -> None:
    audit, _ = play([("record", "first", 1), ("retain", "first", 0)])
    (row,) = audit.chains["third"].rows
    changed = replace(audit.chains["third"], rows=(replace(row, details="no JSON"),))
    assert [problem.writer for problem in verify([audit.chains["first"], changed]).problems()] == ["third"]
    assert msgspec.json.decode(row.details) == {"writer": "first", "last_sequence": 2, "events": 2}
