"""JSON objects from strangers: strict where the usual parsers are lenient (RFC 8259 §4, RFC 7493)."""

import json
from typing import TypeVar

import msgspec

from sealring.protocol.errors import OAuthError, refuse

_Message = TypeVar("_Message", bound=msgspec.Struct)
MAXIMUM_BODY_BYTES = 16 * 1024
_MAXIMUM_DEPTH = 16


def parse_json_object(body: bytes, shape: type[_Message]) -> _Message | OAuthError:
    """Parse `body` (UTF-8, at most 16 KiB) into `shape`, refusing what two parsers could read differently.

    Refused: duplicate members, byte order marks, NaN, lone surrogates, NUL, over 16 levels, unknown members.
    """
    if len(body) > MAXIMUM_BODY_BYTES:
        return refuse("body_too_large")
    try:
        text = body.decode()
        members = json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return refuse("malformed_json")
    if not isinstance(members, dict) or not _is_clean(members, depth=1):
        return refuse("malformed_json")
    try:
        return msgspec.convert(members, shape, strict=True)
    except msgspec.ValidationError as problem:
        # msgspec names members and types, never values, so its sentence may leave the house.
        return refuse("invalid_member", description=f"The JSON body does not fit: {problem}.")


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
            # NUL is refused by PostgreSQL, lone surrogates by every encoder: neither may reach a statement.
            return "\x00" not in value and not any("\ud800" <= character <= "\udfff" for character in value)
        case dict():
            return depth < _MAXIMUM_DEPTH and all(
                _is_clean(name, depth=depth) and _is_clean(member, depth=depth + 1) for name, member in value.items()
            )
        case list():
            return depth < _MAXIMUM_DEPTH and all(_is_clean(member, depth=depth + 1) for member in value)
        case int() | float() | None:
            return True
        case _:
            return False
