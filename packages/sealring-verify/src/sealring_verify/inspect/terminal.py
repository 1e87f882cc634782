"""An inspection as lines for a terminal; a stranger's text never reaches it raw (SECURITY F4)."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from sealring_verify.inspect.dates import date_in_words, distance
from sealring_verify.inspect.decoding import EncryptedToken, SignedToken
from sealring_verify.inspect.inspection import Inspection, Verdict
from sealring_verify.inspect.remarks import Remark
from sealring_verify.inspect.vocabulary import DATES, KINDS, MEANINGS

_SECTIONS: Final = {"header": "35", "claims": "36", "signature": "34"}
_LEVELS: Final = {"danger": "1;31", "warning": "33", "note": "2"}
_FAINT: Final = "2"
_GOOD: Final = "1;32"
_BAD: Final = "1;31"
_WIDEST_NAME: Final = 24
# Letters and marks to Unicode, and nothing to the eye.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)
Paint = Callable[[str, str], str]


def as_text(inspection: Inspection, *, colours: bool) -> str:
    """Write an inspection for people. It holds no signature, so it opens nothing to whoever reads it."""
    return "\n".join(_lines(inspection, _coloured if colours else _plain))


def encode_for_terminal(text: str) -> str:
    r"""Make text safe to print: no escape sequence, no line of its own, nothing that runs backwards (`\u202e`)."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _lines(inspection: Inspection, paint: Paint) -> Iterator[str]:
    token = inspection.token
    description = KINDS[inspection.kind]
    yield f"{description[:1].upper()}{description[1:]}. {len(token.text)} characters."
    if isinstance(token, SignedToken | EncryptedToken):
        yield from _section("header", token.header, inspection.now, paint)
    if isinstance(token, SignedToken):
        if token.claims is not None:
            yield from _section("claims", token.claims, inspection.now, paint)
        yield from ("", paint("SIGNATURE", _SECTIONS["signature"]), f"  {_signature(token, inspection.verdict)}")
    if inspection.remarks:
        yield from ("", "REMARKS")
        yield from (f"  {_remark(remark, paint)}" for remark in inspection.remarks)
    if inspection.verdict is not None:
        yield ""
        yield from _verdict(inspection.verdict, inspection.now, paint)


def _section(name: str, members: Mapping[str, object], now: float, paint: Paint) -> Iterator[str]:
    yield from ("", paint(name.upper(), _SECTIONS[name]))
    shown = {encode_for_terminal(member): _value(value) for member, value in members.items()}
    width = min(max(map(len, shown), default=0), _WIDEST_NAME)
    for (member, value), (text, written) in zip(members.items(), shown.items(), strict=False):
        words = date_in_words(value, now=now) if name == "claims" and member in DATES else None
        meaning = " ".join(filter(None, (MEANINGS.get(member), words)))
        line = f"  {paint(f'{text:<{width}}', _SECTIONS[name])}  {written}"
        yield f"{line}  {paint(meaning, _FAINT)}" if meaning else line


def _signature(token: SignedToken, verdict: Verdict | None) -> str:
    length = f"{len(token.signature or b'')} octets"
    if verdict is None:
        return f"{length}, not verified: name keys by --issuer, --jwks or --key"
    return length


def _remark(remark: Remark, paint: Paint) -> str:
    about = "" if remark.about is None else f" ({encode_for_terminal(remark.about)})"
    return f"{paint(f'{remark.level:<7}', _LEVELS[remark.level])}  {remark.code}{about}: {remark.sentence}"


def _verdict(verdict: Verdict, now: float, paint: Paint) -> Iterator[str]:
    if not verdict.refusals:
        key = f", key {encode_for_terminal(verdict.kid)}" if verdict.kid else ""
        what = "would pass: whether it was revoked is not asked for" if verdict.explains else "the signature holds"
        yield f"{paint('VERIFIED', _GOOD)}  {what}{f' ({verdict.alg}{key})' if verdict.alg else ''}"
        return
    first, *further = verdict.refusals
    yield f"{paint('REFUSED', _BAD)}  {encode_for_terminal(str(first))}"
    if verdict.passes_at is not None:
        ahead = verdict.passes_at > now
        yield f"         {'would pass' if ahead else 'passed until'} {distance(verdict.passes_at, now=now)}"
    yield from (f"         then: {encode_for_terminal(str(each))}" for each in further)


def _value(value: object) -> str:
    return encode_for_terminal(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def _coloured(text: str, colour: str) -> str:
    return f"\x1b[{colour}m{text}\x1b[0m"


def _plain(text: str, _colour: str) -> str:
    return text


def _shown(character: str) -> str:
    # isprintable is false for the categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and for Zs but the space.
    if character.isprintable() and character not in _INVISIBLE:
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
