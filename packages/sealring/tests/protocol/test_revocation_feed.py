import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant
from sealring.protocol.revocation import FeedEntry
from sealring.protocol.revocation_feed import (
    FeedRequest,
    FeedTerms,
    feed_etag,
    page_message,
    parse_feed_request,
    snapshot_message,
)

TERMS = FeedTerms(issuer="https://id.example", audience="orders", incarnation=b"i" * 16, max_access_token_lifetime=600)
ENTRY = FeedEntry(
    number=7, kind="sub", id=b"\xff" * 16, audience="orders", epoch=9, at=Instant(1999), until=Instant(2001)
)
NONCE = "n" * 16


def test_a_place_a_wait_and_a_nonce_are_read() -> None:
    assert parse_feed_request(b"after=7&wait=25&nonce=" + NONCE.encode()) == FeedRequest(after=7, wait=25, nonce=NONCE)
    assert parse_feed_request(b"after=0") == FeedRequest(after=0, wait=0, nonce=None)


@pytest.mark.parametrize(
    "query",
    [
        b"",
        b"after=",
        b"after=-1",
        b"after=01",
        b"after=1e3",
        b"after=" + b"9" * 19,
        b"after=1&after=2",
        b"after=1&wait=26",
        b"after=1&wait=-1",
        b"after=1&nonce=short",
        b"after=1&nonce=" + b"n" * 65,
        b"after=1&nonce=" + b"n" * 15 + b"%22",
        b"after=%ff",
        b"after=1&x=" + b"a" * 2000,
    ],
)
def test_what_is_no_place_is_refused(query: bytes) -> None:
    assert isinstance(parse_feed_request(query), OAuthError)


@given(st.binary(max_size=200))
def test_whatever_is_asked_is_read_or_refused(query: bytes) -> None:
    outcome = parse_feed_request(query)
    assert isinstance(outcome, OAuthError) or (0 <= outcome.after < 10**18 and 0 <= outcome.wait <= 25)


def test_a_message_states_the_span_that_it_covers_and_rounds_to_the_safe_side() -> None:
    payload = page_message(
        TERMS,
        [ENTRY],
        after=5,
        previous=b"p" * 32,
        number=7,
        digest=b"d" * 32,
        now=Instant(3000),
        nonce=NONCE,
        ack=True,
    )
    assert json.loads(payload) == {
        "iss": "https://id.example",
        "aud": "orders",
        "inc": "69" * 16,
        "after": 5,
        "n": 7,
        "previous": "cHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHA",
        "digest": "ZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGRkZGQ",
        "time": 3000,
        "max_access_token_lifetime": 600,
        "nonce": NONCE,
        "ack": True,
        "entries": [[7, "sub", "_____________________w", 1, 3, 9]],
    }


def test_a_snapshot_goes_on_from_nothing_and_an_entry_may_live_for_good() -> None:
    key = FeedEntry(number=3, kind="kid", id=bytes(16), audience=None, epoch=None, at=Instant(1000), until=None)
    message = json.loads(snapshot_message(TERMS, [key], number=7, digest=b"d" * 32, now=Instant(3000)))
    assert message["entries"] == [[3, "kid", "AAAAAAAAAAAAAAAAAAAAAA", 1, None]]
    assert message.keys().isdisjoint({"after", "previous", "nonce", "ack"})


def test_a_place_of_another_history_has_another_name() -> None:
    names = {feed_etag(incarnation=bytes([inc]) * 16, number=number) for inc in (1, 2) for number in (1, 2)}
    assert len(names) == 4
