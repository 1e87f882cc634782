import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.authorization_code import (
    AuthorizationCode,
    CodeRefused,
    CodeReplayed,
    PresentedCode,
    RedeemCode,
    decide_code,
)

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CALLBACK = "https://shop.example/callback"
CODE = AuthorizationCode(
    digest=b"d" * 32,
    client_id="shop",
    redirect_uri=CALLBACK,
    code_challenge="E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    sub="ada",
    subject_epoch=1,
    client_epoch=1,
    sso_id="sso",
    scope=frozenset({"openid"}),
    resource="https://auth.example",
    nonce=None,
    requested_claims=None,
    auth_time=0,
    amr=("pwd",),
    acr=None,
    created_at=0,
    expires_at=60_000,
)
FRESH = PresentedCode(code=CODE, spent_at=None, sid=None, stands=True)
SPENT = PresentedCode(code=CODE, spent_at=1000, sid="sid-1", stands=True)
GOOD = {"client_id": "shop", "redirect_uri": CALLBACK, "code_verifier": VERIFIER, "now": 2000}


def decide(presented: PresentedCode = FRESH, **changes: object) -> object:
    return decide_code(presented, **{**GOOD, **changes})  # type: ignore[arg-type] -- members by name


def test_a_code_is_redeemed_by_whom_it_was_given_to() -> None:
    assert decide() == RedeemCode()


def test_a_challenge_stands_in_for_the_redirect_uri() -> None:
    assert decide(redirect_uri=None) == RedeemCode()


def test_without_a_challenge_the_redirect_uri_must_be_there_and_a_verifier_must_not() -> None:
    plain = msgspec.structs.replace(FRESH, code=msgspec.structs.replace(CODE, code_challenge=None))
    assert decide(plain, code_verifier=None) == RedeemCode()
    assert decide(plain, code_verifier=None, redirect_uri=None) == CodeRefused(code="code_wrong_redirect_uri")
    assert decide(plain) == CodeRefused(code="code_wrong_verifier")


WRONG = [
    ({"client_id": "other"}, "code_wrong_client"),
    ({"redirect_uri": CALLBACK + "/"}, "code_wrong_redirect_uri"),
    ({"redirect_uri": ""}, "code_wrong_redirect_uri"),
    ({"code_verifier": None}, "code_wrong_verifier"),
    ({"code_verifier": VERIFIER[:-1] + "l"}, "code_wrong_verifier"),
]


@pytest.mark.parametrize(("changes", "code"), WRONG)
def test_a_code_in_other_hands_is_refused_and_ends_nothing(changes: dict[str, object], code: str) -> None:
    assert decide(**changes) == CodeRefused(code=code)
    assert decide(SPENT, **changes) == CodeRefused(code=code)


def test_a_spent_code_ends_what_it_became_however_late() -> None:
    assert decide(SPENT) == CodeReplayed(sid="sid-1")
    assert decide(SPENT, now=10**9) == CodeReplayed(sid="sid-1")


def test_a_code_is_over_from_its_expiry_on() -> None:
    assert decide(now=59_999) == RedeemCode()
    assert decide(now=60_000) == CodeRefused(code="code_expired")


def test_a_code_whose_log_in_has_ended_is_refused() -> None:
    ended = msgspec.structs.replace(FRESH, stands=False)
    assert decide(ended) == CodeRefused(code="code_ended")


@given(
    client_id=st.sampled_from(["shop", "other"]),
    redirect_uri=st.sampled_from([CALLBACK, None, "https://evil.example"]),
    code_verifier=st.sampled_from([VERIFIER, None, "x" * 43]),
    now=st.integers(0, 120_000),
    spent=st.booleans(),
    stands=st.booleans(),
)
def test_a_code_opens_a_session_only_if_all_of_it_holds(
    client_id: str, redirect_uri: str | None, code_verifier: str | None, now: int, *, spent: bool, stands: bool
) -> None:
    presented = PresentedCode(code=CODE, spent_at=1 if spent else None, sid="s" if spent else None, stands=stands)
    bound = client_id == "shop" and redirect_uri in {CALLBACK, None} and code_verifier == VERIFIER
    outcome = decide(presented, client_id=client_id, redirect_uri=redirect_uri, code_verifier=code_verifier, now=now)
    assert (outcome == RedeemCode()) == (bound and not spent and stands and now < 60_000)
    assert isinstance(outcome, CodeReplayed) == (bound and spent)
