from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.form import parse_form, refuse_query

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


def test_of_two_resources_the_refusal_is_that_of_rfc_8707() -> None:
    assert code_of(parse(b"resource=orders&resource=bills")) == "invalid_target"
    assert code_of(parse(b"resource=orders&resource=bills&scope=a&scope=b")) == "duplicate_parameter"


@pytest.mark.parametrize(
    "query",
    [
        b"client_secret=slc_1",
        b"x=1&client_id=shop",
        b"token=",
        b"refresh_token",
        b"client%5Fsecret=slc_1",
        b"client+id=x&grant_type=password",
    ],
)
def test_nothing_secret_stands_in_an_address(query: bytes) -> None:
    assert code_of(refuse_query(query)) == "parameter_in_address"


@pytest.mark.parametrize("query", [b"", b"trace=1", b"tenant=a&x", b"%", b"&&&", b"client_secrets=1"])
def test_other_parameters_of_an_address_mean_nothing(query: bytes) -> None:
    assert refuse_query(query) is None


@given(st.binary(max_size=200))
def test_no_address_raises(query: bytes) -> None:
    refused = refuse_query(query)
    assert refused is None or refused.error == "invalid_request"


def test_an_address_of_a_thousand_parameters_is_not_taken_apart() -> None:
    assert code_of(refuse_query(b"&".join(b"a=%d" % number for number in range(1001)))) == "malformed_http"


@given(
    st.lists(
        st.sampled_from(
            ["y", "token", "=", "&", "&&", "x=1", ";", "~", " ", "/", "+", "%", "%3D", "%26", "%2B", "%C3%A9"]
        ),
        max_size=12,
    )
)
def test_a_form_is_read_as_the_library_reads_it(parts: list[str]) -> None:
    text = "".join(parts)
    pairs = parse_qsl(text, keep_blank_values=True)
    parsed = parse_form(text.encode(), maximum_bytes=1000)
    if len({name for name, _ in pairs}) != len(pairs):
        assert isinstance(parsed, OAuthError)
    else:
        assert parsed == {name: value for name, value in pairs if value}


@pytest.mark.parametrize("spelling", ["a", "%61"])
def test_more_than_64_parameters_are_refused_however_they_are_spelt(spelling: str) -> None:
    form = "&".join(f"{spelling}{number}=1" for number in range(64)).encode()
    assert isinstance(parse_form(form, maximum_bytes=1000), dict)
    assert isinstance(parse_form(form + b"&b=1", maximum_bytes=1000), OAuthError)
