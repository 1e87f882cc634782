from collections.abc import Mapping
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.form import parse_form

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)


def parse(body: bytes) -> Mapping[str, str] | OAuthError:
    return parse_form(body, maximum_bytes=16_384)


def code_of(outcome: object) -> str:
    assert isinstance(outcome, OAuthError)
    return outcome.code


@given(st.dictionaries(WORDS, WORDS, max_size=20))
def test_what_was_encoded_comes_back(parameters: dict[str, str]) -> None:
    assert parse(urlencode(parameters).encode()) == parameters


@given(st.binary(max_size=200))
def test_no_octets_raise(body: bytes) -> None:
    outcome = parse(body)
    assert isinstance(outcome, OAuthError) or all("\x00" not in value and value for value in outcome.values())


def test_an_empty_parameter_counts_as_absent() -> None:
    assert parse(b"token=&scope=a") == {"scope": "a"}


@pytest.mark.parametrize("body", [b"token=a&token=b", b"token=a&token=", b"t%6Fken=a&token=a"])
def test_a_repeated_parameter_is_refused(body: bytes) -> None:
    assert code_of(parse(body)) == "duplicate_parameter"


@pytest.mark.parametrize("body", [b"token=%00", b"%00=a", b"token=%ff", b"token=\xc3\xa9", b"token=%ED%A0%80"])
def test_nul_and_what_is_not_utf_8_are_refused(body: bytes) -> None:
    assert code_of(parse(body)) == "malformed_form"


def test_size_and_number_are_bounded() -> None:
    assert code_of(parse(b"token=" + b"a" * 16_379)) == "body_too_large"
    assert isinstance(parse(b"token=" + b"a" * 16_378), dict)
    assert code_of(parse(b"&".join(b"p%d=1" % number for number in range(65)))) == "malformed_form"
