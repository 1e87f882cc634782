import json
from pathlib import Path
from typing import Any

import pytest

from sealring_verify.claims import parse_access_token
from sealring_verify.errors import InvalidToken
from sealring_verify.feed_state import FeedState, Sent, take_message
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.revocation_check import check_revoked, token_ids
from sealring_verify.revocation_feed import MessageRefused, parse_feed_message
from sealring_verify.revoked_entries import RevokedEntries

VECTORS = json.loads((Path(__file__).parents[3] / "docs/reference/revocation-feed-vectors.json").read_text())


class Reader:
    """Begins as the vectors say, one second after the other."""

    def __init__(self) -> None:
        self.state = FeedState()
        self.entries = RevokedEntries()
        self.now = 100.0
        self.keys = parse_jwks(json.dumps(VECTORS["feed_jwks"]).encode())

    def outcome(self, message: str) -> str:
        issuer, audience = VECTORS["issuer"], VECTORS["audience"]
        self.now += 0.001
        try:
            parsed = parse_feed_message(message, keys=self.keys, issuer=issuer, audience=audience)
        except MessageRefused:
            return "refused"
        self.now = max(self.now, 99.0 + parsed.time / 1000 - 1_764_000_000)
        sent = Sent(VECTORS["nonce"], 100.0)
        self.state, outcome = take_message(
            self.state, parsed, entries=self.entries, sent=sent, keys_at=self.now, now=self.now
        )
        return {"applied": "applied", "gap": "gap", "replayed": "refused", "reopen": "reopen"}[outcome]

    def condition(self) -> str:
        return "stale" if self.state.is_stale(max_staleness=30, now=self.now) else "fresh"


def _judged(reader: Reader, row: dict[str, Any]) -> str:
    token = parse_access_token(json.dumps(row["claims"]).encode())
    try:
        check_revoked(
            token,
            token_ids(token, row["kid"]),
            entries=reader.entries,
            max_access_token_lifetime=reader.state.max_access_token_lifetime,
            now=1_764_000_001,
        )
    except InvalidToken as refusal:
        return refusal.code
    return "accepted"


@pytest.fixture
def reader() -> Reader:
    return Reader()


def test_each_message_has_the_outcome_that_the_vectors_say(reader: Reader) -> None:
    found = [(row["name"], reader.outcome(row["message"]), reader.condition()) for row in VECTORS["messages"]]
    assert found == [(row["name"], row["outcome"], row["then"]) for row in VECTORS["messages"]]
    last = VECTORS["last_message"]
    assert (reader.outcome(last["message"]), reader.condition()) == (last["outcome"], last["then"])


def test_each_token_has_the_outcome_that_the_vectors_say(reader: Reader) -> None:
    for row in VECTORS["messages"]:
        reader.outcome(row["message"])
    found = {row["name"]: _judged(reader, row) for row in VECTORS["tokens"]}
    assert found == {row["name"]: row["outcome"] for row in VECTORS["tokens"]}
    assert len(found) == len(VECTORS["tokens"]) > 10


def test_the_keys_say_that_they_are_test_keys() -> None:
    assert all(key["kid"].startswith("TEST-KEY") for key in VECTORS["feed_jwks"]["keys"])
