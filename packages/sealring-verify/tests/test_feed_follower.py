import json
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sealring_verify import RevocationUnknown
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer


def test_a_cut_stream_goes_on_where_it_was(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    feed.cut()
    feed.end("sid", "s1")
    issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended")
    assert issuer.requests.count("/revocations/snapshot") == 1


def test_a_gap_and_another_incarnation_forget_nothing(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    feed.end("sid", "s1")
    assert issuer.outcome(verifier, token) == "session_ended"
    feed.entries.clear()
    feed.inc = "1" * 32
    feed.end("sid", "s2")
    issuer.until(lambda: issuer.outcome(verifier, issuer.token(sid="s2", jti="j2")) == "session_ended")
    assert issuer.outcome(verifier, token) == "session_ended"


@pytest.mark.parametrize("fault", ["held back", "forged", "truncated", "replayed", "wrong type", "garbage"])
def test_a_stream_that_is_tampered_with_ages_and_turns_stale(
    issuer: "LocalIssuer", feed: "LocalFeed", fault: str
) -> None:
    verifier, token = issuer.verifier(max_staleness=1), issuer.token()
    assert issuer.outcome(verifier, token) == "u1"
    old = feed.message(len(feed.entries))
    stranger = generate_private_key("ES256", kid="f1")
    faults: dict[str, Callable[[bytes], bytes | None]] = {
        "held back": lambda _: None,
        "forged": lambda _: feed.sign({}, key=stranger),
        "truncated": lambda message: message[:-9],
        "replayed": lambda _: old,
        "wrong type": lambda _: feed.sign({}, typ="JWT"),
        "garbage": lambda _: b"\0\xff.",
    }
    feed.tamper = faults[fault]
    issuer.until(lambda: issuer.outcome(verifier, token) == "revocation_unknown")
    feed.tamper = lambda message: message
    if fault == "held back":
        feed.cut()
    issuer.until(lambda: issuer.outcome(verifier, token) == "u1", 20)


def test_a_stale_verifier_answers_503_at_once_and_recovers(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(max_staleness=1), issuer.token()
    assert issuer.outcome(verifier, token) == "u1"
    feed.status = 503
    issuer.until(lambda: issuer.outcome(verifier, token) == "revocation_unknown")
    began = time.monotonic()
    with pytest.raises(RevocationUnknown) as refused:
        verifier.verify(token)
    assert (refused.value.status, time.monotonic() - began < 2.5) == (503, True)
    assert verifier.status().revocation.condition == "stale"
    feed.status = 200
    issuer.until(lambda: issuer.outcome(verifier, token) == "u1", 20)


def test_a_refused_credential_stays_stale_and_says_so_once(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture
) -> None:
    feed.status = 401
    verifier = issuer.verifier()
    assert [issuer.outcome(verifier, issuer.token()) for _ in range(3)] == ["revocation_unknown"] * 3
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    assert "sla_k" not in caplog.text


def test_a_proxy_that_buffers_is_gone_around_by_polling(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.silent = True
    verifier, token = issuer.verifier(max_staleness=3), issuer.token(sid="s1")
    issuer.until(lambda: issuer.outcome(verifier, token) == "u1", 15)
    feed.end("sid", "s1")
    issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended", 2)


def test_a_report_follows_an_ack_at_once_and_tells_outcomes(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = issuer.verifier()
    verifier.verify(issuer.token(sid="s1"), client_address="203.0.113.9")
    assert issuer.outcome(verifier, "garbage") == "token_malformed"
    feed.ack = True
    issuer.until(lambda: bool(feed.reports), 1)
    feed.ack = False
    report = feed.reports[0]
    assert report["counts"] == {"accepted": 1, "token_malformed": 1}
    assert (report["position"], report["incarnation"], report["keys"]) == (0, "0" * 32, ["k1"])
    assert [use[3:] for use in report["uses"]] == [["203.0.113.0/24", "accepted"], [None, "token_malformed"]]


def test_reports_are_off_by_one_word(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = issuer.verifier(reports=False)
    feed.ack = True
    assert issuer.outcome(verifier, issuer.token()) == "u1"
    time.sleep(0.3)
    assert feed.reports == []


def test_a_gap_is_mended_within_a_second(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    feed.inc = "1" * 32
    feed.end("sid", "s1")
    issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended", 1)


def test_a_checkpoint_in_the_place_of_a_snapshot_is_no_beginning(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    checkpoint = feed.message(0)
    feed.message = lambda *_, **__: checkpoint  # type: ignore[method-assign] - the server is at fault here
    assert issuer.outcome(issuer.verifier(), issuer.token()) == "revocation_unknown"


class Thief:
    """Sits on the stream with the key `f1`: signs each message anew with it, without entries if told so."""

    def __init__(self, feed: "LocalFeed") -> None:
        self._feed = feed
        self._key = feed.key
        self.strips = False
        feed.tamper = self.resign

    def resign(self, message: bytes) -> bytes:
        payload = message.split(b".")[1]
        members = json.loads(base64url.decode(payload))
        return self._feed.sign(members | ({"entries": []} if self.strips else {}), key=self._key)


def _withdraw(feed: "LocalFeed") -> None:
    feed.key = generate_private_key("ES256", kid="f2")
    feed.published = [feed.key]


def test_who_holds_a_withdrawn_key_and_the_stream_keeps_nobody_fresh_for_longer_than_max_staleness(
    issuer: "LocalIssuer", feed: "LocalFeed"
) -> None:
    verifier, token = issuer.verifier(max_staleness=2), issuer.token()
    Thief(feed)
    assert issuer.outcome(verifier, token) == "u1"
    _withdraw(feed)
    issuer.until(lambda: issuer.outcome(verifier, token) == "revocation_unknown", 2.5)
    # Nor once more, whatever the thief goes on saying.
    deadline = time.monotonic() + 1.5
    while time.monotonic() < deadline:
        assert issuer.outcome(verifier, token) == "revocation_unknown"
    feed.tamper = lambda message: message
    issuer.until(lambda: issuer.outcome(verifier, token) == "u1", 20)


def test_who_also_holds_back_the_key_set_keeps_nobody_fresh_either(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(max_staleness=2), issuer.token()
    assert issuer.outcome(verifier, token) == "u1"
    feed.hides_keys = True
    began = time.monotonic()
    issuer.until(lambda: issuer.outcome(verifier, token) == "revocation_unknown", 2.5)
    # Not sooner than the promise: a key set that is not answered for once harms nobody.
    assert time.monotonic() - began > 1
    feed.hides_keys = False
    issuer.until(lambda: issuer.outcome(verifier, token) == "u1", 20)


def test_what_was_left_out_under_a_withdrawn_key_is_learnt_after_it(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, ended = issuer.verifier(max_staleness=3), issuer.token(sid="s1")
    thief = Thief(feed)
    assert issuer.outcome(verifier, ended) == "u1"
    thief.strips = True
    feed.end("sid", "s1")
    issuer.until(lambda: verifier.status().revocation.position == 1)
    assert issuer.outcome(verifier, ended) == "u1"  # so much the thief can do while the key is good
    _withdraw(feed)
    feed.tamper = lambda message: message
    issuer.until(lambda: issuer.outcome(verifier, ended) != "u1", 3.2)
    issuer.until(lambda: issuer.outcome(verifier, ended) == "session_ended", 10)


def test_a_withdrawal_with_a_successor_refuses_nobody(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(max_staleness=3), issuer.token()
    successor = generate_private_key("ES256", kid="f2")
    feed.published = [feed.key, successor]
    assert issuer.outcome(verifier, token) == "u1"
    feed.key, feed.published = successor, [successor]
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline:
        assert issuer.outcome(verifier, token) == "u1"
        time.sleep(0.005)
    assert issuer.requests.count("/revocations/snapshot") == 2


def test_a_new_feed_key_is_fetched_when_a_message_names_it(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    now = 1000.0
    verifier, token = issuer.verifier(feed="poll", monotonic=lambda: now), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    feed.key = generate_private_key("ES256", kid="f2")
    feed.end("sid", "s1")
    now += 60
    assert issuer.outcome(verifier, token) == "session_ended"
    assert issuer.requests.count("/revocations/jwks") == 2
