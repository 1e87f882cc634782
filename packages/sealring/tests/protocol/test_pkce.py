import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.pkce import code_challenge_of, code_verifier_holds, is_code_challenge

# RFC 7636 appendix B
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
UNRESERVED = st.text(alphabet="ABCXYZabcxyz019._~-", min_size=43, max_size=128)


def test_the_example_of_the_rfc_holds() -> None:
    assert code_challenge_of(VERIFIER) == CHALLENGE
    assert code_verifier_holds(VERIFIER, code_challenge=CHALLENGE)


@pytest.mark.parametrize(
    ("verifier", "challenge"),
    [
        (None, CHALLENGE),
        (VERIFIER, None),
        (VERIFIER + "x", CHALLENGE),
        (VERIFIER[:-1], CHALLENGE),
        (CHALLENGE, CHALLENGE),
        ("", CHALLENGE),
        (VERIFIER.lower(), CHALLENGE),
        (VERIFIER + "\n", CHALLENGE),
        ("é" * 43, CHALLENGE),
    ],
)
def test_anything_else_does_not(verifier: str | None, challenge: str | None) -> None:
    assert not code_verifier_holds(verifier, code_challenge=challenge)


def test_neither_needs_the_other() -> None:
    assert code_verifier_holds(None, code_challenge=None)


@given(verifier=UNRESERVED, other=UNRESERVED)
def test_a_challenge_is_met_by_its_own_verifier_alone(verifier: str, other: str) -> None:
    challenge = code_challenge_of(verifier)
    assert is_code_challenge(challenge)
    assert code_verifier_holds(verifier, code_challenge=challenge)
    assert code_verifier_holds(other, code_challenge=challenge) == (other == verifier)


@pytest.mark.parametrize("text", ["", VERIFIER[:-1], CHALLENGE + "=", CHALLENGE + "A", "é" * 43, CHALLENGE[:-1] + "+"])
def test_what_is_no_digest_is_no_challenge(text: str) -> None:
    assert not is_code_challenge(text)
