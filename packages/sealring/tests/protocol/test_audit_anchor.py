import msgspec

from sealring.protocol.audit_anchor import (
    AuditAnchor,
    check_anchor,
    find_cut,
    find_removed,
    make_anchor,
    parse_anchors,
)
from sealring.protocol.audit_chain import ChainHead
from sealring.protocol.audit_retention import AuditClosing
from sealring.protocol.instant import Instant

KEY = b"k" * 32
ANCHOR = make_anchor(
    {"node": ChainHead(sequence=3, mac=b"m" * 32)}, issuer="https://a.example", audit_key=KEY, now=Instant(5000)
)
PLACES = {("node", 3): b"m" * 32}


def closing_at(sequence: int, *, link_mac: bytes = b"m" * 32) -> dict[str, AuditClosing]:
    """Make the closing of `node`; its own MAC is checked elsewhere."""
    at = Instant(1_764_000_000_000)
    return {
        "node": AuditClosing(writer="node", last_sequence=sequence, link_mac=link_mac, events=sequence, at=at, mac=b"")
    }


def test_an_anchor_survives_its_json_and_is_known_again() -> None:
    again = msgspec.json.decode(msgspec.json.encode(ANCHOR), type=AuditAnchor)
    assert again == ANCHOR
    assert check_anchor(again, issuer="https://a.example", audit_key=KEY) is None


def test_an_altered_anchor_is_refused() -> None:
    shorter = msgspec.structs.replace(ANCHOR, heads={"node": (2, b"m" * 32)})
    later = msgspec.structs.replace(ANCHOR, at=Instant(6000))
    assert check_anchor(shorter, issuer="https://a.example", audit_key=KEY) is not None
    assert check_anchor(later, issuer="https://a.example", audit_key=KEY) is not None


def test_the_anchor_of_another_installation_is_refused() -> None:
    assert check_anchor(ANCHOR, issuer="https://b.example", audit_key=KEY) is not None
    assert check_anchor(ANCHOR, issuer="https://a.example", audit_key=b"o" * 32) is not None


def test_a_chain_that_goes_on_from_the_anchor_is_whole() -> None:
    assert find_cut(ANCHOR, PLACES | {("node", 4): b"n" * 32}, {}) == ()


def test_a_cut_tail_a_rewritten_tail_and_a_lost_chain_are_found() -> None:
    for places in ({}, {("node", 2): b"m" * 32}, {("other", 3): b"m" * 32}, {("node", 3): b"x" * 32}):
        (problem,) = find_cut(ANCHOR, places, {})
        assert (problem.writer, problem.sequence) == ("node", 3)


def test_a_closing_that_ends_at_the_anchored_place_stands_for_it() -> None:
    assert find_cut(ANCHOR, {}, closing_at(3)) == ()
    assert find_removed(ANCHOR, closing_at(3)) == ()
    assert find_cut(ANCHOR, {}, closing_at(3, link_mac=b"x" * 32)) != ()


def test_a_place_that_retention_removed_is_no_failure_and_is_told_with_its_day() -> None:
    assert find_cut(ANCHOR, {}, closing_at(4)) == ()
    (remark,) = find_removed(ANCHOR, closing_at(4))
    assert (remark.writer, remark.sequence) == ("node", 4)
    assert remark.sentence.startswith("Removed by retention on 2025-11-24, up to 4: ")


def test_a_closing_that_ends_before_the_anchored_place_excuses_nothing() -> None:
    assert find_cut(ANCHOR, {}, closing_at(2)) != ()
    assert find_removed(ANCHOR, closing_at(2)) == ()
    assert find_cut(ANCHOR, PLACES, closing_at(2)) == ()


def test_anchors_are_found_among_the_lines_of_a_log_and_torn_or_foreign_lines_are_passed_over() -> None:
    line = msgspec.json.encode({"event": "audit_checkpoint", "level": "info", "anchor": ANCHOR}).decode()
    printed = msgspec.json.encode(ANCHOR).decode()
    log = f'Sealring serves\n{{"event":"other"}}\n{line}\nhost sealring[7]: {line}\n{printed}\n[1]\n{line[:90]}'
    assert parse_anchors(log) == (ANCHOR, ANCHOR, ANCHOR)
    assert parse_anchors(line.replace('"at":5000', '"at":"x"')) == ()
