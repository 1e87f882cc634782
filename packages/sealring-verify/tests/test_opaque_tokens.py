import asyncio
import json
import os
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from sealring_verify import (
    InsufficientScope,
    IntrospectionUnavailable,
    InvalidToken,
    TokenRefused,
    Verifier,
)
from sealring_verify.opaque_tokens import OpaqueTokens

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer

TOKEN = "slo_" + "A" * 80
OTHER = "slo_" + "B" * 80


def answering(issuer: "LocalIssuer", **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - claims are any JSON
    """Make the issuer answer with an active token; the answer that is returned can be changed later."""
    answer = {**issuer.claims(sub_epoch=3, client_epoch=1), "active": True, "token_type": "Bearer", **changes}
    answer = {name: value for name, value in answer.items() if value is not ...}
    issuer.faults["/introspect"] = lambda: (200, {}, json.dumps(answer).encode())
    return answer


def opaque(issuer: "LocalIssuer", **options: Any) -> Verifier:  # noqa: ANN401 - passed on as they come
    return Verifier(issuer.url, "orders", api_key="sla_k", opaque=True, **{"feed": "off", **options})


async def outcome(verifier: Verifier, token: str, *, awaits: bool) -> str:
    try:
        return (await verifier.verify_async(token) if awaits else await asyncio.to_thread(verifier.verify, token)).sub
    except TokenRefused as refusal:
        return refusal.code


def questions(issuer: "LocalIssuer") -> int:
    return issuer.requests.count("/introspect")


@pytest.mark.parametrize("awaits", [False, True])
async def test_the_issuers_answer_is_the_token(issuer: "LocalIssuer", *, awaits: bool) -> None:
    answering(issuer, roles=["boss"], amr=["pwd"], plan={"tier": "gold"})
    verifier = opaque(issuer)
    token = await verifier.verify_async(TOKEN) if awaits else verifier.verify(TOKEN)
    assert (token.sub, token.aud, token.roles, token.sub_epoch) == ("u1", ("orders",), ("boss",), 3)
    assert token.claims["plan"] == {"tier": "gold"}
    assert {"active", "token_type"}.isdisjoint(token.claims)
    with pytest.raises(InsufficientScope):
        verifier.verify(TOKEN, scopes=["orders:delete"])
    assert issuer.requests == [issuer.metadata_path, "/introspect"]
    assert (verifier.status().introspects, verifier.status().remembered_tokens) == (True, 1)


@pytest.mark.parametrize("awaits", [False, True])
async def test_an_answer_counts_for_ten_seconds(issuer: "LocalIssuer", *, awaits: bool) -> None:
    now = 1000.0
    verifier = opaque(issuer, monotonic=lambda: now)
    answer = answering(issuer)
    assert await outcome(verifier, TOKEN, awaits=awaits) == "u1"
    answer["active"] = False
    now += 9.9
    assert await outcome(verifier, TOKEN, awaits=awaits) == "u1"
    assert questions(issuer) == 1
    now += 0.1
    assert await outcome(verifier, TOKEN, awaits=awaits) == "token_inactive"
    answer["active"] = True
    now += 1.9
    assert await outcome(verifier, TOKEN, awaits=awaits) == "token_inactive"
    assert questions(issuer) == 2
    now += 0.1
    assert await outcome(verifier, TOKEN, awaits=awaits) == "u1"


async def test_no_answer_counts_beyond_the_tokens_own_end(issuer: "LocalIssuer") -> None:
    monotonic, wall = 1000.0, 5000.0
    verifier = opaque(issuer, monotonic=lambda: monotonic, clock=lambda: wall)
    answer = answering(issuer, iat=4000, exp=5004)
    assert await outcome(verifier, TOKEN, awaits=True) == "u1"
    answer["active"] = False
    monotonic, wall = monotonic + 4, wall + 4
    assert await outcome(verifier, TOKEN, awaits=True) == "token_inactive"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "slo_",
        "slo_" + "A" * 61,
        "slo_" + "A" * 70 + "=",
        "slr_" + "A" * 80,
        "slo_é" + "A" * 80,
        "\ud800",
    ],
)
async def test_what_is_no_opaque_token_is_never_sent_to_the_issuer(issuer: "LocalIssuer", text: str) -> None:
    answering(issuer)
    verifier = opaque(issuer)
    for awaits in (False, True):
        assert await outcome(verifier, text, awaits=awaits) == "token_malformed"
    assert await outcome(verifier, "slo_" + "A" * 16_384, awaits=True) == "token_too_large"
    assert questions(issuer) == 0


async def test_a_verifier_takes_one_of_both_formats(issuer: "LocalIssuer") -> None:
    answering(issuer)
    assert await outcome(opaque(issuer), issuer.token(), awaits=True) == "token_malformed"
    assert await outcome(Verifier(issuer.url, "orders"), TOKEN, awaits=True) == "token_malformed"
    introspecting = Verifier(issuer.url, "orders", api_key="sla_k", introspect=True, feed="off")
    assert await outcome(introspecting, TOKEN, awaits=True) == "token_malformed"
    assert questions(issuer) == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"active": False}, "token_inactive"),
        ({"aud": "bills"}, "wrong_audience"),
        ({"iss": "https://elsewhere.example"}, "wrong_issuer"),
        ({"exp": 1000}, "token_expired"),
        ({"iat": 9_999_999_999}, "token_not_yet_valid"),
        ({"cnf": {"jkt": "x"}}, "proof_of_possession_required"),
        ({"sub": ...}, "introspection_unavailable"),
        ({"jti": 7}, "introspection_unavailable"),
        ({"active": "true"}, "introspection_unavailable"),
        ({"active": ...}, "introspection_unavailable"),
    ],
)
async def test_any_other_answer_is_refused(issuer: "LocalIssuer", changes: dict[str, Any], code: str) -> None:
    answering(issuer, **changes)
    assert await outcome(opaque(issuer), TOKEN, awaits=True) == code
    assert await outcome(opaque(issuer), TOKEN, awaits=False) == code


