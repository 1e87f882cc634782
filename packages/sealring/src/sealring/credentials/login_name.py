"""Login names: a user name or an e-mail address, as shown and as compared.

Both are parsed once, when they enter. The comparison key is NFKC and case-folded, so that two names that look alike
by case, width or composition are one name. User names follow the IdentifierClass of PRECIS (RFC 8264 §4.2) in what
they refuse; what Unicode has not assigned is refused too, since its normal form may still change (RFC 8264 §9.10).
User names hold no "@" and addresses hold one, so the two name spaces never meet.
"""

import re
import unicodedata
from typing import Final, Literal

import idna
from msgspec import Struct

_LONGEST_INPUT: Final = 256  # characters, judged before any work
_LONGEST_USERNAME: Final = 128  # characters, after NFKC
_LONGEST_USERNAME_BYTES: Final = 512  # UTF-8
_LONGEST_EMAIL: Final = 254  # bytes, RFC 5321 §4.5.3.1.3 without the angle brackets
_LONGEST_LOCAL_PART: Final = 64  # bytes, RFC 5321 §4.5.3.1.1

# PRECIS LetterDigits (RFC 8264 §9.1), and title-case letters, which Greek has and which case-folding takes in.
_LETTER_DIGITS: Final = frozenset({"Lu", "Ll", "Lt", "Lo", "Lm", "Mn", "Mc", "Nd"})
# Default ignorables that Unicode files under letters and marks: they show nothing, and make two names look like one.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
_ATEXT_PUNCTUATION: Final = frozenset("!#$%&'*+-/=?^_`{|}~")  # RFC 5322 §3.2.3
_PLAIN_DOMAIN: Final = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Username(Struct, frozen=True, kw_only=True):
    """A user name: `shown` as its owner writes it (NFKC), `key` as it is compared and stored as unique."""

    shown: str
    key: str


class EmailAddress(Struct, frozen=True, kw_only=True):
    """An e-mail address: `shown` is where mail goes (domain in A-labels), `key` is compared and stored as unique.

    The case of the local part is kept in `shown` alone. Mail goes to the address that was stored, never to what
    was typed: another address may have the same key, and belong to somebody else.
    """

    shown: str
    key: str


class LoginNameRefused(Struct, frozen=True, kw_only=True):
    """Why a text is no login name: a stable code and a sentence for its owner, which never quotes the text."""

    code: Literal[
        "login_name_empty",
        "login_name_too_long",
        "login_name_character_refused",
        "login_name_mixed_direction",
        "email_malformed",
        "email_domain_malformed",
    ]
    sentence: str


_EMPTY: Final = LoginNameRefused(code="login_name_empty", sentence="Enter a user name or an e-mail address.")
_TOO_LONG: Final = LoginNameRefused(
    code="login_name_too_long",
    sentence=f"A user name has at most {_LONGEST_USERNAME} characters, an e-mail address {_LONGEST_EMAIL}.",
)
_MIXED_DIRECTION: Final = LoginNameRefused(
    code="login_name_mixed_direction",
    sentence="A login name may not mix letters that run from the left with letters that run from the right.",
)
_EMAIL_MALFORMED: Final = LoginNameRefused(
    code="email_malformed", sentence="An e-mail address looks like name@example.com."
)
_DOMAIN_MALFORMED: Final = LoginNameRefused(
    code="email_domain_malformed", sentence="What follows the @ is no domain name such as example.com."
)


def parse_login_name(text: str) -> Username | EmailAddress | LoginNameRefused:
    """Read what a person signs in with: an address where it holds an "@" (of any width), else a user name."""
    if len(text) > _LONGEST_INPUT:
        return _TOO_LONG
    return parse_email(text) if "@" in unicodedata.normalize("NFKC", text) else parse_username(text)


def parse_username(text: str) -> Username | LoginNameRefused:
    """Read a user name: 1-128 characters and at most 512 bytes after NFKC; spaces around it are dropped."""
    shown = _normalise(text)
    if isinstance(shown, LoginNameRefused):
        return shown
    for character in shown:
        if character == "@" or not (_is_letter_or_digit(character) or "!" <= character <= "~"):
            return _character_refused(character)
    if _mixes_directions(shown):
        return _MIXED_DIRECTION
    key = _comparison_key(shown)
    if any(len(form) > _LONGEST_USERNAME or len(form.encode()) > _LONGEST_USERNAME_BYTES for form in (shown, key)):
        return _TOO_LONG
    return Username(shown=shown, key=key)


def parse_email(text: str) -> EmailAddress | LoginNameRefused:
    """Read an e-mail address: a dot-atom (RFC 5322 §3.2.3, letters of any script), one "@", a domain with a dot.

    Quoted local parts, comments, domain literals and single-label domains are refused: no mailbox of a person
    needs them, and each parses differently somewhere. At most 254 bytes.
    """
    address = _normalise(text)
    if isinstance(address, LoginNameRefused):
        return address
    local_part, at, domain_text = address.partition("@")
    if not at or "@" in domain_text or not all(local_part.split(".")):
        return _EMAIL_MALFORMED
    for character in local_part:
        if not (character == "." or character in _ATEXT_PUNCTUATION or _is_letter_or_digit(character)):
            return _character_refused(character)
    if _mixes_directions(local_part):
        return _MIXED_DIRECTION
    domain = _parse_domain(domain_text)
    if domain is None:
        return _DOMAIN_MALFORMED
    shown, key_part = f"{local_part}@{domain}", _comparison_key(local_part)
    if any(len(part.encode()) > _LONGEST_LOCAL_PART for part in (local_part, key_part)):
        return _TOO_LONG
    key = f"{key_part}@{domain}"
    return (
        _TOO_LONG
        if max(len(shown.encode()), len(key.encode())) > _LONGEST_EMAIL
        else EmailAddress(shown=shown, key=key)
    )


def _normalise(text: str) -> str | LoginNameRefused:
    if len(text) > _LONGEST_INPUT:
        return _TOO_LONG
    # Keyboards that complete words leave a space behind; a name holds none, so nothing is lost.
    shown = unicodedata.normalize("NFKC", text.strip(" "))
    if not shown:
        return _EMPTY
    if unicodedata.category(shown[0]) in {"Mn", "Mc"}:
        return _character_refused(shown[0])  # an accent without its letter joins whatever stands before it
    return shown


def _is_letter_or_digit(character: str) -> bool:
    return unicodedata.category(character) in _LETTER_DIGITS and character not in _INVISIBLE


def _character_refused(character: str) -> LoginNameRefused:
    name = unicodedata.name(character, "")
    described = f"U+{ord(character):04X}" + (f" ({name.lower()})" if name else "")
    return LoginNameRefused(
        code="login_name_character_refused", sentence=f"A login name may not hold the character {described} there."
    )


def _mixes_directions(text: str) -> bool:
    # RFC 5893 §2: in a right-to-left label no left-to-right letter, and the reverse; shown, such a name reorders.
    directions = {unicodedata.bidirectional(character) for character in text}
    return "L" in directions and not directions.isdisjoint({"R", "AL"})


def _comparison_key(text: str) -> str:
    # Unicode §3.13 D146: one pass of NFKC and case-folding is not stable, as each can undo the other's work.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFKC", folded.casefold())


def _parse_domain(text: str) -> str | None:
    domain = text.lower()
    if not domain.isascii() or "xn--" in domain:
        try:
            domain = idna.encode(domain, uts46=True, std3_rules=True).decode("ascii")
        except idna.IDNAError:
            return None
    return domain if len(domain) <= 253 and _PLAIN_DOMAIN.fullmatch(domain) else None
