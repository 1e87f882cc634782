"""JSON objects, read so that no two readers can disagree about them (RFC 8259, RFC 7493)."""

import json
import re
from collections.abc import Mapping

import msgspec

MAX_DEPTH = 16

FlatValue = str | int | float | bool | list[str] | None

_nested_object = msgspec.json.Decoder(dict[str, object])
_flat_object = msgspec.json.Decoder(dict[str, FlatValue])
_encode = msgspec.json.Encoder().encode
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_ONE_DIGIT = bytes.maketrans(b"123456789", b"0" * 9)
_TOO_LONG = b"0" * 310
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class DuplicateMember(ValueError):  # noqa: N818 - it reads as what was found
    """An object names one of its members twice (RFC 7515 §4, RFC 7519 §4: reject, because parsers disagree)."""


def parse_json_object(data: bytes) -> dict[str, object]:
    """Read one JSON object. Raises `DuplicateMember` or another ValueError.

    It is UTF-8 without byte order mark, at most `MAX_DEPTH` deep, has no member twice at any depth, no NaN or Infinity,
    no lone surrogate, no number beyond a double's range, none of 310 digits.
    """
    _refuse_depth(data)
    _refuse_long_numbers(data)
    try:
        members = _nested_object.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # No cause: its text could quote what was parsed.
        raise ValueError("not a JSON object") from None
    _refuse_duplicates(data, members)
    return members


def parse_flat_json_object(data: bytes) -> dict[str, FlatValue]:
    """Read one JSON object as `parse_json_object` does, whose values are scalars or lists of strings.

    This is the form of a token's header, which is read before anything about it is known to be authentic.
    """
    _refuse_long_numbers(data)
    try:
        members = _flat_object.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise ValueError("not a flat JSON object") from None
    _refuse_duplicates(data, members)
    return members


def _refuse_depth(data: bytes) -> None:
    # msgspec answers deep nesting with RecursionError, at a depth that depends on the caller's own stack.
    if data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return
    # With one kind of brackets alone; whether each has its own is for the parser. A round takes one level away, from
    # within; what is left after the last is deeper, or has no end.
    brackets = _STRING.sub(b"", data).translate(_ONE_KIND, _NO_BRACKETS)
    too_deep = b"[" * (MAX_DEPTH + 1) in brackets
    for _ in range(0 if too_deep else MAX_DEPTH):
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise ValueError("JSON is nested too deep")


def _refuse_long_numbers(data: bytes) -> None:
    # A whole number of so many digits is beyond a double's range, and what it costs grows with their square.
    if _TOO_LONG in data.translate(_ONE_DIGIT) and _TOO_LONG in _STRING.sub(b"", data).translate(_ONE_DIGIT):
        raise ValueError("JSON has a number of too many digits")


def _refuse_duplicates(data: bytes, members: Mapping[str, object]) -> None:
    # msgspec takes the last of two members. What it writes has each member once, so data that equals what it writes
    # is free of duplicates; this holds for what most issuers send. Anything else is read again by a slower parser.
    if _encode(members) != data:
        json.loads(data.decode(), object_pairs_hook=_unique)


def _unique(pairs: list[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise DuplicateMember("an object names a member twice")
