import base64

import pytest

from sealring_verify.errors import IntrospectionUnavailable
from sealring_verify.introspection import (
    ANSWER_COUNTS_FOR,
    IntrospectionAnswers,
    introspection_request,
    parse_introspection,
)


def test_the_question_is_a_form_with_a_form_encoded_basic_credential() -> None:
    question = introspection_request(
        "a.b.c", endpoint="https://i.example/introspect", audience="https://api.example/a b", api_key="sla_x:/+"
    )
    assert question.body == b"token=a.b.c&token_type_hint=access_token"
    credential = base64.b64decode(question.authorization.removeprefix("Basic "))
    assert credential == b"https%3A%2F%2Fapi.example%2Fa+b:sla_x%3A%2F%2B"
    assert "a.b.c" not in repr(question)
    assert "sla_" not in repr(question)


def test_an_answer_is_active_or_not() -> None:
    assert parse_introspection(200, b'{"active":true,"sub":"x"}') is True
    assert parse_introspection(200, b'{"active":false}') is False


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b""),
        (200, b"{}"),
        (200, b'{"active":"true"}'),
        (200, b'{"active":1}'),
        (200, b'{"active":false,"active":true}'),
        (200, b"<html>"),
        (201, b'{"active":true}'),
        (302, b""),
        (401, b'{"active":true}'),
        (500, b'{"active":true}'),
    ],
)
def test_any_other_answer_is_none(status: int, body: bytes) -> None:
    with pytest.raises(IntrospectionUnavailable, match="introspection_unavailable"):
        parse_introspection(status, body)


def test_answers_count_for_two_seconds_from_the_question_and_are_bounded() -> None:
    assert ANSWER_COUNTS_FOR == 2
    answers = IntrospectionAnswers()
    assert answers.recall(b"d", now=0) is None
    answers.note(b"d", active=True, asked_at=10)
    answers.note(b"e", active=False, asked_at=10)
    assert answers.recall(b"d", now=11.9) is True
    assert answers.recall(b"e", now=11.9) is False
    assert answers.recall(b"d", now=12) is None
    for number in range(10_050):
        answers.note(number.to_bytes(4, "big"), active=True, asked_at=10)
    assert len(answers._answers) <= 10_000
