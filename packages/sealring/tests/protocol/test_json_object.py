import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.errors import OAuthError
from sealring.protocol.json_object import MAXIMUM_BODY_BYTES, is_clean_json, parse_json_object
from sealring.protocol.secret import Secret


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str | None = None
    number: int | None = None
    kind: str | None = None
    password: Secret | None = None
    anything: object = None


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str


def code_of(body: bytes) -> str:
    outcome = parse_json_object(body, Message)
    assert isinstance(outcome, OAuthError), outcome
    return outcome.code


def nested(levels: int) -> bytes:
    """Build an object of that many levels, the outermost counted."""
    return b'{"anything":' * (levels - 1) + b"{}" + b"}" * (levels - 1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=5), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(value=json_values)
def test_plain_json_is_read_as_every_parser_reads_it(value: object) -> None:
    message = parse_json_object(json.dumps({"anything": value}).encode(), Message)
    assert message == Message(anything=value)


@given(body=st.binary(max_size=200) | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_no_body_raises(body: bytes) -> None:
    assert isinstance(parse_json_object(body, Message), Message | OAuthError)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"1",
        b"{}{}",
        b"{} x",
        b'{"name":"a",}',
        b"{'name':'a'}",
        b'{"name":"a"} // why',
        b"\xef\xbb\xbf{}",
        '{"name":"a"}'.encode("utf-16"),
        '{"name":"ä"}'.encode("latin-1"),
        b'{"name":"\xed\xa0\x80"}',
        b'{"name":"line\nbreak"}',
        b'{"name":"a","name":"a"}',
        b'{"name":"a","\\u006eame":"b"}',
        b'{"anything":{"a":1,"a":1}}',
        b'{"anything":[{"a":1,"a":2}]}',
        b'{"number":NaN}',
        b'{"anything":[Infinity]}',
        b'{"anything":-Infinity}',
        b'{"anything":1e999}',
        b'{"anything":-1e999}',
        b'{"anything":9007199254740992}',
        b'{"anything":[-9007199254740992]}',
        b'{"number":' + b"9" * 5000 + b"}",
        b'{"name":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"anything":["\\ud800x"]}',
        b'{"name":"a\\u0000b"}',
        b'{"anything":{"\\u0000":1}}',
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(body: bytes) -> None:
    assert code_of(body) == "malformed_json"


@pytest.mark.parametrize(
    "body", [b'{"anything":9007199254740991}', b'{"name":"\\ud83d\\ude00"}', b' \r\n\t{"name":""} ']
)
def test_what_only_looks_odd_is_read(body: bytes) -> None:
    assert isinstance(parse_json_object(body, Message), Message)


def test_sixteen_levels_are_read_and_seventeen_refused() -> None:
    assert isinstance(parse_json_object(nested(16), Message), Message)
    assert code_of(nested(17)) == "malformed_json"
    assert isinstance(parse_json_object(b'{"anything":' + b"[" * 15 + b"]" * 15 + b"}", Message), Message)
    assert code_of(b'{"anything":' + b"[" * 16 + b"]" * 16 + b"}") == "malformed_json"


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_as_deep_as_a_body_allows_neither_raises_nor_is_read(opening: bytes) -> None:
    assert code_of(opening * (MAXIMUM_BODY_BYTES // len(opening))) == "malformed_json"


def test_sixteen_kibibytes_are_read_and_one_octet_more_is_refused() -> None:
    body = b'{"name":"' + b"x" * (MAXIMUM_BODY_BYTES - 11) + b'"}'
    assert len(body) == 16 * 1024
    assert isinstance(parse_json_object(body, Message), Message)
    assert code_of(body + b" ") == "body_too_large"


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b'{"name":1}', "The JSON body does not fit: Expected `str | null`, got `int` - at `$.name`."),
        (b'{"number":"7"}', "The JSON body does not fit: Expected `int | null`, got `str` - at `$.number`."),
        (b'{"number":true}', "The JSON body does not fit: Expected `int | null`, got `bool` - at `$.number`."),
        (b'{"number":7.5}', "The JSON body does not fit: Expected `int | null`, got `float` - at `$.number`."),
        (b'{"password":7}', "The JSON body does not fit: Expected `str` - at `$.password`."),
        (b'{"unheard-of":1}', "The JSON body has a member that is not known here."),
    ],
)
def test_a_member_that_does_not_fit_is_named_by_our_own_words(body: bytes, sentence: str) -> None:
    outcome = parse_json_object(body, Message)
    assert isinstance(outcome, OAuthError)
    assert (outcome.code, outcome.description) == ("invalid_member", sentence)


def test_a_missing_member_is_named() -> None:
    outcome = parse_json_object(b"{}", Strict)
    assert isinstance(outcome, OAuthError)
    assert outcome.description == "The JSON body does not fit: Object missing required field `name`."


@given(name=st.from_regex(r"hostile[`\"\\<\x1b\n%{}$.a-z]{0,9}", fullmatch=True), as_value=st.booleans())
def test_nothing_that_was_sent_is_said_back(name: str, *, as_value: bool) -> None:
    body = {"number": name, "password": [name]} if as_value else {name: 1}
    outcome = parse_json_object(json.dumps(body).encode(), Message)
    assert isinstance(outcome, OAuthError)
    assert "hostile" not in outcome.description


def test_a_secret_is_wrapped_before_anybody_sees_it() -> None:
    message = parse_json_object(b'{"password":"correct horse"}', Message)
    assert isinstance(message, Message)
    assert message.password == Secret("correct horse")
    assert "horse" not in repr(message)


def test_values_made_by_ourselves_are_held_to_the_same_rules() -> None:
    assert is_clean_json({"a": [1, 2.5, None, True, "ä"]})
    assert not is_clean_json({"a": float("nan")})
    assert not is_clean_json({"a": b"octets"})
    assert not is_clean_json({"a": ("tuple",)})
