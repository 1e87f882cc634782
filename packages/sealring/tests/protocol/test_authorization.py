import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization import (
    AskConsent,
    AuthorizationOutcome,
    CannotAsk,
    Grant,
    LogInFirst,
    Proof,
    decide_authorization,
    extend_consent,
    metadata_digest,
    remember_consent,
)
from sealring.protocol.authorization_request import AuthorizationRequest, ReturnAddress
from sealring.protocol.client import Client, ClientPages, CodeFlow
from sealring.protocol.consent import Consent
from sealring.protocol.instant import Instant
from sealring.protocol.requested_claims import RequestedClaims
from sealring.protocol.scope import Target
from sealring.protocol.sso_session import SsoSession

NOW = Instant(1_700_000_000_000)
APP = "https://app.example/cb"
ASKED = frozenset({"openid", "email"})
FLOW = CodeFlow(redirect_uris=(APP,))
CLIENT = Client(client_id="app", name="App", type="confidential", allowed={}, code_flow=FLOW, epoch=1, created_at=NOW)
REQUEST = AuthorizationRequest(
    client_id="app",
    address=ReturnAddress(redirect_uri=APP, response_mode="query", state=None),
    scope=ASKED,
    resources=frozenset({"iss"}),
    target=Target(audience="iss", scope=ASKED),
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
    sub="u1",
    subject_epoch=1,
    auth_time=Instant(NOW - 100_000),
    amr=("pwd",),
    created_at=NOW,
    last_used_at=NOW,
    idle_expires_at=NOW,
    absolute_expires_at=NOW,
)
CONSENT = Consent(
    sub="u1",
    client_id="app",
    redirect_uri=APP,
    scope=ASKED,
    resources=frozenset({"iss"}),
    metadata_digest=metadata_digest(CLIENT),
    granted_at=NOW,
)
PROOF = Proof(session=SESSION, known_as="u1", consent=CONSENT)
LOGIN_REQUIRED, CONSENT_REQUIRED = CannotAsk(code="login_required"), CannotAsk(code="consent_required")


def decide(
    request: dict[str, object] | None = None,
    client: dict[str, object] | None = None,
    flow: dict[str, object] | None = None,
    **proof: object,
) -> AuthorizationOutcome:
    changed = msgspec.structs.replace(CLIENT, code_flow=msgspec.structs.replace(FLOW, **(flow or {})), **(client or {}))
    return decide_authorization(
        msgspec.structs.replace(REQUEST, **(request or {})), changed, msgspec.structs.replace(PROOF, **proof), now=NOW
    )


def prompt(*words: str) -> dict[str, object]:
    return {"prompt": frozenset(words)}


def test_who_is_signed_in_and_has_allowed_it_is_asked_nothing() -> None:
    assert decide() == Grant(scope=ASKED)
    assert decide(prompt("none")) == Grant(scope=ASKED)


def test_nobody_signed_in_must_sign_in() -> None:
    assert decide(session=None, known_as=None) == LogInFirst()
    assert decide(prompt("none"), session=None, known_as=None) == LOGIN_REQUIRED


@pytest.mark.parametrize("word", ["login", "select_account"])
def test_a_log_in_that_is_demanded_must_have_been_made_for_this_request(word: str) -> None:
    assert decide(prompt(word)) == LogInFirst()
    assert decide(prompt(word), began_at=NOW) == LogInFirst()  # sent to sign in, and came back without
    assert decide(prompt(word), began_at=SESSION.auth_time) == Grant(scope=ASKED)
    assert decide(prompt(word, "consent"), began_at=SESSION.auth_time) == AskConsent()


def test_an_account_is_chosen_by_a_log_in_or_by_going_on_with_this_one() -> None:
    assert decide(prompt("select_account"), chosen=True) == Grant(scope=ASKED)
    assert decide(prompt("select_account", "login"), chosen=True) == LogInFirst()
    assert decide(prompt("select_account") | {"max_age": 1}, chosen=True) == LogInFirst()
    assert decide(prompt("select_account"), chosen=True, hinted="u2") == LogInFirst()


@pytest.mark.parametrize(
    ("max_age", "outcome"),
    [
        (0, LogInFirst()),
        (1, LogInFirst()),
        (99, LogInFirst()),
        (100, Grant(scope=ASKED)),
        (10_000, Grant(scope=ASKED)),
        (999_999_999, Grant(scope=ASKED)),
    ],
)
def test_a_log_in_is_as_old_as_max_age_at_most(max_age: int, outcome: AuthorizationOutcome) -> None:
    assert decide({"max_age": max_age}) == outcome
    assert decide(flow={"default_max_age": max_age}) == outcome
    assert decide({"max_age": 10_000}, flow={"default_max_age": max_age}) == Grant(scope=ASKED)
    assert decide({"max_age": max_age}, began_at=SESSION.auth_time) == Grant(scope=ASKED)


