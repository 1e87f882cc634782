import asyncio
import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import (
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidToken,
    KeysUnavailable,
    TokenRefused,
    Verifier,
)
from sealring_verify.jose import base64url
from sealring_verify.jose.jwk import generate_private_key, make_secret_key
from sealring_verify.symmetric_secret import parse_symmetric_secret, write_symmetric_secret

if TYPE_CHECKING:
    from conftest import LocalIssuer


async def _both(verifier: Verifier, token: str) -> str:
    """Verify both ways; the outcome must be one."""

    def outcome_of(refusal: TokenRefused) -> str:
        return refusal.code

    try:
        by_wait = verifier.verify(token).sub
    except TokenRefused as refusal:
        by_wait = outcome_of(refusal)
    try:
        by_await = (await verifier.verify_async(token)).sub
    except TokenRefused as refusal:
        by_await = outcome_of(refusal)
    assert by_wait == by_await
    return by_wait


async def test_a_good_token_passes_both_ways(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    assert await _both(verifier, issuer.token()) == "u1"
    assert verifier.verify(issuer.token(scope="a")).scope == {"a"}
    assert issuer.requests == [issuer.metadata_path, "/jwks"]


async def test_scopes_that_are_demanded_must_all_be_there_both_ways(issuer: "LocalIssuer") -> None:
    verifier, token = Verifier(issuer.url, "orders"), issuer.token(scope="a b")
    assert verifier.verify(token, scopes={"a", "b"}).sub == "u1"
    assert (await verifier.verify_async(token, scopes=("b",))).sub == "u1"
    with pytest.raises(InsufficientScope, match="scope: a c"):
        verifier.verify(token, scopes={"c", "a"})
    with pytest.raises(InsufficientScope):
        await verifier.verify_async(token, scopes=["ab"])


async def test_an_issuer_below_a_path_works(issuer_with_path: "LocalIssuer") -> None:
    assert await _both(Verifier(issuer_with_path.url, "orders"), issuer_with_path.token()) == "u1"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1000}, "token_expired"),
        ({"aud": "billing"}, "wrong_audience"),
        ({"iss": "https://evil.example"}, "wrong_issuer"),
        ({"typ": "JWT"}, "wrong_type"),
        ({"jti": ...}, "missing_claim"),
        ({"sub": ""}, "invalid_claim"),
        ({"cnf": {"jkt": "x"}}, "proof_of_possession_required"),
        ({"iat": 9_999_999_999}, "token_not_yet_valid"),
    ],
)
async def test_a_bad_token_is_refused_both_ways(issuer: "LocalIssuer", changes: dict[str, Any], code: str) -> None:
    assert await _both(Verifier(issuer.url, "orders"), issuer.token(**changes)) == code


@pytest.mark.parametrize("token", ["", "garbage", "a.b.c", "\ud800", "é.é.é", "." * 20_000, "x" * 20_000])
async def test_any_text_is_refused(issuer: "LocalIssuer", token: str) -> None:
    assert await _both(Verifier(issuer.url, "orders"), token) in {"token_malformed", "token_too_large"}


@pytest.mark.parametrize("token", [None, b"a.b.c", 7, ["a"], {"a": 1}, 1.5])
async def test_what_is_no_text_is_refused_as_well(issuer: "LocalIssuer", token: Any) -> None:  # noqa: ANN401 - wrong types are the point
    assert await _both(Verifier(issuer.url, "orders"), token) == "token_malformed"


def test_a_token_over_the_limit_costs_no_more_than_one_at_the_limit() -> None:
    class Counted(str):
        """A text that may be cut, not read."""

        __slots__ = ()

        def encode(self, *_: object, **__: object) -> bytes:
            pytest.fail("it was read whole")

        def count(self, *_: object) -> int:
            pytest.fail("it was read whole")

    verifier = Verifier("https://id.example.com", "orders", jwks={"keys": [generate_private_key("ES256").public_jwk()]})
    for token in (Counted("a." * 50_000), Counted("." * 16_385)):
        with pytest.raises(InvalidToken, match="token_too_large"):
            verifier.verify(token)


