import asyncio
import base64
import logging
import os
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InvalidToken, RevocationUnknown, TokenRefused, Verifier
from sealring_verify import revocation_guard as guards
from sealring_verify.jose.jwk import generate_private_key

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer


def _verifier(issuer: "LocalIssuer", **options: Any) -> Verifier:  # noqa: ANN401 - passed on as they come
    return Verifier(issuer.url, "orders", api_key="sla_k", **options)


def _outcome(verifier: Verifier, token: str) -> str:
    try:
        return verifier.verify(token).sub
    except TokenRefused as refusal:
        return refusal.code


def _until(holds: Callable[[], bool], seconds: float = 8) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_an_ended_session_is_refused_within_a_second_and_says_when(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer), issuer.token(sid="s1")
    assert _outcome(verifier, token) == "u1"
    assert verifier.status().revocation.condition == "fresh"
    feed.end("sid", "s1", at=int(time.time()) - 3)
    _until(lambda: _outcome(verifier, token) == "session_ended", 1)
    with pytest.raises(InvalidToken, match=r"[34] s ago, 9 min 5\d s before it expires"):
        verifier.verify(token)
    assert _outcome(verifier, issuer.token(sid="s2", jti="j2")) == "u1"
    assert {base64.b64decode(str(a).removeprefix("Basic ")) for a in feed.authorizations} == {b"orders:sla_k"}
    assert feed.streams == 1


@pytest.mark.parametrize(
    ("kind", "value", "epoch", "claims", "code"),
    [
        ("jti", "j1", None, {}, "token_revoked"),
        ("sub", "u1", 5, {"sub_epoch": 4}, "session_ended"),
        ("sub", "u1", 5, {}, "session_ended"),
        ("sub", "u1", 5, {"sub_epoch": 5}, "u1"),
        ("client", "web", 5, {"client_epoch": 4}, "client_revoked"),
        ("client", "web", 5, {"client_epoch": 5}, "u1"),
        ("kid", "k1", None, {}, "key_withdrawn"),
        ("jti", "j2", None, {}, "u1"),
    ],
)
async def test_each_kind_stops_what_it_names_both_ways(
    issuer: "LocalIssuer",
    feed: "LocalFeed",
    kind: str,
    value: str,
    epoch: int | None,
    claims: dict[str, Any],
    code: str,
) -> None:
    feed.end(kind, value, epoch=epoch)
    verifier, token = _verifier(issuer), issuer.token(**claims)
    assert _outcome(verifier, token) == code
    try:
        assert (await verifier.verify_async(token)).sub == code
    except InvalidToken as refusal:
        assert refusal.code == code  # noqa: PT017 - either way out must be the same


