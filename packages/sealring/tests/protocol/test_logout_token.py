import json

from sealring.protocol.logout_token import LOGOUT_EVENT, logout_token_payload, wait_after


def test_a_logout_token_says_which_session_ended_and_nothing_that_an_id_token_says() -> None:
    claims = json.loads(
        logout_token_payload(
            issuer="https://auth.example", client_id="app", sub="ada", sid="sid-1", jti="j", now=5_000_999
        )
    )
    assert claims == {
        "iss": "https://auth.example",
        "aud": "app",
        "iat": 5000,
        "exp": 5120,
        "jti": "j",
        "events": {LOGOUT_EVENT: {}},
        "sub": "ada",
        "sid": "sid-1",
    }


def test_a_client_that_does_not_answer_is_tried_for_hours_and_then_given_up() -> None:
    waits = [wait_after(attempts) for attempts in range(1, 9)]
    assert waits[-1] is None
    told = [wait for wait in waits if wait is not None]
    assert told == sorted(told)
    assert sum(told) > 6 * 3600
