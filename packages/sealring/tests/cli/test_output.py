from hypothesis import given
from hypothesis import strategies as st

from sealring.cli.output import card, counted, json_line, moment, shown, table
from sealring.telemetry.sinks import encode_for_terminal


def test_columns_are_aligned_under_their_heads() -> None:
    text = table(("name", "n"), [("a", 1), ("longer", None)])
    assert text.splitlines() == ["NAME    N", "a       1", "longer  -"]
    assert table(("name",), []) == "none"


def test_cards_are_aligned() -> None:
    assert card([("a", True), ("longer", ["y", "x"])]) == "a       yes\nlonger  x y"


def test_instants_are_utc() -> None:
    assert moment(1_700_000_000_000) == "2023-11-14 22:13:20Z"
    assert moment(None) == "-"


def test_one_is_singular() -> None:
    assert [counted(number, "session") for number in (0, 1, 2)] == ["0 sessions", "1 session", "2 sessions"]


@given(st.recursive(st.text() | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=5))
def test_nothing_that_is_shown_can_move_the_cursor(value: object) -> None:
    text = shown(value)
    assert text == encode_for_terminal(text)


@given(st.text())
def test_json_is_ascii_of_one_line(text: str) -> None:
    assert json_line(text).isascii()
    assert json_line(text).isprintable()


def test_a_mapping_with_members_is_shown() -> None:
    assert shown({"tier": "gold"}) == '{"tier": "gold"}'
    assert shown({}) == "-"