def test_a_scope_that_changes_the_account_needs_a_log_in_of_late() -> None:
    asked = {"scope": ASKED | {"sessions"}}
    allowed = {"consent": msgspec.structs.replace(CONSENT, scope=asked["scope"])}
    old = {"session": msgspec.structs.replace(SESSION, auth_time=Instant(NOW - 601_000)), **allowed}
    assert decide(asked, **allowed) == Grant(scope=asked["scope"])
    assert decide(asked, **old) == LogInFirst()
    assert decide({**asked, "max_age": 10_000}, **old) == LogInFirst()
    assert decide({**asked, "max_age": 99}, **allowed) == LogInFirst()
    assert decide({**asked, **prompt("none")}, **old) == LOGIN_REQUIRED
    assert decide(**old) == Grant(scope=ASKED)


def test_a_log_in_that_is_too_old_is_not_asked_for_in_silence() -> None:
    assert decide({"max_age": 1, **prompt("none")}) == LOGIN_REQUIRED
    assert decide({"max_age": 0, **prompt("none")}) == LOGIN_REQUIRED


def test_another_person_than_the_named_one_must_sign_in() -> None:
    for named in ({"hinted": "u2"}, {"hinted": "u1", "known_as": "pairwise"}):
        assert decide(**named) == LogInFirst()
        assert decide(prompt("none"), **named) == LOGIN_REQUIRED
    assert decide({"claims": RequestedClaims(sub="u2")}) == LogInFirst()
    assert decide({"claims": RequestedClaims(sub="u2")}, hinted="u1") == LogInFirst()
    assert decide(hinted="u1") == Grant(scope=ASKED)


def test_whoever_signs_in_as_another_person_is_not_sent_round_for_ever() -> None:
    assert decide(hinted="u2", began_at=SESSION.auth_time) == LOGIN_REQUIRED


def test_what_was_not_allowed_is_asked() -> None:
    for consent in (
        None,
        msgspec.structs.replace(CONSENT, scope=frozenset({"openid"})),
        msgspec.structs.replace(CONSENT, scope=frozenset()),
        msgspec.structs.replace(CONSENT, resources=frozenset()),
        msgspec.structs.replace(CONSENT, metadata_digest=bytes(32)),
    ):
        assert decide(consent=consent) == AskConsent()
        assert decide(prompt("none"), consent=consent) == CONSENT_REQUIRED
        assert decide(consent=consent, allowed=True) == Grant(scope=ASKED)
        assert decide(consent=consent, client={"first_party": True}) == Grant(scope=ASKED)
        assert decide(consent=consent, flow={"consent": "skip"}) == Grant(scope=ASKED)


def test_a_client_with_another_face_is_asked_about_again() -> None:
    assert decide(client={"name": "Your bank"}) == AskConsent()
    assert decide(client={"pages": ClientPages(policy_uri="https://evil.example/")}) == AskConsent()


def test_consent_that_is_demanded_is_asked_though_it_was_given() -> None:
    assert decide(prompt("consent")) == AskConsent()
    assert decide(prompt("consent"), allowed=True) == Grant(scope=ASKED)


def test_offline_access_alone_does_not_refuse_a_silent_request() -> None:
    asked = {"scope": ASKED | {"offline_access"}}
    assert decide(asked) == AskConsent()
    assert decide(asked, allowed=True) == Grant(scope=asked["scope"])
    assert decide({**asked, **prompt("none")}) == Grant(scope=ASKED)
    assert decide({**asked, **prompt("none")}, consent=None) == CONSENT_REQUIRED
    alone = {"scope": frozenset({"offline_access"}), **prompt("none")}
    assert decide(alone, consent=msgspec.structs.replace(CONSENT, scope=frozenset())) == CONSENT_REQUIRED


WORDS = st.frozensets(st.sampled_from(["login", "consent", "select_account"])) | st.just(frozenset({"none"}))
SCOPES = st.frozensets(st.sampled_from(["openid", "email", "offline_access", "orders:read"]), min_size=1)
PROOFS = st.builds(
    Proof,
    session=st.none() | st.integers(0, 200_000).map(lambda age: msgspec.structs.replace(SESSION, auth_time=NOW - age)),
    known_as=st.sampled_from([None, "u1"]),
    hinted=st.sampled_from([None, "u1", "u2"]),
    consent=st.none() | SCOPES.map(lambda scope: msgspec.structs.replace(CONSENT, scope=scope)),
    began_at=st.none() | st.integers(0, 200_000).map(lambda age: NOW - age),
    allowed=st.booleans(),
    chosen=st.booleans(),
)


