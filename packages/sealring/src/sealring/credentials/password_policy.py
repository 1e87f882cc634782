"""What a password must be when it is set, and how it is prepared whenever it is used (NIST SP 800-63B-4 §3.1.1.2).

Length counts, composition does not: no rule asks for digits or signs. The minimum applies when a password is set,
never at sign-in, so that raising it locks nobody out.
"""

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, Literal

from msgspec import Struct

from sealring.credentials.common_passwords import is_common_password

_LONGEST_INPUT: Final = 1024  # code points, judged before any work
_LONGEST_REPEATED_UNIT: Final = 8  # characters
_SHORTEST_NAME: Final = 3  # characters; a shorter login name occurs in passwords by chance
_LETTERS_BESIDE_NAME: Final = 4  # a password with fewer letters than this beside the login name is the login name

_ADVICE: Final = "Choose a passphrase: four or more words that have nothing to do with one another."


class PasswordPolicy(Struct, frozen=True, kw_only=True):
    """How long a new password must and may be, in code points after NFKC."""

    minimum_length: int = 15
    minimum_length_with_second_factor: int = 8
    maximum_length: int = 128

    def __post_init__(self) -> None:
        # NIST: at least 8, and at least 64 permitted. The input bound leaves room for what NFKC composes.
        if not 8 <= self.minimum_length_with_second_factor <= self.minimum_length <= 64:
            raise ValueError("minimum lengths lie between 8 and 64, the one with a second factor not above the other")
        if not 64 <= self.maximum_length <= _LONGEST_INPUT // 4:
            raise ValueError(f"the maximum length lies between 64 and {_LONGEST_INPUT // 4}")


class AcceptablePassword(Struct, frozen=True):
    """A password that may be set: `prepared` goes to `hash_password`. Its repr does not show it."""

    prepared: bytes  # NFKC, UTF-8

    def __repr__(self) -> str:
        return "AcceptablePassword(...)"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return []


class PasswordRefused(Struct, frozen=True, kw_only=True):
    """Why a password may not be set or cannot be right: a stable code, a sentence that never quotes it."""

    code: Literal[
        "password_not_text",
        "password_too_short",
        "password_too_long",
        "password_repetitive",
        "password_is_login_name",
        "password_common",
    ]
    sentence: str


def prepare_password(password: str) -> bytes | PasswordRefused:
    """Bring a presented password into the one form that is hashed: NFKC, UTF-8; for sign-in, of any length up to 1 024.

    Refused are over 1 024 code points (before any work), NUL and surrogates: no such password can have been set.
    """
    if len(password) > _LONGEST_INPUT:
        return PasswordRefused(code="password_too_long", sentence="The password is too long.")
    if "\0" in password:
        return _not_text()
    try:
        return unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        return _not_text()


def judge_password(
    password: str, *, policy: PasswordPolicy, second_factor: bool, login_names: Sequence[str]
) -> AcceptablePassword | PasswordRefused:
    """Say whether a password may be set for the person with these login names (user name, e-mail address).

    Judged in order: text, length, repetition, the person's own names, the list of common passwords. `second_factor`
    says that the person cannot sign in without one, which lowers the minimum.
    """
    prepared = prepare_password(password)
    if isinstance(prepared, PasswordRefused):
        return prepared
    normal = prepared.decode()
    minimum = policy.minimum_length_with_second_factor if second_factor else policy.minimum_length
    refusal = _judge_length(len(normal), minimum, policy.maximum_length)
    if refusal is not None:
        return refusal
    folded = normal.casefold()
    if _is_repetitive(folded):
        sentence = f"The password is one pattern, repeated or counted on. {_ADVICE}"
        return PasswordRefused(code="password_repetitive", sentence=sentence)
    if any(_is_hardly_more_than(folded, name) for name in _names_of(login_names)):
        sentence = f"The password is the login name with little added. {_ADVICE}"
        return PasswordRefused(code="password_is_login_name", sentence=sentence)
    if is_common_password(folded):
        sentence = f"The password is among those that are guessed first. {_ADVICE}"
        return PasswordRefused(code="password_common", sentence=sentence)
    return AcceptablePassword(prepared)


def _judge_length(length: int, minimum: int, maximum: int) -> PasswordRefused | None:
    if length < minimum:
        sentence = f"The password needs at least {minimum} characters. {_ADVICE}"
        return PasswordRefused(code="password_too_short", sentence=sentence)
    if length > maximum:
        sentence = f"The password may have at most {maximum} characters."
        return PasswordRefused(code="password_too_long", sentence=sentence)
    return None


def _not_text() -> PasswordRefused:
    return PasswordRefused(
        code="password_not_text",
        sentence="The password holds a character that no keyboard types (U+0000 or half of one).",
    )


def _is_repetitive(folded: str) -> bool:
    for unit in range(1, _LONGEST_REPEATED_UNIT + 1):
        # Shifted by one unit, a repetition equals itself; the last repeat may be cut off.
        if len(folded) >= 2 * unit and folded[unit:] == folded[:-unit]:
            return True
    if folded.isdecimal():  # 1234567890123… wraps
        steps = {(int(after) - int(before)) % 10 for before, after in pairwise(folded)}
    else:
        steps = {ord(after) - ord(before) for before, after in pairwise(folded)}
    return len(steps) == 1


def _names_of(login_names: Sequence[str]) -> set[str]:
    folded = {unicodedata.normalize("NFKC", name).casefold() for name in login_names}
    names = folded | {name.partition("@")[0] for name in folded}
    return {name for name in names if len(name) >= _SHORTEST_NAME}


def _is_hardly_more_than(folded: str, name: str) -> bool:
    # Equal, repeated, or padded with digits and signs: what is left has no letters to speak of.
    if name not in folded:
        return False
    return sum(character.isalpha() for character in folded.replace(name, "")) < _LETTERS_BESIDE_NAME
