r"""Attackers' text on its way out: one encoding for each place where somebody reads it (SECURITY F4).

User names, user agents, client names and file names are written by strangers. Every sink has its own way to obey
them: a terminal its escapes, a spreadsheet its formulas, Slack its mentions. All sinks show what cannot be printed
(controls, bidirectional and invisible characters, unpaired surrogates, line separators) as `\x1b` or `\u202e`, so what
they give is one line and valid UTF-8.
"""

import html
from typing import Final

# Full-width signs too: Excel reads them as formulas in East Asian locales.
_FORMULA_STARTS: Final = frozenset("=+-@|%\uff1d\uff0b\uff0d\uff20")
# Letters, marks and a symbol to Unicode, and nothing to the eye.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0x180B, 0x1810), *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)


def encode_for_terminal(text: str) -> str:
    r"""Make text safe to print: no escape sequence, no line of its own, nothing that runs backwards."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def encode_for_log_line(text: str) -> str:
    r"""Make text one value of a plain log line: in double quotes, with `\"` and `\\` inside; reads back unambiguously.

    For lines of `name="value"`; a JSON log needs no more than its JSON encoder.
    """
    return '"' + "".join(f"\\{character}" if character in '"\\' else _shown(character) for character in text) + '"'


def encode_for_csv(text: str) -> str:
    """Make text one whole field of a CSV file, quotes included (RFC 4180): join fields with commas, quote no more.

    A text that a spreadsheet would compute gets an apostrophe in front, which makes it text.
    """
    shown = encode_for_terminal(text)
    if shown.lstrip(" '\"")[:1] in _FORMULA_STARTS:
        shown = "'" + shown
    return '"' + shown.replace('"', '""') + '"'


def encode_for_html(text: str) -> str:
    """Make text safe in an HTML mail, between tags or in a quoted attribute that is no URL and no script."""
    return html.escape(encode_for_terminal(text), quote=True)


def encode_for_slack(text: str) -> str:
    """Make text safe in a Slack message: no link, no `<!channel>`, no `@here` where a workspace links plain names.

    The sign "@" is followed by an invisible word joiner, so names can be read and no longer be called.
    """
    shown = encode_for_terminal(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return shown.replace("@", "@\u2060")


def _shown(character: str) -> str:
    # isprintable is false for the categories Cc, Cf, Cs, Co, Cn, Zl, Zp, and for Zs but the space.
    if character.isprintable() and character not in _INVISIBLE:
        return character
    number = ord(character)
    if number <= 0xFF:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number <= 0xFFFF else f"\\U{number:08x}"
