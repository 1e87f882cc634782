import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.interaction import Interaction, browser_digest, read_interaction, write_interaction

KEY, OLDER = b"k" * 32, b"o" * 32
INTERACTION = Interaction(query="client_id=app&state=%C3%A4", began_at=1000, browser=browser_digest("cookie"))
TEXT = write_interaction(INTERACTION, key=KEY)


def read(text: str | None = TEXT, cookie: str | None = "cookie", now: int = 2000) -> Interaction | None:
    return read_interaction(text, cookie=cookie, keys=(KEY, OLDER), now=now)


def test_an_interaction_comes_back_in_its_browser() -> None:
    assert read() == INTERACTION
    assert read(write_interaction(INTERACTION, key=OLDER)) == INTERACTION


def test_it_is_worth_nothing_in_another_browser_or_without_a_cookie() -> None:
    assert read(cookie="other") is None
    assert read(cookie=None) is None


def test_it_is_good_for_ten_minutes() -> None:
    assert read(now=1000 + 599_999) == INTERACTION
    assert read(now=1000 + 600_000) is None
    assert read(now=999) is None


def test_it_stands_in_an_address_as_it_is() -> None:
    assert set(TEXT) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.")


@pytest.mark.parametrize(
    "text", [None, "", ".", "a.b", TEXT + "x", TEXT.replace(".", ".A"), TEXT[:-1], "é", "x" * 20_000]
)
def test_what_we_did_not_write_is_nothing(text: str | None) -> None:
    assert read(text) is None


@given(st.integers(0, len(TEXT) - 1), st.sampled_from("ABab01-_."))
def test_no_altered_one_is_taken(place: int, character: str) -> None:
    altered = TEXT[:place] + character + TEXT[place + 1 :]
    assert (read(altered) is not None) == (altered == TEXT)
