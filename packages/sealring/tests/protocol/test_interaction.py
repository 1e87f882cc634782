import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.instant import Instant
from sealring.protocol.interaction import Interaction, browser_digest, read_interaction, write_interaction

KEY, OLDER = bytes(32), b"o" * 32
COOKIE = "a-browser"
BEGAN = Instant(1_700_000_000_000)
WAITING = Interaction(query="client_id=app&state=x", began_at=BEGAN, browser=browser_digest(COOKIE))
TEXT = write_interaction(WAITING, key=KEY)


def read(
    text: str | None = TEXT, *, cookie: str | None = COOKIE, keys: tuple[bytes, ...] = (KEY,), seconds: float = 1
) -> Interaction | None:
    return read_interaction(text, cookie=cookie, keys=keys, now=Instant(BEGAN + int(seconds * 1000)))


def test_a_request_that_waits_comes_back_as_it_went() -> None:
    assert read() == WAITING
    assert read(keys=(OLDER, KEY)) == WAITING


def test_another_browser_cannot_go_on_with_it() -> None:
    assert read(cookie="another") is None
    assert read(cookie=None) is None
    assert read(cookie="") is None


def test_it_is_good_for_ten_minutes() -> None:
    assert read(seconds=599.9) == WAITING
    assert read(seconds=600) is None
    assert read(seconds=-1) is None


def test_another_key_made_nothing_of_ours() -> None:
    assert read(keys=(OLDER,)) is None
    assert read(keys=()) is None


def test_the_browsers_cookie_is_not_in_it() -> None:
    assert COOKIE not in TEXT
    assert COOKIE not in browser_digest(COOKIE)


@given(at=st.integers(0, len(TEXT) - 1), by=st.sampled_from("AZaz09-_.=&%\n"))
def test_no_character_of_it_can_be_another(at: int, by: str) -> None:
    changed = TEXT[:at] + by + TEXT[at + 1 :]
    assert read(changed) is None or changed == TEXT


@given(text=st.text(max_size=100))
def test_nothing_else_passes_for_one(text: str) -> None:
    assert read(text) is None
    assert read(TEXT + text) is None or text == ""


@pytest.mark.parametrize("text", [None, "", ".", "a.b", "é.é", "x" * 20_000])
def test_what_is_no_interaction_is_none(text: str | None) -> None:
    assert read(text) is None
