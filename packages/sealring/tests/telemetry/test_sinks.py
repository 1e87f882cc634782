import csv
import html
import io
import re
import shlex
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.telemetry.sinks import (
    encode_for_csv,
    encode_for_html,
    encode_for_log_line,
    encode_for_slack,
    encode_for_terminal,
)

SINKS: dict[str, Callable[[str], str]] = {
    "terminal": encode_for_terminal,
    "log line": encode_for_log_line,
    "csv": encode_for_csv,
    "html": encode_for_html,
    "slack": encode_for_slack,
}
ESC, BELL, CSI, OVERRIDE, ISOLATE = "\x1b", "\x07", "\x9b", "\u202e", "\u2066"

# Each text, and how each sink shows it: terminal, log line, CSV field, HTML, Slack.
TABLE = [
    ("ada", "ada", '"ada"', '"ada"', "ada", "ada"),
    ("J\u00f6rg", "J\u00f6rg", '"J\u00f6rg"', '"J\u00f6rg"', "J\u00f6rg", "J\u00f6rg"),
    ("", "", '""', '""', "", ""),
    (f"{ESC}[2Jx", r"\x1b[2Jx", r'"\x1b[2Jx"', r'"\x1b[2Jx"', r"\x1b[2Jx", r"\x1b[2Jx"),
    (f"{ESC}]0;t{BELL}", r"\x1b]0;t\x07", r'"\x1b]0;t\x07"', r'"\x1b]0;t\x07"', r"\x1b]0;t\x07", r"\x1b]0;t\x07"),
    (f"{CSI}31m", r"\x9b31m", r'"\x9b31m"', r'"\x9b31m"', r"\x9b31m", r"\x9b31m"),
    ("a\r\nb", r"a\x0d\x0ab", r'"a\x0d\x0ab"', r'"a\x0d\x0ab"', r"a\x0d\x0ab", r"a\x0d\x0ab"),
    ("a\u2028b", r"a\u2028b", r'"a\u2028b"', r'"a\u2028b"', r"a\u2028b", r"a\u2028b"),
    (f"{OVERRIDE}fdp", r"\u202efdp", r'"\u202efdp"', r'"\u202efdp"', r"\u202efdp", r"\u202efdp"),
    (f"{ISOLATE}x", r"\u2066x", r'"\u2066x"', r'"\u2066x"', r"\u2066x", r"\u2066x"),
    ("\0", r"\x00", r'"\x00"', r'"\x00"', r"\x00", r"\x00"),
    ("\ud800", r"\ud800", r'"\ud800"', r'"\ud800"', r"\ud800", r"\ud800"),
    ("\u3164", r"\u3164", r'"\u3164"', r'"\u3164"', r"\u3164", r"\u3164"),
    ("\U000e0041", r"\U000e0041", r'"\U000e0041"', r'"\U000e0041"', r"\U000e0041", r"\U000e0041"),
    ('a"b', 'a"b', r'"a\"b"', '"a""b"', "a&quot;b", 'a"b'),
    ("a\\b", "a\\b", r'"a\\b"', r'"a\b"', r"a\b", r"a\b"),
    ('x" level="ok', 'x" level="ok', r'"x\" level=\"ok"', '"x"" level=""ok"', "x&quot; level=&quot;ok", 'x" level="ok'),
    ("=1+1", "=1+1", '"=1+1"', '"\'=1+1"', "=1+1", "=1+1"),
    ("+1", "+1", '"+1"', '"\'+1"', "+1", "+1"),
    ("-1", "-1", '"-1"', '"\'-1"', "-1", "-1"),
    ("@SUM(A1)", "@SUM(A1)", '"@SUM(A1)"', '"\'@SUM(A1)"', "@SUM(A1)", "@\u2060SUM(A1)"),
    ("  =1", "  =1", '"  =1"', '"\'  =1"', "  =1", "  =1"),
    ("\t=1", r"\x09=1", r'"\x09=1"', r'"\x09=1"', r"\x09=1", r"\x09=1"),
    ('"=1', '"=1', r'"\"=1"', '"\'""=1"', "&quot;=1", '"=1'),
    ("\uff1d1", "\uff1d1", '"\uff1d1"', '"\'\uff1d1"', "\uff1d1", "\uff1d1"),
    ("a,b;c", "a,b;c", '"a,b;c"', '"a,b;c"', "a,b;c", "a,b;c"),
    ("<b>'&", "<b>'&", '"<b>\'&"', '"<b>\'&"', "&lt;b&gt;&#x27;&amp;", "&lt;b&gt;'&amp;"),
    ("<!channel>", "<!channel>", '"<!channel>"', '"<!channel>"', "&lt;!channel&gt;", "&lt;!channel&gt;"),
    ("<@U1>", "<@U1>", '"<@U1>"', '"<@U1>"', "&lt;@U1&gt;", "&lt;@\u2060U1&gt;"),
    ("@here", "@here", '"@here"', '"\'@here"', "@here", "@\u2060here"),
    ("&lt;!here>", "&lt;!here>", '"&lt;!here>"', '"&lt;!here>"', "&amp;lt;!here&gt;", "&amp;lt;!here&gt;"),
]  # fmt: skip


@pytest.mark.parametrize("row", TABLE, ids=lambda row: ascii(row[0]))
def test_each_sink_shows_attackers_text_as_text(row: tuple[str, ...]) -> None:
    text, *expected = row
    assert {name: encode(text) for name, encode in SINKS.items()} == dict(zip(SINKS, expected, strict=True))


@pytest.mark.parametrize("sink", SINKS)
@given(text=st.text(st.characters()))
def test_every_sink_gives_one_line_of_valid_text_without_controls(sink: str, text: str) -> None:
    encoded = SINKS[sink](text)
    encoded.encode()
    assert encoded.replace("\u2060", "").isprintable()
    assert len(encoded.splitlines()) <= 1


@given(text=st.text(st.characters()))
def test_a_log_value_is_one_word_and_reads_back(text: str) -> None:
    encoded = encode_for_log_line(text)
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"', encoded)
    unescaped = re.sub(
        r"\\(?:x(..)|u(....)|U(.{8})|(.))",
        lambda match: match[4] or chr(int(match[1] or match[2] or match[3], 16)),
        encoded[1:-1],
    )
    assert unescaped == text
    assert len(shlex.split(encoded.replace("$", ""))) == 1


@given(texts=st.lists(st.text(st.characters() | st.sampled_from('=+-@",\n ')), min_size=1, max_size=5))
def test_csv_fields_stay_fields_and_are_never_formulas(texts: list[str]) -> None:
    (row,) = csv.reader(io.StringIO(",".join(map(encode_for_csv, texts))), strict=True)
    assert len(row) == len(texts)
    assert not any(field.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r")) for field in row)


@given(text=st.text(st.characters() | st.sampled_from("<>&\"'")))
def test_html_reads_back_as_what_a_terminal_shows(text: str) -> None:
    encoded = encode_for_html(text)
    assert not set(encoded) & set("<>\"'")
    assert html.unescape(encoded) == encode_for_terminal(text)


@given(text=st.text(st.characters() | st.sampled_from("<>&@!|#")))
def test_slack_finds_nothing_to_link_or_to_call(text: str) -> None:
    encoded = encode_for_slack(text)
    assert not set(encoded) & set("<>")
    assert re.search(r"@(?!\u2060)", encoded) is None
    assert re.search(r"&(?!amp;|lt;|gt;)", encoded) is None
