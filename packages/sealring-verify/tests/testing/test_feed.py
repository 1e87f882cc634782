"""What a verifier makes of the messages is in test_issuer; here is what it never asks for."""

import base64
import json
import time

import pytest

from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.revocation_feed import FeedMessage, parse_feed_message
from sealring_verify.testing.feed import RevocationFeed
from sealring_verify.testing.loopback_server import Answer, Request

ISSUER = "https://issuer.example"


@pytest.fixture
def feed() -> RevocationFeed:
    return RevocationFeed(ISSUER, api_key="sla_k", time=lambda: 1000.0)


def ask(feed: RevocationFeed, path: str, credential: str | None = "orders:sla_k", **query: str) -> Answer:
    headers = {} if credential is None else {"authorization": "Basic " + base64.b64encode(credential.encode()).decode()}
    headers |= {"if-none-match": query.pop("etag")} if "etag" in query else {}
    return feed.answer(Request(path=path, query=query, headers=headers, body=b""))


def message(feed: RevocationFeed, answer: Answer) -> FeedMessage:
    keys = parse_jwks(_body(ask(feed, "/revocations/jwks", None)))
    text = answer.headers["Sealring-Checkpoint"] if answer.status == 304 else str(json.loads(_body(answer))["message"])
    return parse_feed_message(text, keys=keys, issuer=ISSUER, audience="orders")


def _body(answer: Answer) -> bytes:
    assert isinstance(answer.body, bytes)
    return answer.body


def test_a_poll_is_answered_with_what_follows(feed: RevocationFeed) -> None:
    feed.end("sid", "s1")
    feed.end("sub", "ada", epoch=3)
    answer = ask(feed, "/revocations", after="1", nonce="n" * 16)
    told = message(feed, answer)
    assert (told.after, told.n, told.nonce, told.ack, answer.headers["ETag"]) == (1, 2, "n" * 16, True, '"2"')
    assert [(entry.n, entry.kind, entry.until, entry.epoch) for entry in told.entries] == [(2, "sub", None, 3)]
    snapshot = message(feed, ask(feed, "/revocations/snapshot"))
    assert (snapshot.after, snapshot.n, len(snapshot.entries)) == (None, 2, 2)


def test_a_poll_that_knows_all_gets_a_checkpoint(feed: RevocationFeed) -> None:
    answer = ask(feed, "/revocations", after="0", etag='"0"')
    assert answer.status == 304
    told = message(feed, answer)
    assert (told.after, told.n, told.entries, told.time) == (0, 0, (), 1_000_000)


def test_a_position_that_never_was_is_a_gap(feed: RevocationFeed) -> None:
    assert ask(feed, "/revocations", after="1").status == 410


@pytest.mark.parametrize("credential", [None, "orders:sla_x", "orders"])
def test_nobody_without_the_secret_is_told_anything(feed: RevocationFeed, credential: str | None) -> None:
    for path in ("/revocations", "/revocations/snapshot", "/reports"):
        assert ask(feed, path, credential, after="0").status == 401


def test_an_end_waits_for_no_one_where_nobody_listens(feed: RevocationFeed) -> None:
    began = time.monotonic()
    feed.end("sid", "s1")
    assert time.monotonic() - began < 1
