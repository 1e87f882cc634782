import msgspec

from sealring.protocol.audit_anchor import AuditAnchor, check_anchor, find_cut, make_anchor, parse_anchors
from sealring.protocol.audit_chain import AuditLink, ChainHead, ChainProblem
from sealring.protocol.instant import Instant

KEY = b"k" * 32
ANCHOR = make_anchor(
    {"node": ChainHead(sequence=3, mac=b"m" * 32)}, issuer="https://a.example", audit_key=KEY, now=Instant(5000)
)
LINK = AuditLink(writer="node", first_sequence=1, last_sequence=3, mac=b"m" * 32)


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
    more = AuditLink(writer="node", first_sequence=4, last_sequence=4, mac=b"n" * 32)
    assert find_cut(ANCHOR, {"node": [LINK, more], "other": []}) is None


def test_a_cut_tail_a_rewritten_tail_and_a_lost_chain_are_found() -> None:
    rewritten = msgspec.structs.replace(LINK, mac=b"x" * 32)
    for links in ({"node": []}, {}, {"node": [rewritten]}):
        assert isinstance(find_cut(ANCHOR, links), ChainProblem)


def test_anchors_are_found_among_the_lines_of_a_log_and_torn_or_foreign_lines_are_passed_over() -> None:
    line = msgspec.json.encode({"event": "audit_checkpoint", "level": "info", "anchor": ANCHOR}).decode()
    printed = msgspec.json.encode(ANCHOR).decode()
    log = f'Sealring serves\n{{"event":"other"}}\n{line}\nhost sealring[7]: {line}\n{printed}\n[1]\n{line[:90]}'
    assert parse_anchors(log) == (ANCHOR, ANCHOR, ANCHOR)
    assert parse_anchors(line.replace('"at":5000', '"at":"x"')) == ()
