import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.browser.cookie import (
    CookiesRefused,
    clear_cookie,
    cookie_name,
    parse_cookies,
    set_cookie,
    without_own_cookies,
)

SSO = "__Host-sealring-sso"


def test_cookies_of_ours_are_read_beside_those_of_others() -> None:
    header = f"theme=dark; {SSO}=abc; sealring-device=d.e~f; x=1; x=2"
    assert parse_cookies(header, secure=True) == {SSO: "abc"}
    assert parse_cookies(header, secure=False) == {"sealring-device": "d.e~f"}
    assert parse_cookies(None, secure=True) == {}


def test_a_neighbour_that_plants_names_without_the_prefix_blocks_nobody_over_tls() -> None:
    assert parse_cookies(f"sealring-sso=a; {SSO}=own; sealring-sso=b", secure=True) == {SSO: "own"}


@pytest.mark.parametrize("between", ["; ", ";", ", "])
def test_two_cookies_of_one_name_are_refused_since_somebody_tossed_one(between: str) -> None:
    assert parse_cookies(f"{SSO}=planted{between}{SSO}=own", secure=True) == CookiesRefused(SSO)
    assert parse_cookies(f"{SSO}=same{between}{SSO}=same", secure=True) == CookiesRefused(SSO)
    # Also one whose value we would not have read.
    assert parse_cookies(f'{SSO}="x y"{between}{SSO}=own', secure=True) == CookiesRefused(SSO)


@pytest.mark.parametrize("value", ["", '"quoted"', "a b", "a=b", "é", "\x00", "x" * 4097])
def test_a_value_that_we_never_write_is_no_cookie_of_ours(value: str) -> None:
    assert parse_cookies(f"{SSO}={value}", secure=True) == {}


@given(header=st.text(st.characters(max_codepoint=255), max_size=200))
def test_any_header_is_read_or_refused(header: str) -> None:
    cookies = parse_cookies(header, secure=False)
    assert isinstance(cookies, CookiesRefused) or all(name.startswith("sealring-") for name in cookies)


def test_a_cookie_is_for_this_host_alone_and_out_of_reach_of_scripts() -> None:
    name, value = set_cookie(cookie_name("sso", secure=True), "v", same_site="Lax")
    assert name == b"set-cookie"
    assert value == b"__Host-sealring-sso=v; Path=/; HttpOnly; SameSite=Lax; Secure"
    assert b"Domain" not in value


def test_without_tls_a_cookie_has_a_name_without_prefix() -> None:
    _, value = set_cookie(cookie_name("sso", secure=False), "v", same_site="Strict", max_age=60)
    assert value == b"sealring-sso=v; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"


def test_a_cookie_is_taken_away() -> None:
    assert b"Max-Age=0" in clear_cookie(SSO, same_site="Lax")[1]


@given(st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60))
def test_no_cookie_of_ours_goes_on_to_a_service(text: str) -> None:
    header = f"a=1; __Host-sealring-gate=x; {text}; __Host-sealring-sso=y"
    kept = without_own_cookies(header, secure=True)
    assert not any(pair.strip().startswith("__Host-sealring-") for pair in kept.split(";"))
    assert kept.startswith("a=1")
    assert without_own_cookies(kept, secure=True) == kept


def test_cookies_of_others_go_on_as_they_were() -> None:
    assert without_own_cookies('a="b c"; d; e=f=g', secure=True) == 'a="b c"; d; e=f=g'
    assert without_own_cookies(None, secure=True) == ""
    assert without_own_cookies("sealring-gate=x; a=1", secure=False) == "a=1"
