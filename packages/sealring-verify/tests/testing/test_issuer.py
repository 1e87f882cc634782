import gc
import threading
import time
from collections.abc import Iterator

import httpx
import pytest

from sealring_verify import TokenRefused, Verifier
from sealring_verify.fetch import fetch_jwks
from sealring_verify.jose.jwks import parse_jwks
from sealring_verify.testing import Issuer


@pytest.fixture
def fake() -> Iterator[Issuer]:
    with Issuer("orders") as made:
        yield made


def outcome(verifier: Verifier, token: str) -> str:
    try:
        return verifier.verify(token).sub
    except TokenRefused as refusal:
        return refusal.code


def eventually(verifier: Verifier, token: str) -> str:
    """Verify until the issuer is no longer unavailable."""
    deadline = time.monotonic() + 8
    while True:
        try:
            return verifier.verify(token).sub
        except TokenRefused as refusal:
            if refusal.status != 503 or time.monotonic() > deadline:
                return refusal.code
        time.sleep(0.05)


def test_one_line_is_an_issuer_whose_tokens_pass(fake: Issuer) -> None:
    verifier = fake.verifier()
    assert outcome(verifier, fake.token()) == "user-1"
    status = verifier.status()
    assert (status.issuer, status.audience, status.keys) == (fake.url, "orders", (fake.key.kid,))
    # The feed is really followed.
    assert status.revocation.condition == "fresh"


@pytest.mark.parametrize("alg", ["RS256", "PS256", "Ed25519"])
def test_its_keys_are_fetched_whatever_their_algorithm(alg: str) -> None:
    with Issuer("orders", alg=alg) as fake:
        assert outcome(fake.verifier(), fake.token()) == "user-1"


def test_an_api_can_have_another_name(fake: Issuer) -> None:
    assert outcome(fake.verifier("bills"), fake.token()) == "wrong_audience"
    assert outcome(fake.verifier("bills"), fake.token(aud="bills")) == "user-1"
    fake.audience = "bills"
    assert outcome(fake.verifier(), fake.token()) == "user-1"


def test_both_kinds_of_discovery_lead_to_its_keys(fake: Issuer) -> None:
    answers = [
        httpx.get(f"{fake.url}/.well-known/{name}", trust_env=False).json()
        for name in ("oauth-authorization-server", "openid-configuration")
    ]
    assert answers[0] == answers[1]
    assert answers[0]["issuer"] == fake.url
    document = fetch_jwks(fake.url).document
    assert [key.kid for key in parse_jwks(document).keys] == [fake.key.kid]
    assert httpx.get(f"{fake.url}/elsewhere", trust_env=False).status_code == 404


def test_time_that_passes_expires_tokens_and_renews_what_is_known(fake: Issuer) -> None:
    verifier = fake.verifier(leeway=0)
    token = fake.token()
    assert outcome(verifier, token) == "user-1"
    fake.clock.move(590)
    assert eventually(verifier, token) == "user-1"
    fake.clock.move(11)
    assert outcome(verifier, token) == "token_expired"
    assert eventually(verifier, fake.token()) == "user-1"
    fake.clock.move(30 * 86_400)
    assert eventually(verifier, fake.token()) == "user-1"


def test_clocks_that_disagree_within_the_leeway_are_no_matter(fake: Issuer) -> None:
    verifier = fake.verifier()
    for seconds, code in ((20, "user-1"), (60, "token_not_yet_valid"), (-620, "user-1"), (-640, "token_expired")):
        fake.skew(seconds)
        assert outcome(verifier, fake.token()) == code


def test_a_rotated_key_is_found_and_the_one_before_still_holds(fake: Issuer) -> None:
    verifier, before = fake.verifier(), fake.token()
    assert outcome(verifier, before) == "user-1"
    kid = fake.key.kid
    fake.rotate_key()
    assert fake.key.kid != kid
    assert [outcome(verifier, token) for token in (fake.token(), before, fake.token())] == ["user-1"] * 3
    assert verifier.status().keys == (kid, fake.key.kid)


def test_one_token_is_revoked_and_the_next_request_knows(fake: Issuer) -> None:
    verifier = fake.verifier()
    token, other = fake.token(sid="s1"), fake.token(sid="s1")
    assert outcome(verifier, token) == outcome(verifier, other) == "user-1"
    fake.revoke(token)
    assert (outcome(verifier, token), outcome(verifier, other)) == ("token_revoked", "user-1")


def test_a_session_is_ended_with_all_its_tokens(fake: Issuer) -> None:
    verifier = fake.verifier()
    tokens = [fake.token(sid="s1"), fake.token(sid="s1"), fake.token(sid="s2")]
    assert outcome(verifier, tokens[0]) == "user-1"
    fake.revoke(sid="s1")
    assert [outcome(verifier, token) for token in tokens] == ["session_ended", "session_ended", "user-1"]


def test_what_a_subject_or_a_client_gets_afterwards_is_good(fake: Issuer) -> None:
    verifier = fake.verifier()
    token, own = fake.token(sub="ada", client_id="web"), fake.client_token(client_id="reports")
    assert (outcome(verifier, token), outcome(verifier, own)) == ("ada", "reports")
    fake.revoke(sub="ada")
    fake.revoke(client_id="reports")
    assert (outcome(verifier, token), outcome(verifier, own)) == ("session_ended", "client_revoked")
    assert outcome(verifier, fake.token(sub="ada")) == "ada"
    assert outcome(verifier, fake.client_token(client_id="reports")) == "reports"
    fake.revoke(client_id="web")
    fake.revoke(sub="ada")
    assert outcome(verifier, fake.token(sub="ada", client_id="web")) == "ada"


