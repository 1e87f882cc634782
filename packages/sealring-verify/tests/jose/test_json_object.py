import contextlib
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.jose.json_object import (
    MAX_DEPTH,
    DuplicateMember,
    parse_flat_json_object,
    parse_json_object,
)

_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=10,
)


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _json, max_size=5), st.booleans())
def test_objects_of_any_spelling_read_as_the_standard_library_reads_them(members: dict, ascii_only: bool) -> None:  # noqa: FBT001 - a case, not a switch
    document = json.dumps(members, ensure_ascii=ascii_only).encode()
    assert parse_json_object(document) == members


@given(st.binary(max_size=40) | st.text(alphabet='{}[]":,\\u0a1eE.-tfn ', max_size=40).map(str.encode))
def test_any_octets_give_an_object_or_a_value_error(data: bytes) -> None:
    for parse in (parse_json_object, parse_flat_json_object):
        with contextlib.suppress(ValueError):
            assert isinstance(parse(data), dict)


@pytest.mark.parametrize(
    "document",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":2}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":[{"b":1,"c":3,"b":2}]}',
        b'{ "a" : 1 , "a" : 2 }',
    ],
)
def test_a_member_named_twice_is_refused_at_any_depth(document: bytes) -> None:
    with pytest.raises(DuplicateMember):
        parse_json_object(document)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"null",
        b'"a"',
        b'\xef\xbb\xbf{"a":1}',  # byte order mark
        '{"a":1}'.encode("utf-16"),
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":1e400}',
        b'{"a":' + b"1" * 4301 + b"}",
        b'{"a":' + b"1" * 310 + b"}",
        b'{"a":[0.' + b"12" * 155 + b"]}",
        b'{"a":"\xff"}',  # not UTF-8, in a member nobody reads
        b'{"\xff":1}',
        b'{"a":"\xed\xa0\x80"}',  # a surrogate in UTF-8
        b'{"a":"\\ud800"}',
        b'{"a":1}x',
        b'{"a":1,}',
        b"{'a':1}",
        b'{"a":01}',
        b'{"a":"\n"}',
    ],
)
def test_what_parsers_disagree_about_is_refused(document: bytes) -> None:
    for parse in (parse_json_object, parse_flat_json_object):
        with pytest.raises(ValueError, match="JSON"):
            parse(document)


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nesting_is_bounded_without_touching_the_recursion_limit(opening: str) -> None:
    closing = "]" if opening == "[" else "}"

    def nested(depth: int) -> bytes:
        return ('{"a":' + opening * (depth - 1) + "1" + closing * (depth - 1) + "}").encode()

    assert parse_json_object(nested(MAX_DEPTH))
    for depth in (MAX_DEPTH + 1, sys.getrecursionlimit() + 1, 100_000):
        with pytest.raises(ValueError, match="deep"):
            parse_json_object(nested(depth))
    with pytest.raises(ValueError, match="JSON"):
        parse_flat_json_object(nested(100_000))


def test_brackets_within_strings_are_no_nesting() -> None:
    assert parse_json_object(b'{"a":"' + b'[{\\"' * 1000 + b'"}')
    with pytest.raises(ValueError, match="JSON"):
        parse_json_object(b'{"a":"' + b"[" * 1000)


def test_a_wide_object_is_not_deep() -> None:
    assert len(parse_json_object(b'{"a":[' + b",".join([b"[]"] * 1000) + b"]}")["a"]) == 1000


@pytest.mark.parametrize("value", [b"{}", b'{"kty":"EC"}', b"[[]]", b"[1]", b'[{"a":1}]'])
def test_a_flat_object_holds_neither_objects_nor_other_lists_than_of_strings(value: bytes) -> None:
    with pytest.raises(ValueError, match="flat"):
        parse_flat_json_object(b'{"a":' + value + b"}")
    assert parse_flat_json_object(b'{"a":["b"],"c":1,"d":1.5,"e":null,"f":true}')["a"] == ["b"]
