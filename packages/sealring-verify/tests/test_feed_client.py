import os
import threading
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer


def test_verifiers_of_the_same_three_share_one_stream(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifiers = [issuer.verifier() for _ in range(3)]
    assert [issuer.outcome(verifier, issuer.token()) for verifier in verifiers] == ["u1"] * 3
    assert feed.streams == 1


def test_poll_mode_asks_on_use_and_learns_by_a_304(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    now = 1000.0
    verifier, token = issuer.verifier(feed="poll", monotonic=lambda: now), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    before = len(issuer.requests)
    now += 4.9
    assert issuer.outcome(verifier, token) == "u1"
    assert len(issuer.requests) == before
    now += 60
    assert issuer.outcome(verifier, token) == "u1"
    assert [path for path in issuer.requests[before:] if "after" in path]
    assert feed.streams == 0
    feed.end("sid", "s1")
    now += 60
    assert issuer.outcome(verifier, token) == "session_ended"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking so is the point
def test_a_forked_child_follows_the_feed_itself(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert issuer.outcome(verifier, token) == "u1"
            os.write(write, b"x")
            issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended", 5)
            code = 0
        finally:
            os._exit(code)
    os.read(read, 1)
    issuer.until(lambda: feed.streams == 2)
    feed.end("sid", "s1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(read)
    os.close(write)


@pytest.mark.usefixtures("feed")
def test_the_thread_ends_with_its_last_verifier(issuer: "LocalIssuer") -> None:
    verifier = issuer.verifier()
    assert issuer.outcome(verifier, issuer.token()) == "u1"
    thread = verifier._guard._client._thread  # type: ignore[union-attr] - it was just used
    assert isinstance(thread, threading.Thread)
    del verifier
    issuer.until(lambda: not thread.is_alive(), 5)


def test_poll_mode_mends_a_gap_within_one_use(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    now = 1000.0
    verifier, token = issuer.verifier(feed="poll", monotonic=lambda: now), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    feed.inc = "1" * 32
    feed.end("sid", "s1")
    now += 60
    assert issuer.outcome(verifier, token) == "session_ended"