async def test_an_issuer_without_an_answer_is_no_fault_of_the_token(issuer: "LocalIssuer") -> None:
    issuer.faults["/introspect"] = lambda: (500, {}, b"")
    assert await outcome(opaque(issuer), TOKEN, awaits=True) == "introspection_unavailable"
    issuer.faults["/introspect"] = lambda: (401, {}, b"")
    with pytest.raises(IntrospectionUnavailable, match="SEALRING_API_KEY"):
        opaque(issuer).verify(TOKEN)
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    assert await outcome(opaque(issuer), TOKEN, awaits=True) == "introspection_unavailable"
    del issuer.faults[issuer.metadata_path]
    del issuer.metadata["introspection_endpoint"]
    assert await outcome(opaque(issuer), TOKEN, awaits=True) == "introspection_unavailable"


async def test_all_who_wait_for_one_token_share_one_question(issuer: "LocalIssuer") -> None:
    verifier = opaque(issuer)
    answering(issuer)
    assert await outcome(verifier, OTHER, awaits=True) == "u1"
    reply = issuer.faults["/introspect"]

    def slowly() -> tuple[int, dict[str, str], bytes]:
        time.sleep(0.3)
        return reply()

    issuer.faults["/introspect"] = slowly
    gone = asyncio.create_task(verifier.verify_async(TOKEN))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(outcome(verifier, TOKEN, awaits=number % 2 == 0)) for number in range(8)]
    await asyncio.sleep(0.05)
    gone.cancel()  # whoever asked first goes away, and the others get the answer all the same
    assert await asyncio.gather(*waiting) == ["u1"] * 8
    assert questions(issuer) == 2


async def test_inventions_are_remembered_apart_and_drive_out_no_true_token(
    issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealring_verify.issuer_answers._MAX_REFUSALS", 5)
    verifier = opaque(issuer)
    answer = answering(issuer)
    assert await outcome(verifier, TOKEN, awaits=True) == "u1"
    answer["active"] = False
    for number in range(12):
        assert await outcome(verifier, f"slo_{number:080}", awaits=True) == "token_inactive"
    assert isinstance(verifier._tokens, OpaqueTokens)
    assert len(verifier._tokens._answers._refusals) <= 5
    assert await outcome(verifier, TOKEN, awaits=True) == "u1"


async def test_questions_beyond_the_bound_are_refused_at_once(
    issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealring_verify.issuer_answers._MAX_FLIGHTS", 1)
    verifier = opaque(issuer)
    answering(issuer)
    reply, going = issuer.faults["/introspect"], threading.Event()

    def held() -> tuple[int, dict[str, str], bytes]:
        going.wait(5)
        return reply()

    issuer.faults["/introspect"] = held
    first = asyncio.create_task(outcome(verifier, TOKEN, awaits=True))
    await asyncio.to_thread(issuer.until, lambda: questions(issuer) == 1)
    with pytest.raises(IntrospectionUnavailable, match="Too many"):
        await verifier.verify_async(OTHER)
    going.set()
    assert await first == "u1"


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (("sid", "s0", None), "session_ended"),
        (("jti", "j1", None), "token_revoked"),
        (("sub", "u1", 4), "session_ended"),
        (("client", "web", 2), "client_revoked"),
    ],
)
def test_what_the_feed_ends_is_refused_although_the_answer_still_counts(
    issuer: "LocalIssuer", feed: "LocalFeed", end: tuple[str, str, int | None], code: str
) -> None:
    answering(issuer)
    verifier = opaque(issuer, feed="stream")
    assert verifier.verify(TOKEN).sub == "u1"
    kind, value, epoch = end
    feed.end(kind, value, epoch=epoch)
    issuer.until(lambda: issuer.outcome(verifier, TOKEN) != "u1")
    assert issuer.outcome(verifier, TOKEN) == code
    assert questions(issuer) == 1


def test_a_child_process_asks_by_itself(issuer: "LocalIssuer") -> None:
    answering(issuer)
    verifier = opaque(issuer)
    assert verifier.verify(TOKEN).sub == "u1"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, verifier.verify(OTHER).sub.encode())
        os._exit(0)
    os.close(writer)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 10) == b"u1"
    os.close(reader)


@pytest.mark.parametrize(
    "options",
    [
        {"api_key": None},
        {"introspect": True},
        {"algorithms": ["ES256"]},
        {"jwks": {"keys": []}},
        {"symmetric_secrets": ["slh_x"]},
    ],
)
def test_options_of_signed_tokens_are_refused_beside_opaque_ones(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="opaque=True"):
        Verifier("https://i.example", "orders", **{"api_key": "sla_k", "opaque": True, **options})


def test_the_format_can_come_from_the_environment(issuer: "LocalIssuer", monkeypatch: pytest.MonkeyPatch) -> None:
    answering(issuer)
    for name, value in {"ISSUER": issuer.url, "AUDIENCE": "orders", "API_KEY": "sla_k"}.items():
        monkeypatch.setenv(f"SEALRING_{name}", value)
    with pytest.raises(InvalidToken):
        Verifier.from_environment().verify(TOKEN)
    monkeypatch.setenv("SEALRING_ACCESS_TOKEN_FORMAT", "opaque")
    assert Verifier.from_environment().verify(TOKEN).sub == "u1"
    monkeypatch.setenv("SEALRING_ACCESS_TOKEN_FORMAT", "oapque")
    with pytest.raises(ValueError, match="SEALRING_ACCESS_TOKEN_FORMAT"):
        Verifier.from_environment()
