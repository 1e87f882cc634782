from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import asdict, replace

from sealring.protocol.audit_chain import (
    EMPTY_CHAIN,
    AuditLink,
    AuditRow,
    ChainHead,
    ChainProblem,
    audit_row,
    check_chain,
    extend_chain,
)
from sealring.protocol.audit_event import EVENTS, AuditEvent

KEY = b"k" * 32
EVENT = AuditEvent(
    event="sign_in",
    at=1000,
    actor="user:ada",
    sub="ada",
    network="192.0.2.0/24",
    details={"attempts": 2},
    personal={"name": "Ada"},
)
GROUPS = (1, 3, 2)


def make_chain(groups: Sequence[int] = GROUPS, *, writer: str = "node-1") -> tuple[list[AuditRow], list[AuditLink]]:
    """Build a chain of groups of those sizes; every second event has a personal part."""
    rows: list[AuditRow] = []
    links: list[AuditLink] = []
    head = EMPTY_CHAIN
    for size in groups:
        first = head.sequence + 1
        group = [
            audit_row(
                replace(EVENT, at=number, personal=EVENT.personal if number % 2 else {}),
                writer=writer,
                sequence=number,
                salt=number.to_bytes(16, "big"),
            )
            for number in range(first, first + size)
        ]
        link = extend_chain(head, group, writer=writer, audit_key=KEY)
        head = ChainHead(sequence=link.last_sequence, mac=link.mac)
        rows += group
        links.append(link)
    return rows, links


ROWS, LINKS = make_chain()


def check(rows: Sequence[AuditRow], links: Sequence[AuditLink], *, writer: str = "node-1") -> ChainHead | ChainProblem:
    return check_chain(rows, links, writer=writer, audit_key=KEY)


def is_found(rows: Sequence[AuditRow], links: Sequence[AuditLink]) -> bool:
    return isinstance(check(rows, links), ChainProblem)


@given(groups=st.lists(st.integers(1, 5), max_size=6))
def test_an_untouched_chain_holds_and_returns_its_head(groups: list[int]) -> None:
    rows, links = make_chain(groups)
    head = ChainHead(sequence=sum(groups), mac=links[-1].mac) if groups else EMPTY_CHAIN
    assert check(rows, links) == head


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


@pytest.mark.parametrize("position", range(len(ROWS)))
@pytest.mark.parametrize("column", [name for name in AuditRow.__struct_fields__ if name != "salt"])
def test_any_altered_column_of_any_row_is_found(position: int, column: str) -> None:
    row = ROWS[position]
    changed = [*ROWS]
    changed[position] = replace(row, **{column: altered(getattr(row, column))})
    assert is_found(changed, LINKS)


@pytest.mark.parametrize("position", range(len(LINKS)))
@pytest.mark.parametrize("column", AuditLink.__struct_fields__)
def test_any_altered_column_of_any_link_is_found(position: int, column: str) -> None:
    link = LINKS[position]
    changed = [*LINKS]
    changed[position] = replace(link, **{column: altered(getattr(link, column))})
    assert is_found(ROWS, changed)


def test_any_removed_row_or_link_is_found() -> None:
    for position in range(len(ROWS)):
        assert is_found(ROWS[:position] + ROWS[position + 1 :], LINKS)
    for position in range(len(LINKS)):
        assert is_found(ROWS, LINKS[:position] + LINKS[position + 1 :])


def test_a_removed_group_is_found_unless_it_is_the_last_whose_loss_the_head_tells() -> None:
    for position in range(len(LINKS) - 1):
        link = LINKS[position]
        rows = [row for row in ROWS if not link.first_sequence <= row.sequence <= link.last_sequence]
        assert is_found(rows, LINKS[:position] + LINKS[position + 1 :])
    head = check(ROWS[:4], LINKS[:2])
    assert head == ChainHead(sequence=4, mac=LINKS[1].mac)
    assert head != check(ROWS, LINKS)


