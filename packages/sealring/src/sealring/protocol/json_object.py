"""JSON objects from strangers: strict where the usual parsers are lenient (RFC 8259 §4, RFC 7493)."""

import json
import re
from math import isfinite
from typing import Final, TypeVar

import msgspec

from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.secret import Secret

_Message = TypeVar("_Message", bound=msgspec.Struct)
MAXIMUM_BODY_BYTES = 16 * 1024
_MAXIMUM_DEPTH = 16
# NUL is refused by PostgreSQL, lone surrogates by every encoder: neither may reach a statement.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def parse_json_object(
    body: bytes, shape: type[_Message], *, maximum_bytes: int = MAXIMUM_BODY_BYTES
) -> _Message | OAuthError:
    """Parse `body` (UTF-8, at most 16 KiB unless said) into `shape`, refusing what two parsers could read differently.

    Refused: duplicate members, byte order marks, NaN, numbers beyond a double's reach, lone surrogates, NUL, over 16
    levels, unknown members. A member of type `Secret` is a text in JSON.
    """
    if len(body) > maximum_bytes:
        return refuse("body_too_large")
    try:
        text = body.decode()
        members = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return refuse("malformed_json")
    if not isinstance(members, dict) or not is_clean_json(members):
        return refuse("malformed_json")
    try:
        return msgspec.convert(members, shape, strict=True, dec_hook=_secret)
    except msgspec.ValidationError as problem:
        return refuse("invalid_member", description=_fitting_sentence(str(problem)))


def is_clean_json(value: object) -> bool:
    """Say whether a JSON value can be stored and sent anywhere (RFC 7493 §2).

    That is without NUL, lone surrogates, infinities and integers beyond ±(2⁵³ − 1), in at most 16 levels.
    """
    return _is_clean(value, depth=1)


def _fitting_sentence(problem: str) -> str:
    # These name our own members and types. msgspec's other sentences repeat what was sent, which is for nobody's log.
    if problem.startswith(("Expected `", "Object missing required field `")):
        return f"The JSON body does not fit: {problem}."
    if problem.startswith("Object contains unknown field"):
        return "The JSON body has a member that is not known here."
    return "The JSON body does not fit: a member has a value that it cannot have."


def _secret(kind: type, value: object) -> object:
    if kind is object:  # msgspec asks about these too; a claim may hold anything
        return value
    if kind is not Secret or not isinstance(value, str):
        raise TypeError("Expected `str`")
    return Secret(value)


def _without_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("duplicate member")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(name)


def _is_clean(value: object, *, depth: int) -> bool:
    match value:
        case str():
            return _UNSTORABLE.search(value) is None
        case dict():
            return depth <= _MAXIMUM_DEPTH and all(
                _is_clean(name, depth=depth) and _is_clean(member, depth=depth + 1) for name, member in value.items()
            )
        case list():
            return depth <= _MAXIMUM_DEPTH and all(_is_clean(member, depth=depth + 1) for member in value)
        case int():
            return abs(value) < 2**53
        case float():
            return isfinite(value)
        case None:
            return True
        case _:
            return False


# Made once: json.loads makes a decoder a call wherever it is given a hook.
_DECODER: Final = json.JSONDecoder(object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