@given(words=WORDS, scope=SCOPES, max_age=st.none() | st.integers(0, 300), proof=PROOFS, skip=st.booleans())
def test_nothing_is_granted_without_its_proof_and_nobody_asked_against_the_clients_word(
    *, words: frozenset[str], scope: frozenset[str], max_age: int | None, proof: Proof, skip: bool
) -> None:
    request = msgspec.structs.replace(REQUEST, prompt=words, scope=scope, max_age=max_age)
    client = msgspec.structs.replace(CLIENT, first_party=skip)
    outcome = decide_authorization(request, client, proof, now=NOW)
    if "none" in words:
        assert isinstance(outcome, Grant | CannotAsk)
    if isinstance(outcome, AskConsent | Grant):
        assert proof.session is not None
        assert proof.hinted in {None, proof.known_as}
        fresh = proof.began_at is not None and proof.session.auth_time >= proof.began_at
        assert fresh or "login" not in words
        assert fresh or proof.chosen or "select_account" not in words
        assert fresh or max_age is None or NOW - proof.session.auth_time <= max_age * 1000
    if isinstance(outcome, Grant):
        assert outcome.scope <= scope
        assert outcome.scope
        remembered = proof.consent is not None and outcome.scope <= proof.consent.scope and "consent" not in words
        assert proof.allowed or skip or remembered


@given(words=WORDS, scope=SCOPES, max_age=st.none() | st.integers(0, 300), known=st.booleans())
def test_one_log_in_and_one_consent_are_always_enough(
    *, words: frozenset[str], scope: frozenset[str], max_age: int | None, known: bool
) -> None:
    request = msgspec.structs.replace(REQUEST, prompt=words - {"none"}, scope=scope, max_age=max_age)
    session = msgspec.structs.replace(SESSION, auth_time=NOW)
    proof = Proof(session=session, known_as="u1", hinted="u1" if known else None, began_at=NOW, allowed=True)
    assert decide_authorization(request, CLIENT, proof, now=Instant(NOW + 500_000)) == Grant(scope=scope)


def remember(before: Consent | None, redirect_uri: str = APP, **client: object) -> Consent:
    address = msgspec.structs.replace(REQUEST.address, redirect_uri=redirect_uri)
    request = msgspec.structs.replace(REQUEST, address=address)
    return remember_consent(request, msgspec.structs.replace(CLIENT, **client), before, sub="u1", now=NOW)


def test_what_is_allowed_is_remembered_beside_what_was_allowed_before() -> None:
    assert remember(None) == CONSENT
    before = msgspec.structs.replace(CONSENT, scope=frozenset({"phone"}))
    assert remember(before).scope == ASKED | {"phone"}


def test_scopes_of_one_api_are_not_allowed_for_another() -> None:
    before = msgspec.structs.replace(CONSENT, scope=frozenset({"read"}), resources=frozenset({"other"}))
    after = remember(before)
    assert (after.scope, after.resources) == (ASKED, REQUEST.resources)


def test_what_was_allowed_to_another_face_is_forgotten() -> None:
    before = msgspec.structs.replace(CONSENT, scope=frozenset({"phone"}), metadata_digest=bytes(32))
    assert remember(before).scope == ASKED


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:9/cb", "http://[::1]/cb", "http://localhost:9/cb", "com.example.a:/"]
)
def test_no_consent_of_a_public_client_on_a_persons_machine_is_remembered(uri: str) -> None:
    assert remember(None, uri, type="public").scope == frozenset()
    assert remember(remember(None, uri, type="public"), uri, type="public").scope == frozenset()
    assert remember(None, uri).scope == ASKED
    assert remember(None, type="public").scope == ASKED


def silent(client: Client, uri: str = APP, **live: frozenset[str]) -> AuthorizationOutcome:
    first = remember_consent(
        msgspec.structs.replace(REQUEST, address=ReturnAddress(redirect_uri=uri, response_mode="query", state=None)),
        client,
        None,
        sub="u1",
        now=NOW,
    )
    proof = Proof(session=SESSION, consent=extend_consent(first, client, **live))
    return decide_authorization(msgspec.structs.replace(REQUEST, prompt=frozenset({"none"})), client, proof, now=NOW)


def test_a_silent_request_of_a_client_that_registered_itself_has_what_its_live_session_has_and_no_more() -> None:
    stranger = msgspec.structs.replace(CLIENT, self_registered=True)
    has = frozenset({"iss"})
    assert silent(stranger, scope=ASKED, resources=has) == Grant(scope=ASKED)
    for scope, resources in ((frozenset({"openid"}), has), (ASKED, frozenset({"other"})), (frozenset(), frozenset())):
        assert silent(stranger, scope=scope, resources=resources) == CannotAsk(code="consent_required")
    # Of the operator's own clients nothing but the consent itself counts.
    assert extend_consent(CONSENT, CLIENT, scope=frozenset({"more"}), resources=has) == CONSENT


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9/cb", "http://localhost:9/cb", "com.example.a:/"])
def test_no_silent_request_is_granted_to_what_any_program_on_the_machine_could_pass_for(uri: str) -> None:
    anybody = msgspec.structs.replace(CLIENT, self_registered=True, type="public")
    outcome = silent(anybody, uri, scope=ASKED, resources=frozenset({"iss"}))
    assert outcome == CannotAsk(code="consent_required")


def test_a_client_that_registered_itself_is_remembered_from_the_second_consent_on() -> None:
    first = remember(None, self_registered=True)
    assert first.scope == frozenset()
    assert remember(first, self_registered=True).scope == ASKED
    # Under another face it is the first time again.
    assert remember(first, self_registered=True, name="Your bank").scope == frozenset()
