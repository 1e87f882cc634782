import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring_verify.site.sealing import cookie_key, seal, unseal
from sealring_verify.site.session import SiteSession, User
from sealring_verify.site.settings import SiteSettings
from sealring_verify.site.sign_in import Pending, begin

SETTINGS = SiteSettings(
    issuer="https://id.example", client_id="site", client_secret="slc_x", site="https://shop.example"
)
KEY = cookie_key(SETTINGS)
SESSION = SiteSession(refresh_token="slr_secret", id_token="a.b.c", user=User(sub="ada", claims={"sub": "ada"}))


def sealed(name: str = "session") -> str:
    text = seal(SESSION, name=name, key=KEY, randomness=os.urandom)
    assert text is not None
    return text


def test_a_site_reads_what_it_wrote_and_nobody_else_does() -> None:
    text = sealed()
    assert unseal(text, SiteSession, name="session", key=KEY) == SESSION
    assert "slr_" not in text
    assert "slr_secret" not in repr(SESSION)
    assert "a.b.c" not in repr(SESSION)


def test_one_cookie_is_not_taken_for_another() -> None:
    assert unseal(sealed("session"), SiteSession, name="sign-in", key=KEY) is None
    pending = begin(return_to="/", now=1, randomness=os.urandom)
    text = seal(pending, name="session", key=KEY, randomness=os.urandom)
    assert text is not None
    assert unseal(text, SiteSession, name="session", key=KEY) is None
    assert unseal(text, Pending, name="session", key=KEY) == pending


@pytest.mark.parametrize("change", [{"client_secret": "slc_y"}, {"client_id": "other"}, {"site": "https://a.example"}])
def test_a_changed_secret_another_client_and_another_site_open_nothing(change: dict[str, str]) -> None:
    members = {name: getattr(SETTINGS, name) for name in ("issuer", "client_id", "client_secret", "site")}
    key = cookie_key(SiteSettings(**members | change))
    assert unseal(sealed(), SiteSession, name="session", key=key) is None


@given(st.integers(min_value=0, max_value=10_000), st.integers(min_value=1, max_value=255))
def test_an_altered_cookie_is_nobodys(place: int, change: int) -> None:
    octets = bytearray(sealed().encode())
    octets[place % len(octets)] ^= change
    assert unseal(octets.decode("latin-1"), SiteSession, name="session", key=KEY) is None


@given(st.text())
def test_whatever_comes_is_no_exception(text: str) -> None:
    assert unseal(text, SiteSession, name="session", key=KEY) is None


def test_what_no_browser_would_keep_is_not_sealed() -> None:
    large = SiteSession(refresh_token="slr_", id_token="x" * 4000, user=User(sub="ada"))
    assert seal(large, name="session", key=KEY, randomness=os.urandom) is None
