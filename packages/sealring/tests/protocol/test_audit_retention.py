from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from sealring.protocol.audit_chain import EMPTY_CHAIN, AuditLink, AuditRow, ChainHead, ChainProblem, extend_chain
from sealring.protocol.audit_chain import audit_row as make_row
from sealring.protocol.audit_event import EVENTS, AuditEvent
from sealring.protocol.audit_retention import (
    RETENTION_EVENT,
    AuditClosing,
    AuditPart,
    chain_start,
    close_segment,
    retention_event,
    retention_limit,
    take_old_segment,
)
from sealring.protocol.instant import Instant

KEY = b"k" * 32
NOW = Instant(1_764_000_000_000)
HOUR = 3_600_000
EVENT = AuditEvent(event="sign_in", at=Instant(0), actor="user:ada", personal={"name": "Ada"})


def make_part(groups: Sequence[Sequence[int]], *, start: ChainHead = EMPTY_CHAIN, event: str = "sign_in") -> AuditPart:
    """Build the part of `node` that goes on from `start`; each number is the instant of an event."""
    rows: list[AuditRow] = []
    links: list[AuditLink] = []
    head = start
    for group in groups:
        added = [
            make_row(replace(EVENT, event=event, at=Instant(at)), writer="node", sequence=number, salt=bytes(16))
            for number, at in enumerate(group, start=head.sequence + 1)
        ]
        link = extend_chain(head, added, writer="node", audit_key=KEY)
        head = ChainHead(sequence=link.last_sequence, mac=link.mac)
        rows += added
        links.append(link)
    return AuditPart(writer="node", closing=None, rows=tuple(rows), links=tuple(links))


def close(segment: AuditPart) -> AuditClosing:
    closing = close_segment(segment, audit_key=KEY, now=NOW)
    assert isinstance(closing, AuditClosing)
    return closing


@given(now=st.integers(NOW, NOW + 10**9), days=st.integers(1, 36_500))
def test_the_limit_is_a_full_hour_and_keeps_events_at_most_an_hour_longer(now: int, days: int) -> None:
    limit = retention_limit(days, now=Instant(now))
    assert limit % HOUR == 0
    assert 0 <= now - days * 24 * HOUR - limit < HOUR


@given(groups=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=3), max_size=5), before=st.integers(0, 10))
def test_the_segment_is_the_longest_row_of_leading_links_with_old_events_only(
    groups: list[list[int]], before: int
) -> None:
    segment = take_old_segment(make_part(groups), before=Instant(before))
    young = [number for number, group in enumerate(groups) if max(group) >= before]
    expected = young[0] if young else len(groups)
    assert len(segment.links) == expected
    assert [row.at for row in segment.rows] == [at for group in groups[:expected] for at in group]


def test_a_link_of_which_a_row_is_not_there_ends_the_segment() -> None:
    part = make_part([[1], [1, 1], [1]])
    assert len(take_old_segment(replace(part, rows=part.rows[:2]), before=Instant(5)).links) == 1
    assert take_old_segment(replace(part, rows=()), before=Instant(5)).links == ()


def test_a_closing_names_the_last_removed_link_and_counts_add_up() -> None:
    part = make_part([[1], [1, 1]])
    closing = close(part)
    assert (closing.writer, closing.last_sequence, closing.link_mac) == ("node", 3, part.links[-1].mac)
    assert (closing.events, closing.at) == (3, NOW)
    start = chain_start(closing, writer="node", audit_key=KEY)
    assert start == ChainHead(sequence=3, mac=part.links[-1].mac)
    later = close(replace(make_part([[2, 2]], start=start), closing=closing))
    assert (later.last_sequence, later.events) == (5, 5)


def test_what_does_not_hold_is_not_closed() -> None:
    part = make_part([[1], [1, 1]])
    altered = (replace(part.rows[0], actor="nobody"), *part.rows[1:])
    closing = close(part)
    forged = replace(closing, events=0)
    broken = (
        replace(part, rows=altered),
        replace(part, rows=(), links=()),
        replace(part, rows=part.rows[1:], links=part.links[1:]),
        replace(make_part([[2]], start=ChainHead(sequence=3, mac=part.links[-1].mac)), closing=forged),
        replace(make_part([[2]], start=ChainHead(sequence=3, mac=b"x" * 32)), closing=closing),
    )
    for segment in broken:
        assert isinstance(close_segment(segment, audit_key=KEY, now=NOW), ChainProblem)


def test_a_chain_without_a_closing_starts_at_its_genesis() -> None:
    assert chain_start(None, writer="node", audit_key=KEY) == EMPTY_CHAIN


@pytest.mark.parametrize(
    "alteration",
    [
        {"writer": "nods"},
        {"last_sequence": 4},
        {"link_mac": b"x" * 32},
        {"events": 2},
        {"at": Instant(NOW + 1)},
        {"mac": b"x" * 32},
        {"mac": b""},
    ],
)
def test_any_altered_column_of_a_closing_is_found(alteration: dict[str, object]) -> None:
    closing = replace(close(make_part([[1], [1, 1]])), **alteration)
    assert isinstance(chain_start(closing, writer=closing.writer, audit_key=KEY), ChainProblem)


def test_a_closing_under_another_key_or_of_another_writer_is_found() -> None:
    closing = close(make_part([[1]]))
    assert isinstance(chain_start(closing, writer="node", audit_key=b"x" * 32), ChainProblem)
    assert isinstance(chain_start(closing, writer="other", audit_key=KEY), ChainProblem)


def test_a_removal_is_an_event_unless_nothing_but_such_events_was_removed() -> None:
    event = retention_event(make_part([[1], [1, 1]]), now=NOW)
    assert event is not None
    assert (event.event, event.at, event.actor) == (RETENTION_EVENT, NOW, "sealring")
    assert event.details == {"writer": "node", "last_sequence": 3, "events": 3}
    assert event.event in EVENTS
    assert retention_event(make_part([[1], [1]], event=RETENTION_EVENT), now=NOW) is None
