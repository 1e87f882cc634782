import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose import base64url
from sealring_verify.unverified_issuer import unverified_issuer


def claiming(payload: bytes) -> str:
    return f"e30.{base64url.encode(payload).decode()}.x"


def test_a_signed_token_claims_an_issuer_whoever_made_it() -> None:
    assert unverified_issuer(claiming(b'{"iss":"https://id.example.com"}')) == "https://id.example.com"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "slo_" + "A" * 80,
        "a.b",
        "a.b.c",
        "a.b.c.d.e",
        claiming(b"{}"),
        claiming(b'{"iss":7}'),
        claiming(b'{"iss":null}'),
        claiming(b'{"iss":["https://id.example.com"]}'),
        claiming(b'{"iss":"a","iss":"b"}'),
        claiming(b"[" * 1000),
        "é.é.é",
        "\ud800.\ud800.\ud800",
        claiming(b'{"iss":"' + b"a" * 20_000 + b'"}'),
        None,
        b"a.b.c",
        7,
    ],
)
def test_anything_else_claims_none(token: Any) -> None:  # noqa: ANN401 - whatever a door hands on
    assert unverified_issuer(token) is None


@given(st.text(max_size=60) | st.binary(max_size=60).map(claiming))
def test_whatever_the_text_there_is_an_answer(token: str) -> None:
    assert unverified_issuer(token) is None or isinstance(json.dumps(unverified_issuer(token)), str)
