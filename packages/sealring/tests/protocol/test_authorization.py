from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization import (
    AskConsent,
    CannotAsk,
    Grant,
    LogInFirst,
    Proof,
    decide_authorization,
    may_be_remembered,
    metadata_digest,
)
from sealring.protocol.authorization_request import AuthorizationRequest, ReturnAddress
from sealring.protocol.client import Client, ClientPages, CodeFlow
from sealring.protocol.consent import Consent
from sealring.protocol.requested_claims import RequestedClaims
from sealring.protocol.scope import Target
from sealring.protocol.sso_session import SsoSession

NOW = 1_000_000
CALLBACK = "https://app.example/callback"
FLOW = CodeFlow(redirect_uris=(CALLBACK,))
CLIENT = Client(client_id="app", name="App", type="confidential", allowed={}, code_flow=FLOW, epoch=1, created_at=0)
REQUEST = AuthorizationRequest(
    client_id="app",
    address=ReturnAddress(redirect_uri=CALLBACK, response_mode="query", state=None),
    scope=frozenset({"openid", "email"}),
    resources=frozenset({"https://auth.example"}),
    target=Target(audience="https://auth.example", scope=frozenset({"openid", "email"})),
    nonce=None,
    code_challenge=None,
    prompt=frozenset(),
    max_age=None,
    login_hint=None,
    id_token_hint=None,
    acr_values=(),
    requested_claims=None,
    claims=RequestedClaims(),
)
SESSION = SsoSession(
    id="sso",
    sub="ada",
    subject_epoch=1,
    auth_time=NOW - 60_000,
    amr=("pwd",),
    created_at=0,
    last_used_at=0,
    idle_expires_at=10**9,
    absolute_expires_at=10**9,
)
CONSENT = Consent(
    sub="ada",
    client_id="app",
    redirect_uri=CALLBACK,
    scope=frozenset({"openid", "email", "phone"}),
    resources=frozenset({"https://auth.example"}),
    metadata_digest=metadata_digest(CLIENT),
    granted_at=0,
)
PROOF = Proof(session=SESSION, known_as="ada", consent=CONSENT)


def decide(
    request: dict[str, Any] | None = None, proof: dict[str, Any] | None = None, client: Client = CLIENT
) -> object:
    return decide_authorization(
        msgspec.structs.replace(REQUEST, **(request or {})),
        client,
        msgspec.structs.replace(PROOF, **(proof or {})),
        now=NOW,
    )


NONE = frozenset({"none"})


def test_whoever_is_signed_in_and_has_allowed_it_is_not_asked() -> None:
    assert decide() == Grant()
    assert decide({"prompt": NONE}) == Grant()


def test_nobody_signed_in() -> None:
    assert decide(proof={"session": None}) == LogInFirst()
    assert decide({"prompt": NONE}, {"session": None}) == CannotAsk(code="login_required")


@pytest.mark.parametrize("word", ["login", "select_account"])
def test_a_log_in_that_was_asked_for_is_made_once_for_this_request(word: str) -> None:
    prompt = {"prompt": frozenset({word})}
    assert decide(prompt) == LogInFirst()
    assert decide(prompt, {"began_at": SESSION.auth_time + 1}) == LogInFirst()
    assert decide(prompt, {"began_at": SESSION.auth_time}) == Grant()


def test_max_age_counts_whole_seconds_since_the_log_in() -> None:
    assert decide({"max_age": 60}) == Grant()
    assert decide({"max_age": 59}) == LogInFirst()
    assert decide({"max_age": 59, "prompt": NONE}) == CannotAsk(code="login_required")
    assert decide({"max_age": 0}, {"began_at": SESSION.auth_time}) == Grant()


def test_a_client_may_have_a_max_age_of_its_own() -> None:
    strict = msgspec.structs.replace(CLIENT, code_flow=msgspec.structs.replace(FLOW, default_max_age=10))
    assert decide(client=strict) == LogInFirst()
    assert decide({"max_age": 60}, client=strict) == Grant()