def test_any_inserted_or_repeated_row_or_link_is_found() -> None:
    for position in range(len(ROWS) + 1):
        for row in (ROWS[0], replace(ROWS[-1], sequence=7)):
            assert is_found([*ROWS[:position], row, *ROWS[position:]], LINKS)
    empty = replace(LINKS[0], first_sequence=7, last_sequence=6)
    for position in range(len(LINKS) + 1):
        for link in (LINKS[0], LINKS[-1], empty, replace(empty, last_sequence=2**62), replace(empty, last_sequence=-9)):
            assert is_found(ROWS, [*LINKS[:position], link, *LINKS[position:]])


@given(order=st.permutations(range(len(ROWS))))
def test_any_other_order_of_the_rows_is_found(order: list[int]) -> None:
    assert is_found([ROWS[number] for number in order], LINKS) == (order != sorted(order))


@given(order=st.permutations(range(len(LINKS))))
def test_any_other_order_of_the_links_is_found(order: list[int]) -> None:
    assert is_found(ROWS, [LINKS[number] for number in order]) == (order != sorted(order))


def test_rows_renumbered_into_each_others_place_are_found() -> None:
    swapped = [replace(ROWS[1], sequence=1), replace(ROWS[0], sequence=2), *ROWS[2:]]
    assert is_found(swapped, LINKS)


@given(erased=st.sets(st.integers(0, len(ROWS) - 1)))
def test_erasing_the_personal_part_leaves_the_chain_true(erased: set[int]) -> None:
    rows = [replace(row, personal=None, salt=None) if number in erased else row for number, row in enumerate(ROWS)]
    assert check(rows, LINKS) == check(ROWS, LINKS)


@pytest.mark.parametrize("salt", [None, b"", b"s" * 16])
def test_no_forged_personal_part_passes_for_an_erased_one(salt: bytes | None) -> None:
    for position in range(len(ROWS)):
        changed = [*ROWS]
        changed[position] = replace(ROWS[position], personal='{"name":"Eve"}', salt=salt)
        problem = check(changed, LINKS)
        assert isinstance(problem, ChainProblem)
        assert problem.sequence == position + 1
        assert problem.sentence == "The personal part of this row was altered."


def test_a_personal_part_that_lost_its_salt_is_found() -> None:
    assert is_found([replace(ROWS[0], salt=None), *ROWS[1:]], LINKS)


def test_a_chain_under_another_key_or_writer_is_found() -> None:
    assert isinstance(check_chain(ROWS, LINKS, writer="node-1", audit_key=b"x" * 32), ChainProblem)
    assert isinstance(check(ROWS, LINKS, writer="node-2"), ChainProblem)


def test_no_group_can_be_split_or_joined() -> None:
    joined = extend_chain(EMPTY_CHAIN, ROWS[:4], writer="node-1", audit_key=KEY)
    assert is_found(ROWS, [joined, LINKS[2]])
    split = extend_chain(EMPTY_CHAIN, ROWS[:1], writer="node-1", audit_key=KEY)
    assert split == LINKS[0]
    assert is_found(ROWS, [LINKS[0], replace(LINKS[1], last_sequence=3), replace(LINKS[1], first_sequence=4), LINKS[2]])


def test_two_events_that_read_alike_when_joined_have_two_macs() -> None:
    one = audit_row(replace(EVENT, actor="user:a", sub="b"), writer="w", sequence=1, salt=bytes(16))
    other = audit_row(replace(EVENT, actor="user:", sub="ab"), writer="w", sequence=1, salt=bytes(16))
    macs = {extend_chain(EMPTY_CHAIN, [row], writer="w", audit_key=KEY).mac for row in (one, other)}
    assert len(macs) == 2


def test_an_event_without_a_personal_part_shows_neither_part_nor_salt() -> None:
    row = audit_row(replace(EVENT, personal={}), writer="w", sequence=1, salt=b"s" * 16)
    assert (row.personal, row.salt) == (None, None)
    assert len(row.personal_digest) == 32


def test_the_details_are_written_in_one_order() -> None:
    rows = [
        audit_row(replace(EVENT, details=details), writer="w", sequence=1, salt=bytes(16))
        for details in ({"a": 1, "b": "x"}, {"b": "x", "a": 1})
    ]
    assert asdict(rows[0]) == asdict(rows[1])


def test_every_event_has_a_sentence() -> None:
    assert all(sentence.endswith(".") for sentence in EVENTS.values())
    assert EVENT.event in EVENTS
