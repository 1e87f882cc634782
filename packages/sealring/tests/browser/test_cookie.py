import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.browser.cookie import CookiesRefused, clear_cookie, cookie_name, parse_cookies, set_cookie


def test_only_our_own_cookies_are_read() -> None:
    assert parse_cookies("a=b; __Host-sealring-sso=abc; theme=dark") == {"__Host-sealring-sso": "abc"}
    assert parse_cookies(None) == {}


@pytest.mark.parametrize("separator", ["; ", ";", ", "])
def test_two_cookies_of_one_name_are_refused(separator: str) -> None:
    name = "__Host-sealring-sso"
    assert parse_cookies(f"{name}=a{separator}{name}=b") == CookiesRefused(name)
    assert parse_cookies(f"{name}=a{separator}{name}=a") == CookiesRefused(name)


@pytest.mark.parametrize("value", ["", '"quoted"', "a b", "a=b", "é", "<", "x" * 4097])
def test_a_value_that_we_never_wrote_is_none(value: str) -> None:
    assert parse_cookies(f"sealring-sso={value}") in ({}, {"sealring-sso": ""})


def test_a_cookie_is_for_one_host_alone_and_out_of_reach_of_scripts() -> None:
    name = cookie_name("sso", secure=True)
    header, value = set_cookie(name, "abc", same_site="Lax", max_age=60)
    assert (header, value) == (
        b"set-cookie",
        b"__Host-sealring-sso=abc; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=60",
    )
    assert b"Domain" not in value


def test_without_tls_a_cookie_has_a_name_without_prefix() -> None:
    _, value = set_cookie(cookie_name("sso", secure=False), "abc", same_site="Strict")
    assert value == b"sealring-sso=abc; Path=/; HttpOnly; SameSite=Strict"


def test_a_cookie_is_taken_away_in_the_form_in_which_it_was_set() -> None:
    _, value = clear_cookie("__Host-sealring-sso", same_site="Lax")
    assert value == b"__Host-sealring-sso=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0"


@given(st.text(max_size=200))
def test_no_header_raises(header: str) -> None:
    parse_cookies(header)