def test_another_person_than_the_one_who_is_wanted_must_sign_in() -> None:
    assert decide(proof={"hinted": "ada"}) == Grant()
    assert decide(proof={"hinted": "bob"}) == LogInFirst()
    assert decide({"prompt": NONE}, {"hinted": "bob"}) == CannotAsk(code="login_required")
    assert decide({"claims": RequestedClaims(sub="bob")}) == LogInFirst()
    # Not even a fresh log-in makes one the other.
    assert decide(proof={"hinted": "bob", "began_at": 0}) == LogInFirst()


@pytest.mark.parametrize(
    "consent",
    [
        None,
        msgspec.structs.replace(CONSENT, scope=frozenset({"openid"})),
        msgspec.structs.replace(CONSENT, resources=frozenset()),
        msgspec.structs.replace(CONSENT, metadata_digest=b"x" * 32),
    ],
)
def test_what_was_not_allowed_is_asked(consent: Consent | None) -> None:
    assert decide(proof={"consent": consent}) == AskConsent()
    assert decide({"prompt": NONE}, {"consent": consent}) == CannotAsk(code="consent_required")
    assert decide(proof={"consent": consent, "allowed": True}) == Grant()


def test_a_client_may_want_the_person_asked_again() -> None:
    assert decide({"prompt": frozenset({"consent"})}) == AskConsent()
    assert decide({"prompt": frozenset({"consent"})}, {"allowed": True}) == Grant()


def test_nobody_is_asked_where_the_operator_vouches_for_the_client() -> None:
    house = msgspec.structs.replace(CLIENT, first_party=True)
    skipped = msgspec.structs.replace(CLIENT, code_flow=msgspec.structs.replace(FLOW, consent="skip"))
    assert decide(proof={"consent": None}, client=house) == Grant()
    assert decide(proof={"consent": None}, client=skipped) == Grant()


def test_a_client_that_shows_another_face_is_another_question() -> None:
    renamed = msgspec.structs.replace(CLIENT, name="Your Bank")
    assert decide(client=renamed) == AskConsent()
    other = msgspec.structs.replace(CLIENT, pages=ClientPages(tos_uri="https://app.example/tos"))
    assert decide(client=other) == AskConsent()


@pytest.mark.parametrize(
    ("kind", "uri", "remembered"),
    [
        ("public", CALLBACK, True),
        ("public", "http://127.0.0.1/cb", False),
        ("public", "com.example.app:/cb", False),
        ("confidential", "http://127.0.0.1/cb", True),
        ("confidential", CALLBACK, True),
    ],
)
def test_where_any_program_can_pass_for_a_client_nothing_is_remembered(
    kind: str, uri: str, *, remembered: bool
) -> None:
    client = msgspec.structs.replace(CLIENT, type=kind)
    assert may_be_remembered(client, redirect_uri=uri) is remembered


@given(
    prompt=st.sampled_from([(), ("none",), ("login",), ("consent",), ("login", "consent"), ("select_account",)]),
    max_age=st.none() | st.integers(0, 120),
    signed_in=st.booleans(),
    consent=st.booleans(),
    allowed=st.booleans(),
    began_at=st.none() | st.integers(NOW - 120_000, NOW),
)
def test_nothing_is_granted_to_nobody_and_prompt_none_never_asks(
    prompt: tuple[str, ...],
    max_age: int | None,
    *,
    signed_in: bool,
    consent: bool,
    allowed: bool,
    began_at: int | None,
) -> None:
    proof = {
        "session": SESSION if signed_in else None,
        "consent": CONSENT if consent else None,
        "allowed": allowed,
        "began_at": began_at,
    }
    outcome = decide({"prompt": frozenset(prompt), "max_age": max_age}, proof)
    if outcome == Grant():
        assert signed_in
        assert consent or allowed
    if "none" in prompt:
        assert isinstance(outcome, Grant | CannotAsk)
    else:
        assert not isinstance(outcome, CannotAsk)
