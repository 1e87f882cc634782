import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.report import Report, parse_report

ID = "A" * 22
USE = [3, ID, None, "192.0.2.0/24", "session_ended"]
SAID: dict[str, Any] = {
    "verifier": "v" * 22,
    "incarnation": "0f" * 16,
    "position": 7,
    "age_ms": 300,
    "keys": ["k7", "k8"],
    "counts": {"accepted": 12, "token_expired": 1},
    "uses": [USE],
}


def parsed(**members: object) -> Report | OAuthError:
    return parse_report(json.dumps(SAID | members).encode())


def test_a_report_is_read_whole() -> None:
    report = parsed()
    assert isinstance(report, Report)
    assert (report.position, report.keys, report.counts["accepted"]) == (7, ("k7", "k8"), 12)
    assert report.uses == ((3, ID, None, "192.0.2.0/24", "session_ended"),)


def test_a_verifier_that_knows_nothing_yet_says_so() -> None:
    assert isinstance(parsed(incarnation=None, position=None, age_ms=None, keys=[], counts={}, uses=[]), Report)


@pytest.mark.parametrize(
    "members",
    [
        {"verifier": "short"},
        {"verifier": "v" * 21 + "\x1b"},
        {"incarnation": "0F" * 16},
        {"position": -1},
        {"age_ms": 2**60},
        {"keys": ["k"] * 33},
        {"keys": ["two words"]},
        {"keys": ["k" * 129]},
        {"counts": {"Evil\x1b[2J": 1}},
        {"counts": {"accepted": -1}},
        {"counts": {f"code_{'a' * n}": 1 for n in range(50)} | {f"b{'b' * n}": 1 for n in range(20)}},
        {"uses": [USE] * 101},
        {"uses": [[3, "jti", None, None, "accepted"]]},
        {"uses": [[3, ID, ID, "192.0.2.1", "accepted"]]},
        {"uses": [[3, ID, ID, None, "<script>"]]},
        {"uses": [[-3, ID, ID, None, "accepted"]]},
        {"uses": [[3, ID, ID, None]]},
        {"more": 1},
    ],
)
def test_what_is_too_much_or_of_another_alphabet_is_refused(members: dict[str, object]) -> None:
    assert isinstance(parsed(**members), OAuthError)


@given(st.binary(max_size=300))
def test_whatever_is_posted_is_read_or_refused(body: bytes) -> None:
    assert isinstance(parse_report(body), Report | OAuthError)
