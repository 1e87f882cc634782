import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.browser.user_agent import user_agent_family

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("user_agent", "family"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 FxiOS/140.0 Safari/605", "Firefox"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/143.0.0.0 Safari/537.36", "Chrome"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {WEBKIT} HeadlessChrome/143.0.0.0 Safari/537.36", "Chrome"),
        ("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 CriOS/143.0 Mobile/15E148 Safari/604.1", "Chrome"),
        (f"Mozilla/5.0 (Windows NT 10.0) {WEBKIT} Chrome/143.0.0.0 Safari/537.36 Edg/143.0.0.0", "Edge"),
        (f"Mozilla/5.0 (Linux; Android 10) {WEBKIT} Chrome/143.0 Mobile Safari/537.36 EdgA/143.0", "Edge"),
        ("Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15", "Safari"),
        ("curl/8.5.0", "curl"),
        ("python-httpx/0.28.1", "python-httpx"),
        ("okhttp/4.12.0", "okhttp"),
        ("Go-http-client/2.0", "Go-http-client"),
        ("MyApp/1.0 (like curl/8)", "MyApp"),
        ("MyApp", "MyApp"),
        ("  MyApp/1.0", "MyApp"),
        ("My\x1b[31mApp\u202e/1", "My31mApp"),
        ("x" * 100_000, "x" * 32),
        ("\u00e9\u00e9", "unknown"),
        ("/1.0", "unknown"),
        ("", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_user_agent_has_a_family(user_agent: str | None, family: str) -> None:
    assert user_agent_family(user_agent) == family


@given(user_agent=st.text(st.characters(), max_size=200))
def test_every_family_is_short_printable_ascii(user_agent: str) -> None:
    family = user_agent_family(user_agent)
    assert 1 <= len(family) <= 32
    assert family.isascii()
    assert family.isprintable()
    assert " " not in family
