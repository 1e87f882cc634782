import msgspec

from sealring.protocol.errors import refuse
from sealring.protocol.secret import Secret
from sealring.protocol.session import MfaRequired
from sealring.web.exchange import mfa_answer, no_content, refusal_answer


def test_a_second_factor_is_asked_for_with_a_step_and_no_tokens() -> None:
    step = MfaRequired(
        error="mfa_required", code="mfa_required", step_token=Secret("slm"), factors=("totp",), expires_in=300
    )
    answer = mfa_answer(step)
    assert answer.status == 403
    assert msgspec.json.decode(answer.body) == {
        "error": "mfa_required",
        "error_description": "A second factor is needed to finish signing in.",
        "code": "mfa_required",
        "step_token": "slm",
        "factors": ["totp"],
        "expires_in": 300,
    }


def test_a_missing_token_gets_a_bare_challenge() -> None:
    assert (b"www-authenticate", b"Bearer") in refusal_answer(refuse("token_missing")).headers


def test_a_refused_token_is_told_why() -> None:
    headers = dict(refusal_answer(refuse("session_ended")).headers)
    assert headers[b"www-authenticate"].startswith(b'Bearer error="invalid_token"')


def test_a_refused_client_is_asked_for_basic_credentials() -> None:
    headers = dict(refusal_answer(refuse("client_authentication_failed")).headers)
    assert headers[b"www-authenticate"] == b'Basic realm="sealring"'


def test_waiting_time_and_error_id_reach_the_client() -> None:
    answer = refusal_answer(refuse("sign_in_busy", retry_after=7, error_id="abc"))
    assert dict(answer.headers)[b"retry-after"] == b"7"
    assert msgspec.json.decode(answer.body)["error_id"] == "abc"


def test_nothing_to_say_is_204_that_nobody_keeps() -> None:
    answer = no_content()
    assert (answer.status, answer.body) == (204, b"")
    assert dict(answer.headers)[b"cache-control"] == b"no-store"