async def test_a_forged_token_is_refused_even_after_the_true_one(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    good = issuer.token()
    assert await _both(verifier, good) == "u1"
    forged = issuer.token(key=generate_private_key("ES256", kid="k1"))
    assert await _both(verifier, forged) == "bad_signature"
    assert await _both(verifier, good[:-1] + ("A" if good[-1] != "A" else "Q")) == "bad_signature"


async def test_a_new_key_is_found_and_garbage_kids_cost_one_fetch(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", monotonic=lambda: now)
    assert await _both(verifier, issuer.token()) == "u1"
    issuer.rotate_key("k2")
    now += 10
    assert await _both(verifier, issuer.token()) == "u1"
    stranger = generate_private_key("ES256")
    for _ in range(20):
        assert await _both(verifier, issuer.token(key=stranger)) == "unknown_key"
    assert issuer.requests.count("/jwks") == 2


async def test_a_remembered_token_is_judged_by_the_live_clock(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", leeway=0, clock=lambda: now)
    token = issuer.token(iat=1000, exp=1600)
    assert await _both(verifier, token) == "u1"
    assert verifier.status().remembered_tokens == 1
    now = 1599
    assert await _both(verifier, token) == "u1"
    now = 1600
    assert await _both(verifier, token) == "token_expired"
    now = 999
    assert await _both(verifier, token) == "token_not_yet_valid"


async def test_a_withdrawn_keys_tokens_leave_the_memory(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", monotonic=lambda: now)
    old = issuer.token()
    assert await _both(verifier, old) == "u1"
    issuer.published = [generate_private_key("ES256", kid="k2")]
    now += 310
    verifier.verify(old)  # stale keys serve, and a fetch begins
    flight = verifier._issuer_keys._flight
    if flight is not None:
        await asyncio.wrap_future(flight)
    assert await _both(verifier, old) == "unknown_key"


async def test_an_issuer_that_is_down_at_start_is_no_fault_of_the_token(issuer: "LocalIssuer") -> None:
    issuer.stop()
    verifier = Verifier(issuer.url, "orders")
    with pytest.raises(KeysUnavailable) as refused:
        verifier.verify(issuer.token())
    assert (refused.value.status, refused.value.retry_after) == (503, 5)
    with pytest.raises(KeysUnavailable):
        await verifier.verify_async(issuer.token())
    assert "ConnectError" in str(verifier.status().last_error)
    issuer.start(issuer.port)


async def test_given_keys_need_no_network() -> None:
    key = generate_private_key("Ed25519")
    document = {"keys": [key.public_jwk()]}
    from sealring_verify.jose.jws import encode_header, sign_compact

    claims = {
        "iss": "https://id.example.com",
        "sub": "u1",
        "aud": "orders",
        "exp": 1600,
        "iat": 1000,
        "jti": "j",
        "client_id": "c",
    }
    token = sign_compact(
        json.dumps(claims).encode(), key=key, header=encode_header(typ="at+jwt", alg="Ed25519", kid=key.kid)
    )
    for jwks in (document, json.dumps(document), json.dumps(document).encode()):
        verifier = Verifier("https://id.example.com", "orders", jwks=jwks, clock=lambda: 1000)
        assert await _both(verifier, token) == "u1"
        assert verifier.status().freshness == "fresh"
        assert await _both(verifier, token.replace(".", "x.", 1)) in {"token_malformed", "unknown_key"}
    narrow = Verifier("https://id.example.com", "orders", jwks=document, algorithms=["ES256"], clock=lambda: 1000)
    assert await _both(narrow, token) == "algorithm_not_allowed"


def test_status_tells_of_keys_and_of_no_secret(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", api_key="sla_secret", monotonic=lambda: now)
    assert (verifier.status().freshness, verifier.status().keys) == ("empty", ())
    verifier.verify(issuer.token())
    now += 20
    status = verifier.status()
    assert (status.freshness, status.keys, status.keys_age_seconds) == ("fresh", ("k1",), 20)
    assert (status.skipped_keys, status.last_error, status.remembered_tokens) == ((), None, 1)
    assert "secret" not in repr(status) + repr(verifier)


SECRET = write_symmetric_secret(b"the secret of the tests (32 oct)")
NEXT_SECRET = write_symmetric_secret(b"the next secret, with 32 octets.")


async def test_with_secrets_a_token_under_one_of_them_passes_and_nobody_is_asked_for_keys(
    issuer: "LocalIssuer",
) -> None:
    verifier = Verifier(issuer.url, "orders", symmetric_secrets=[SECRET, NEXT_SECRET])
    for secret in (SECRET, NEXT_SECRET):
        assert await _both(verifier, issuer.token(key=parse_symmetric_secret(secret))) == "u1"
    assert issuer.requests == []
    assert verifier.status().freshness == "fresh"
    assert SECRET[4:] not in repr(verifier.status()) + repr(verifier)


async def test_with_secrets_nothing_else_passes(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", symmetric_secrets=[SECRET])
    key, octets = parse_symmetric_secret(SECRET), base64url.decode(SECRET[4:].encode())
    assert await _both(verifier, issuer.token()) == "algorithm_not_allowed"
    assert await _both(verifier, issuer.token(key=parse_symmetric_secret(NEXT_SECRET))) == "unknown_key"
    assert await _both(verifier, issuer.token(key=make_secret_key(octets, kid="hs-other"))) == "unknown_key"
    assert await _both(verifier, issuer.token(key=make_secret_key(bytes(32), kid=key.kid))) == "bad_signature"
    assert await _both(verifier, issuer.token(key=key, typ="JWT")) == "wrong_type"
    assert await _both(verifier, issuer.token(key=key, aud="billing")) == "wrong_audience"
    header, payload, signature = issuer.token(key=key).split(".")
    for members, code in (
        ({"alg": "HS256", "typ": "at+jwt"}, "unknown_key"),
        ({"alg": "none", "typ": "at+jwt", "kid": key.kid}, "algorithm_not_allowed"),
        ({"alg": "HS512", "typ": "at+jwt", "kid": key.kid}, "algorithm_not_allowed"),
        ({"alg": "HS256", "typ": "at+JWT", "kid": key.kid}, "bad_signature"),
    ):
        made = base64url.encode(json.dumps(members).encode()).decode()
        assert await _both(verifier, f"{made}.{payload}.{signature}") == code
    assert await _both(verifier, f"{header}.{payload}.") == "bad_signature"


async def test_without_secrets_no_token_of_hs256_passes_whatever_it_is_keyed_with(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    public = json.dumps(issuer.key.public_jwk()).encode()
    for octets in (public, base64url.decode(SECRET[4:].encode()), bytes(32)):
        for kid in ("k1", parse_symmetric_secret(SECRET).kid):
            assert await _both(verifier, issuer.token(key=make_secret_key(octets, kid=kid))) == "algorithm_not_allowed"


async def test_with_secrets_introspection_is_asked_and_finds_its_address_without_fetching_keys(
    issuer: "LocalIssuer",
) -> None:
    token = issuer.token(key=parse_symmetric_secret(SECRET))
    options: dict[str, Any] = {"api_key": "sla_k", "symmetric_secrets": [SECRET], "introspect": True, "feed": "off"}
    assert await _both(Verifier(issuer.url, "orders", **options), token) == "u1"
    assert issuer.requests == [issuer.metadata_path, "/introspect"]
    issuer.active = False
    assert await _both(Verifier(issuer.url, "orders", **options), token) == "token_inactive"
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    assert await _both(Verifier(issuer.url, "orders", **options), token) == "introspection_unavailable"


async def test_introspection_refuses_an_ended_session_within_two_seconds(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True, monotonic=lambda: now)
    token = issuer.token()
    assert await _both(verifier, token) == "u1"
    assert len(issuer.introspections) == 1
    authorization, body = issuer.introspections[0]
    assert base64.b64decode(str(authorization).removeprefix("Basic ")) == b"orders:sla_k"
    assert body.startswith(b"token=" + token.encode())
    issuer.active = False
    now += 1.9
    assert await _both(verifier, token) == "u1"
    now += 0.1
    assert await _both(verifier, token) == "token_inactive"
    assert len(issuer.introspections) == 2


async def test_all_who_bring_one_token_at_once_share_one_question(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True, feed="off")
    token, going = issuer.token(), threading.Event()

    def held() -> tuple[int, dict[str, str], bytes]:
        going.wait(5)
        return 200, {}, b'{"active":true}'

    issuer.faults["/introspect"] = held
    waiting = [asyncio.create_task(verifier.verify_async(token)) for _ in range(8)]
    await asyncio.to_thread(issuer.until, lambda: "/introspect" in issuer.requests)
    going.set()
    assert [verified.sub for verified in await asyncio.gather(*waiting)] == ["u1"] * 8
    assert issuer.requests.count("/introspect") == 1


async def test_introspection_is_asked_only_about_tokens_that_pass(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True)
    for token in ("garbage", issuer.token(exp=1000), issuer.token(aud="billing")):
        await _both(verifier, token)
    assert issuer.introspections == []


async def test_introspection_without_an_answer_is_no_fault_of_the_token(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True)
    issuer.faults["/introspect"] = lambda: (500, {}, b"")
    assert await _both(verifier, issuer.token()) == "introspection_unavailable"
    issuer.faults["/introspect"] = lambda: (401, {}, b"")
    with pytest.raises(IntrospectionUnavailable, match="SEALRING_API_KEY"):
        verifier.verify(issuer.token())


async def test_an_issuer_without_introspection_is_unavailable_for_it(issuer: "LocalIssuer") -> None:
    del issuer.metadata["introspection_endpoint"]
    verifier = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True)
    assert await _both(verifier, issuer.token()) == "introspection_unavailable"


async def test_what_was_issued_before_a_moment_is_refused_even_when_remembered(issuer: "LocalIssuer") -> None:
    now = 1000.0
    verifier = Verifier(issuer.url, "orders", clock=lambda: now)
    old, other = issuer.token(iat=1000, exp=1600), issuer.token(iat=1000, exp=1600, sub="u2")
    assert await _both(verifier, old) == "u1"
    verifier.refuse_issued_before(1000.5, sub="u1")
    assert await _both(verifier, old) == "issued_before_cutoff"
    assert await _both(verifier, other) == "u2"
    assert await _both(verifier, issuer.token(iat=1001, exp=1600)) == "u1"
    verifier.refuse_issued_before(1000)
    assert await _both(verifier, other) == "issued_before_cutoff"
    with pytest.raises(ValueError, match="seconds since 1970"):
        verifier.refuse_issued_before(1_790_000_000_000, sub="u1")


def test_one_verifier_serves_many_threads(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    tokens = [issuer.token(jti=f"j{number}") for number in range(30)]
    bad = issuer.token(exp=1000)
    outcomes: list[str] = []

    def work() -> None:
        for token in [*tokens, bad]:
            try:
                outcomes.append(verifier.verify(token).sub)
            except InvalidToken as refusal:
                outcomes.append(refusal.code)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("u1") == 8 * 30
    assert outcomes.count("token_expired") == 8


def test_several_event_loops_share_one_verifier(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", api_key="k", introspect=True)
    for number in range(3):
        assert asyncio.run(verifier.verify_async(issuer.token(jti=str(number)))).sub == "u1"


def test_a_remembered_token_is_found_by_its_whole_digest(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders")
    token = issuer.token()
    verifier.verify(token)
    assert set(verifier._tokens._remembered._young) == {hashlib.sha256(token.encode()).digest()}


def test_the_default_clocks_are_the_systems(issuer: "LocalIssuer") -> None:
    verifier = Verifier(issuer.url, "orders", leeway=0)
    soon = int(time.time()) + 2
    token = issuer.token(exp=soon)
    assert verifier.verify(token)
    while time.time() < soon:
        time.sleep(0.02)
    with pytest.raises(InvalidToken, match="token_expired"):
        verifier.verify(token)


def test_the_import_brings_no_http_client_and_no_event_loop() -> None:
    check = "import sys, sealring_verify; sys.exit(bool({'httpx', 'asyncio', 'ssl'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
