import asyncio
import base64
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import InvalidToken, Verifier
from sealring_verify import revocation_guard as guards

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer


def test_an_ended_session_is_refused_within_a_second_and_says_when(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    assert verifier.status().revocation.condition == "fresh"
    feed.end("sid", "s1", at=int(time.time()) - 3)
    issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended", 1)
    with pytest.raises(InvalidToken, match=r"[34] s ago, 9 min 5\d s before it expires"):
        verifier.verify(token)
    assert issuer.outcome(verifier, issuer.token(sid="s2", jti="j2")) == "u1"
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
async def test_each_kind_stops_what_it_names_both_ways(  # noqa: PLR0917 - a table
    issuer: "LocalIssuer",
    feed: "LocalFeed",
    kind: str,
    value: str,
    epoch: int | None,
    claims: dict[str, Any],
    code: str,
) -> None:
    feed.end(kind, value, epoch=epoch)
    verifier, token = issuer.verifier(), issuer.token(**claims)
    assert issuer.outcome(verifier, token) == code
    try:
        assert (await verifier.verify_async(token)).sub == code
    except InvalidToken as refusal:
        assert refusal.code == code  # noqa: PT017 - either way out must be the same


def test_a_token_that_lives_too_long_is_refused(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.max_lifetime = 599
    assert issuer.outcome(issuer.verifier(), issuer.token()) == "token_lifetime_exceeded"


def test_stale_knowledge_is_accepted_only_on_demand_and_loudly(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture
) -> None:
    feed.status = 503
    verifier = issuer.verifier(on_stale="accept")
    assert [issuer.outcome(verifier, issuer.token()) for _ in range(3)] == ["u1"] * 3
    assert [record.levelno for record in caplog.records if "may pass" in record.message] == [logging.WARNING]
    status = verifier.status().revocation
    assert (status.condition, status.accepts_stale) == ("stale", True)


def test_an_entry_of_an_unknown_kind_makes_stale_at_once_unless_ignorable(
    issuer: "LocalIssuer", feed: "LocalFeed"
) -> None:
    verifier, token = issuer.verifier(), issuer.token()
    assert issuer.outcome(verifier, token) == "u1"
    feed.entries.append([1, "device", "A" * 22, 1, None, None, "ignorable"])
    issuer.until(lambda: verifier.status().revocation.position == 1)
    assert issuer.outcome(verifier, token) == "u1"
    feed.entries.append([2, "device", "A" * 22, 1, None])
    issuer.until(lambda: issuer.outcome(verifier, token) == "revocation_unknown", 2)
    assert "update sealring-verify" in str(verifier.status().revocation.last_error)


async def test_a_coroutine_waits_without_blocking_the_event_loop(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.silent = True
    verifier = issuer.verifier()
    waiting = asyncio.create_task(verifier.verify_async(issuer.token()))
    longest, last, began = 0.0, time.monotonic(), time.monotonic()
    while time.monotonic() - began < 1:
        await asyncio.sleep(0.01)
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    assert not waiting.done()
    assert longest < 0.3
    feed.silent = False
    assert (await waiting).sub == "u1"


def test_a_hit_is_not_looked_up_again_while_nothing_changed(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier, token = issuer.verifier(), issuer.token(sid="s1")
    assert issuer.outcome(verifier, token) == "u1"
    client = verifier._guard._client
    assert client is not None
    entries, client.knowledge.entries = client.knowledge.entries, None  # type: ignore[assignment] - a look would fail
    assert issuer.outcome(verifier, token) == "u1"
    client.knowledge.entries = entries
    feed.end("sid", "s1")
    issuer.until(lambda: issuer.outcome(verifier, token) == "session_ended", 1)


def test_without_a_key_it_works_and_warns_once_per_process(
    issuer: "LocalIssuer", feed: "LocalFeed", caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "_said", set())
    for _ in range(3):
        assert issuer.outcome(Verifier(issuer.url, "orders"), issuer.token()) == "u1"
    assert len([record for record in caplog.records if "revocation is OFF" in record.message]) == 1
    assert feed.streams == 0


def test_an_issuer_without_a_feed_is_said_once_and_works(
    issuer: "LocalIssuer", caplog: pytest.LogCaptureFixture
) -> None:
    verifier = issuer.verifier()
    assert [issuer.outcome(verifier, issuer.token()) for _ in range(3)] == ["u1"] * 3
    assert len([record for record in caplog.records if "offers no revocation feed" in record.message]) == 1
    assert verifier.status().revocation.condition == "off"


def test_given_keys_follow_the_feed_as_well(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    feed.end("jti", "j1")
    verifier = issuer.verifier(jwks={"keys": [issuer.key.public_jwk()]})
    assert issuer.outcome(verifier, issuer.token()) == "token_revoked"


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