def test_what_was_revoked_before_there_was_a_verifier_is_refused(fake: Issuer) -> None:
    token = fake.token()
    fake.revoke(token)
    assert outcome(fake.verifier(), token) == "token_revoked"


def test_every_verifier_of_every_api_knows_before_revoke_returns(fake: Issuer) -> None:
    verifiers = [fake.verifier(), fake.verifier("bills"), fake.verifier(monotonic=time.monotonic)]
    token = fake.token(aud=["orders", "bills"])
    assert [outcome(verifier, token) for verifier in verifiers] == ["user-1"] * 3
    began = time.monotonic()
    fake.revoke(token)
    assert time.monotonic() - began < 2
    assert [outcome(verifier, token) for verifier in verifiers] == ["token_revoked"] * 3


def test_a_verifier_that_is_gone_holds_no_revocation_up(fake: Issuer) -> None:
    verifier = fake.verifier()
    assert outcome(verifier, fake.token()) == "user-1"
    del verifier
    gc.collect()
    deadline = time.monotonic() + 8
    while fake.feed._streams["orders"]:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    began = time.monotonic()
    fake.revoke(sid="s1")
    assert time.monotonic() - began < 1


def test_one_thing_is_revoked_at_a_time(fake: Issuer) -> None:
    with pytest.raises(ValueError, match="name one"):
        fake.revoke()
    with pytest.raises(ValueError, match="name one"):
        fake.revoke(sid="s1", sub="ada")


def test_introspection_says_what_has_ended(fake: Issuer) -> None:
    verifier = fake.verifier(introspect=True, feed="off")
    token, expired = fake.token(), fake.token(sid="s1")
    assert outcome(verifier, token) == "user-1"
    fake.revoke(token)
    fake.clock.move(3)
    assert outcome(verifier, token) == "token_inactive"
    fake.clock.move(610)
    # Within the verifier's leeway, which is not the issuer's.
    assert eventually(verifier, expired) == "token_inactive"
    assert outcome(fake.verifier(introspect=True, feed="off", api_key="sla_other"), fake.token()) == (
        "introspection_unavailable"
    )


def test_an_opaque_token_is_what_the_signed_one_is(fake: Issuer) -> None:
    verifier = fake.verifier(opaque=True)
    good = fake.opaque(fake.token(sub="ada", scope="orders:read"))
    assert verifier.verify(good, scopes={"orders:read"}).sub == "ada"
    assert outcome(verifier, fake.opaque(fake.expired_token())) == "token_inactive"
    assert outcome(verifier, fake.opaque(fake.token(aud="bills"))) == "token_inactive"
    assert outcome(verifier, fake.token()) != "user-1"
    fake.revoke(good)
    assert outcome(verifier, good) == "token_revoked"


def test_an_answer_that_is_dropped_is_asked_for_again(fake: Issuer) -> None:
    fake.drop_next_answer("/jwks")
    verifier = fake.verifier(feed="off")
    assert outcome(verifier, fake.token()) == "keys_unavailable"
    fake.clock.move(5)
    assert outcome(verifier, fake.token()) == "user-1"
    fake.drop_next_answer()
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{fake.url}/jwks", trust_env=False)
    assert httpx.get(f"{fake.url}/jwks", trust_env=False).status_code == 200


def test_a_verifier_outlives_a_feed_that_is_dropped(fake: Issuer) -> None:
    fake.drop_next_answer("/revocations")
    verifier = fake.verifier()
    assert outcome(verifier, fake.token()) == "revocation_unknown"
    assert eventually(verifier, fake.token()) == "user-1"


def test_a_foreign_secret_learns_nothing(fake: Issuer) -> None:
    assert outcome(fake.verifier(api_key="sla_other"), fake.token()) == "revocation_unknown"


def test_an_api_that_reads_the_environment_finds_it(fake: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in fake.environment().items():
        monkeypatch.setenv(name, value)
    verifier, token = Verifier.from_environment(), fake.token()
    assert outcome(verifier, token) == "user-1"
    fake.revoke(token)
    assert outcome(verifier, token) == "token_revoked"


def test_nothing_answers_after_it_is_closed(fake: Issuer) -> None:
    assert outcome(fake.verifier(), fake.token()) == "user-1"
    fake.close()
    fake.close()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{fake.url}/jwks", trust_env=False)


def test_offline_it_opens_no_socket_and_its_tokens_pass(caplog: pytest.LogCaptureFixture) -> None:
    threads = threading.active_count()
    offline = Issuer("orders", offline=True)
    verifier, token = offline.verifier(), offline.token()
    assert outcome(verifier, token) == "user-1"
    offline.clock.move(700)
    assert outcome(verifier, token) == "token_expired"
    offline.rotate_key()
    assert outcome(verifier, offline.token()) == "unknown_key"
    assert outcome(offline.verifier(), offline.token()) == "user-1"
    with pytest.raises(ValueError, match="offline"):
        offline.revoke(token)
    offline.close()
    assert threading.active_count() == threads
    assert not caplog.records