def test_a_token_that_lives_too_long_is_refused(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.max_lifetime = 599
    assert _outcome(_verifier(issuer), issuer.token()) == "token_lifetime_exceeded"


def test_verifiers_of_the_same_three_share_one_stream(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifiers = [_verifier(issuer) for _ in range(3)]
    assert [_outcome(verifier, issuer.token()) for verifier in verifiers] == ["u1"] * 3
    assert feed.streams == 1


def test_a_cut_stream_goes_on_where_it_was(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer), issuer.token(sid="s1")
    assert _outcome(verifier, token) == "u1"
    feed.cut()
    feed.end("sid", "s1")
    _until(lambda: _outcome(verifier, token) == "session_ended")
    assert issuer.requests.count("/revocations/snapshot") == 1


def test_a_gap_and_another_incarnation_forget_nothing(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer), issuer.token(sid="s1")
    feed.end("sid", "s1")
    assert _outcome(verifier, token) == "session_ended"
    feed.entries.clear()
    feed.inc = "1" * 32
    feed.end("sid", "s2")
    _until(lambda: _outcome(verifier, issuer.token(sid="s2", jti="j2")) == "session_ended")
    assert _outcome(verifier, token) == "session_ended"


@pytest.mark.parametrize("fault", ["held back", "forged", "truncated", "replayed", "wrong type", "garbage"])
def test_a_stream_that_is_tampered_with_ages_and_turns_stale(
    issuer: "LocalIssuer", feed: "LocalFeed", fault: str
) -> None:
    verifier, token = _verifier(issuer, max_staleness=1), issuer.token()
    assert _outcome(verifier, token) == "u1"
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
    _until(lambda: _outcome(verifier, token) == "revocation_unknown")
    feed.tamper = lambda message: message
    if fault == "held back":
        feed.cut()
    _until(lambda: _outcome(verifier, token) == "u1", 20)


def test_a_stale_verifier_answers_503_at_once_and_recovers(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer, max_staleness=1), issuer.token()
    assert _outcome(verifier, token) == "u1"
    feed.status = 503
    _until(lambda: _outcome(verifier, token) == "revocation_unknown")
    began = time.monotonic()
    with pytest.raises(RevocationUnknown) as refused:
        verifier.verify(token)
    assert (refused.value.status, time.monotonic() - began < 2.5) == (503, True)
    assert verifier.status().revocation.condition == "stale"
    feed.status = 200
    _until(lambda: _outcome(verifier, token) == "u1", 20)


def test_stale_knowledge_is_accepted_only_on_demand_and_loudly(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture
) -> None:
    feed.status = 503
    verifier = _verifier(issuer, on_stale="accept")
    assert [_outcome(verifier, issuer.token()) for _ in range(3)] == ["u1"] * 3
    assert [record.levelno for record in caplog.records if "may pass" in record.message] == [logging.WARNING]
    status = verifier.status().revocation
    assert (status.condition, status.accepts_stale) == ("stale", True)


def test_a_refused_credential_stays_stale_and_says_so_once(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture
) -> None:
    feed.status = 401
    verifier = _verifier(issuer)
    assert [_outcome(verifier, issuer.token()) for _ in range(3)] == ["revocation_unknown"] * 3
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1
    assert "sla_k" not in caplog.text


def test_an_entry_of_an_unknown_kind_makes_stale_at_once_unless_ignorable(
    issuer: "LocalIssuer", feed: "LocalFeed"
) -> None:
    verifier, token = _verifier(issuer), issuer.token()
    assert _outcome(verifier, token) == "u1"
    feed.entries.append([1, "device", "A" * 22, 1, None, None, "ignorable"])
    _until(lambda: verifier.status().revocation.position == 1)
    assert _outcome(verifier, token) == "u1"
    feed.entries.append([2, "device", "A" * 22, 1, None])
    _until(lambda: _outcome(verifier, token) == "revocation_unknown", 2)
    assert "update sealring-verify" in str(verifier.status().revocation.last_error)


def test_a_proxy_that_buffers_is_gone_around_by_polling(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.silent = True
    verifier, token = _verifier(issuer, max_staleness=3), issuer.token(sid="s1")
    _until(lambda: _outcome(verifier, token) == "u1", 15)
    feed.end("sid", "s1")
    _until(lambda: _outcome(verifier, token) == "session_ended", 2)


async def test_a_coroutine_waits_without_blocking_the_event_loop(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.silent = True
    verifier = _verifier(issuer)
    waiting = asyncio.create_task(verifier.verify_async(issuer.token()))
    longest, last, began = 0.0, time.monotonic(), time.monotonic()
    while time.monotonic() - began < 1:
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert not waiting.done()
    assert longest < 0.3
    feed.silent = False
    assert (await waiting).sub == "u1"


def test_poll_mode_asks_on_use_and_learns_by_a_304(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    now = 1000.0
    verifier, token = _verifier(issuer, feed="poll", monotonic=lambda: now), issuer.token(sid="s1")
    assert _outcome(verifier, token) == "u1"
    before = len(issuer.requests)
    now += 4.9
    assert _outcome(verifier, token) == "u1"
    assert len(issuer.requests) == before
    now += 60
    assert _outcome(verifier, token) == "u1"
    assert [path for path in issuer.requests[before:] if "after" in path]
    assert feed.streams == 0
    feed.end("sid", "s1")
    now += 60
    assert _outcome(verifier, token) == "session_ended"


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking so is the point
def test_a_forked_child_follows_the_feed_itself(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer), issuer.token(sid="s1")
    assert _outcome(verifier, token) == "u1"
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            assert _outcome(verifier, token) == "u1"
            os.write(write, b"x")
            _until(lambda: _outcome(verifier, token) == "session_ended", 5)
            code = 0
        finally:
            os._exit(code)
    os.read(read, 1)
    _until(lambda: feed.streams == 2)
    feed.end("sid", "s1")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(read)
    os.close(write)


def test_a_report_follows_an_ack_at_once_and_tells_outcomes(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = _verifier(issuer)
    verifier.verify(issuer.token(sid="s1"), client_address="203.0.113.9")
    assert _outcome(verifier, "garbage") == "token_malformed"
    feed.ack = True
    _until(lambda: bool(feed.reports), 1)
    feed.ack = False
    report = feed.reports[0]
    assert report["counts"] == {"accepted": 1, "token_malformed": 1}
    assert (report["position"], report["incarnation"], report["keys"]) == (0, "0" * 32, ["k1"])
    assert [use[3:] for use in report["uses"]] == [["203.0.113.0/24", "accepted"], [None, "token_malformed"]]


def test_reports_are_off_by_one_word(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = _verifier(issuer, reports=False)
    feed.ack = True
    assert _outcome(verifier, issuer.token()) == "u1"
    time.sleep(0.3)
    assert feed.reports == []


def test_a_hit_is_not_looked_up_again_while_nothing_changed(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = _verifier(issuer), issuer.token(sid="s1")
    assert _outcome(verifier, token) == "u1"
    client = verifier._guard._client
    assert client is not None
    entries, client.knowledge.entries = client.knowledge.entries, None  # type: ignore[assignment] - a look would fail
    assert _outcome(verifier, token) == "u1"
    client.knowledge.entries = entries
    feed.end("sid", "s1")
    _until(lambda: _outcome(verifier, token) == "session_ended", 1)


def test_without_a_key_it_works_and_warns_once_per_process(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_said", set())
    for _ in range(3):
        assert _outcome(Verifier(issuer.url, "orders"), issuer.token()) == "u1"
    assert len([record for record in caplog.records if "revocation is OFF" in record.message]) == 1
    assert feed.streams == 0


def test_an_issuer_without_a_feed_is_said_once_and_works(
    issuer: "LocalIssuer", caplog: pytest.LogCaptureFixture
) -> None:
    verifier = _verifier(issuer)
    assert [_outcome(verifier, issuer.token()) for _ in range(3)] == ["u1"] * 3
    assert len([record for record in caplog.records if "offers no revocation feed" in record.message]) == 1
    assert verifier.status().revocation.condition == "off"


def test_given_keys_follow_the_feed_as_well(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.end("jti", "j1")
    verifier = _verifier(issuer, jwks={"keys": [issuer.key.public_jwk()]})
    assert _outcome(verifier, issuer.token()) == "token_revoked"


def test_the_thread_ends_with_its_last_verifier(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = _verifier(issuer)
    assert _outcome(verifier, issuer.token()) == "u1"
    thread = verifier._guard._client._thread  # type: ignore[union-attr] - it was just used
    assert isinstance(thread, threading.Thread)
    del verifier
    _until(lambda: not thread.is_alive(), 5)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"max_staleness": 0}, "max_staleness"),
        ({"max_staleness": 3601}, "max_staleness"),
        ({"max_staleness": True}, "max_staleness"),
        ({"on_stale": "ignore"}, "on_stale"),
        ({"feed": "push"}, "feed"),
    ],
)
def test_a_wrong_word_fails_at_construction(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Verifier("https://id.example.com", "orders", **options)
