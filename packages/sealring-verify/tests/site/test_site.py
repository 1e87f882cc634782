"""What a site does when its issuer is not there; with one, tests/journeys/test_classic_site.py goes the whole way."""

import os
from urllib.parse import parse_qs, urlsplit

import pytest

from sealring_verify.site.sealing import cookie_key, seal
from sealring_verify.site.session import Anonymous, SessionUnknown, SiteSession, User
from sealring_verify.site.settings import SiteSettings
from sealring_verify.site.sign_in import SignInRefused
from sealring_verify.site.site import Redirect, Site

# Nobody listens there.
SETTINGS = SiteSettings(
    issuer="https://127.0.0.1:1", client_id="site", client_secret="slc_x", site="https://shop.example"
)
SITE = Site(SETTINGS, clock=lambda: 1_800_000_000)


def cookies(redirect: Redirect) -> dict[str, str]:
    return {cookie.name: cookie.value for cookie in redirect.cookies}


def signed_in() -> dict[str, str]:
    name = "__Host-sealring-site-session"
    session = SiteSession(refresh_token="slr_a", id_token="a.b.c", user=User(sub="ada"))
    sealed = seal(session, name=name, key=cookie_key(SETTINGS), randomness=os.urandom)
    assert sealed is not None
    return {name: sealed}


def test_each_sign_in_has_a_cookie_of_its_own_that_no_neighbour_can_plant() -> None:
    first, second = SITE.send_to_sign_in("/a", {}), SITE.send_to_sign_in("/b", {})
    assert cookies(first).keys().isdisjoint(cookies(second).keys())
    for cookie in (*first.cookies, *second.cookies):
        assert cookie.name.startswith("__Host-sealring-site-sign-in-")
        assert (cookie.secure, cookie.max_age) == (True, 600)


def test_a_browser_keeps_the_latest_sign_ins_and_no_pile_of_them() -> None:
    now = iter(range(1_800_000_000, 1_800_000_100))
    site = Site(SETTINGS, clock=lambda: next(now))
    kept: dict[str, str] = {"a-cookie-of-the-site": "x", "__Host-sealring-site-sign-in-planted": "x"}
    begun: list[str] = []
    for _ in range(20):
        new, *forgotten = site.send_to_sign_in("/" + "a" * 1000, kept).cookies
        assert {(cookie.value, cookie.max_age) for cookie in forgotten} <= {("", 0)}
        kept = {name: value for name, value in kept.items() if name not in {cookie.name for cookie in forgotten}}
        kept[new.name] = new.value
        begun.append(new.name)
    assert kept.keys() == {"a-cookie-of-the-site", *begun[-5:]}


def test_without_an_answer_nobody_is_signed_in_and_nobody_is_signed_out() -> None:
    redirect = SITE.send_to_sign_in("/a", {})
    state = parse_qs(urlsplit(redirect.location).query)["state"]
    returned = {"code": ["c"], "state": state, "iss": [SETTINGS.issuer]}
    assert SITE.finish_sign_in(returned, cookies(redirect)) == SignInRefused(code="issuer_unavailable")
    with pytest.raises(SessionUnknown):
        SITE.find_user(signed_in())


def test_a_browser_without_a_session_asks_nobody() -> None:
    assert SITE.find_user({}) == Anonymous()
    assert SITE.find_user({"__Host-sealring-site-session": "x"}) == Anonymous()


def test_a_sign_out_takes_the_cookie_away_even_where_the_issuer_does_not_answer() -> None:
    redirect = SITE.sign_out(signed_in())
    assert [(cookie.value, cookie.max_age) for cookie in redirect.cookies] == [("", 0)]
    assert "id_token_hint=a.b.c" in redirect.location


@pytest.mark.parametrize("origin", [None, "null", "", "https://shop.example.evil", "http://shop.example"])
def test_only_a_form_of_the_sites_own_counts(origin: str | None) -> None:
    assert SITE.is_own_page("https://shop.example", None)
    for fetch_site in (None, "", "same-site", "cross-site", "none"):
        assert not SITE.is_own_page(origin, fetch_site)


def test_a_form_of_a_page_that_wants_no_referer_is_the_sites_own_where_the_browser_says_so() -> None:
    assert SITE.is_own_page("null", "same-origin")
    assert not SITE.is_own_page("https://evil.example", "same-origin")
