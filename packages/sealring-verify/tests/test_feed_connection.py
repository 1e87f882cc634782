import re
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sealring_verify.feed_connection import CredentialRefused, FeedConnection, FeedFailed, FeedGap
from sealring_verify.issuer_metadata import IssuerMetadata

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer

NONCE = "n" * 16


@pytest.fixture
def connection(issuer: "LocalIssuer", feed: "LocalFeed") -> Iterator[FeedConnection]:
    assert issuer.feed is feed
    metadata = IssuerMetadata(
        jwks_uri=f"{issuer.url}/jwks",
        introspection_endpoint=None,
        revocation_endpoint=f"{issuer.url}/revocations",
        revocation_jwks_uri=f"{issuer.url}/revocations/jwks",
    )
    opened = FeedConnection(metadata, audience="orders", api_key="sla_secret")
    yield opened
    opened.close()


def test_it_speaks_the_page(connection: FeedConnection, feed: "LocalFeed") -> None:
    assert b"f1" in connection.fetch_keys().document
    assert connection.fetch_snapshot().etag == '"0"'
    feed.end("sid", "s1")
    pulled = connection.poll(after=0, nonce=NONCE)
    assert (pulled.etag, pulled.message.count(b".")) == ('"1"', 2)
    unchanged = connection.poll(after=1, nonce=NONCE, etag='"1"')
    assert unchanged.message.count(b".") == 2
    messages = connection.stream(after=0, nonce=NONCE)
    assert next(messages) is None
    assert str(next(messages)).count(".") == 2
    messages.close()
    assert "secret" not in repr(connection)


def test_a_poll_that_waits_comes_back_with_news(connection: FeedConnection, feed: "LocalFeed") -> None:
    began = time.monotonic()
    connection.poll(after=0, nonce=None, wait=1)
    assert time.monotonic() - began >= 1
    feed.end("sid", "s1")
    connection.poll(after=0, nonce=None, wait=20)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("status", "kind"), [(401, CredentialRefused), (410, FeedGap), (503, FeedFailed), (302, FeedFailed)]
)
def test_each_refusal_has_its_kind(
    connection: FeedConnection, feed: "LocalFeed", status: int, kind: type[FeedFailed]
) -> None:
    feed.status = status
    with pytest.raises(kind):
        connection.fetch_snapshot()
    with pytest.raises(kind):
        connection.poll(after=0, nonce=NONCE)
    with pytest.raises(kind):
        next(connection.stream(after=0, nonce=NONCE))


def test_retry_after_is_told_and_bounded(connection: FeedConnection, issuer: "LocalIssuer") -> None:
    issuer.feed = None
    for told, heard in (("7", 7.0), ("86400", 60.0), ("soon", None)):
        issuer.faults["/revocations/snapshot"] = lambda told=told: (503, {"Retry-After": told}, b"")
        with pytest.raises(FeedFailed) as failed:
            connection.fetch_snapshot()
        assert failed.value.retry_after == heard


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"message": 7}', b'{"message":"a","message":"b"}'])
def test_an_answer_without_a_message_is_a_failure(
    connection: FeedConnection, issuer: "LocalIssuer", body: bytes
) -> None:
    issuer.feed = None
    issuer.faults["/revocations/snapshot"] = lambda: (200, {}, body)
    with pytest.raises(FeedFailed, match=re.escape("without a message")):
        connection.fetch_snapshot()


def test_a_server_that_is_down_is_a_failure(connection: FeedConnection, issuer: "LocalIssuer") -> None:
    issuer.stop()
    try:
        with pytest.raises(FeedFailed, match="ConnectError"):
            connection.post_report(b"{}")
    finally:
        issuer.start(issuer.port)
