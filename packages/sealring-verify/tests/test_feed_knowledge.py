import threading
import time
from typing import TYPE_CHECKING

import pytest

from sealring_verify.feed_knowledge import FeedKnowledge
from sealring_verify.feed_state import Sent
from sealring_verify.jose.jwk import generate_private_key
from sealring_verify.jose.jwks import KeySet, parse_jwks
from sealring_verify.report import Tally
from sealring_verify.revocation_feed import MessageRefused

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer

NONCE = "n" * 16


@pytest.fixture
def knowledge(issuer: "LocalIssuer") -> FeedKnowledge:
    tally = Tally(chance=lambda: 0.5)
    return FeedKnowledge(issuer=issuer.url, audience="orders", monotonic=time.monotonic, tally=tally)


def _keys(feed: "LocalFeed") -> KeySet:
    import json

    return parse_jwks(json.dumps({"keys": [feed.key.public_jwk()]}).encode())


def _apply(knowledge: FeedKnowledge, feed: "LocalFeed") -> None:
    knowledge.apply(feed.message(None), keys=_keys(feed), keys_at=time.monotonic(), sent=None)
    sent = Sent(NONCE, time.monotonic())
    knowledge.apply(feed.message(len(feed.entries), NONCE), keys=_keys(feed), keys_at=time.monotonic(), sent=sent)


def test_a_caller_waits_until_the_first_head(knowledge: FeedKnowledge, feed: "LocalFeed") -> None:
    threading.Timer(0.2, _apply, (knowledge, feed)).start()
    began = time.monotonic()
    assert knowledge.wait(30)
    assert 0.1 < time.monotonic() - began < 2


def test_a_failure_ends_the_first_wait(knowledge: FeedKnowledge) -> None:
    threading.Timer(0.2, knowledge.note_failure, ("down",)).start()
    began = time.monotonic()
    assert not knowledge.wait(30)
    assert time.monotonic() - began < 2
    assert not knowledge.wait(30)
    assert time.monotonic() - began < 2.1


async def test_a_coroutine_waits_as_well(knowledge: FeedKnowledge, feed: "LocalFeed") -> None:
    threading.Timer(0.2, _apply, (knowledge, feed)).start()
    assert await knowledge.wait_async(30)


def test_patience_with_an_issuer_that_is_back_ends_after_two_seconds(
    knowledge: FeedKnowledge, feed: "LocalFeed"
) -> None:
    _apply(knowledge, feed)
    knowledge.note_failure("down")
    knowledge.note_reachable()
    began = time.monotonic()
    assert not knowledge.wait(0)
    assert 1.9 < time.monotonic() - began < 3


def test_what_is_refused_leaves_all_as_it_was(knowledge: FeedKnowledge, feed: "LocalFeed") -> None:
    _apply(knowledge, feed)
    state = knowledge.state
    forged = feed.sign({}, key=generate_private_key("ES256", kid="f1"))
    with pytest.raises(MessageRefused):
        knowledge.apply(forged, keys=_keys(feed), keys_at=time.monotonic(), sent=None)
    assert knowledge.state is state
