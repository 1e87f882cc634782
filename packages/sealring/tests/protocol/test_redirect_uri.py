from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import ApplicationType
from sealring.protocol.redirect_uri import (
    find_redirect_uri,
    is_loopback_address,
    is_on_this_machine,
    is_private_use,
    redirect_host,
    redirect_source,
    redirect_uri_problem,
)

REGISTERED = "https://app.example/callback"
LOOPBACK = "http://127.0.0.1/callback"
TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x2FF), max_size=40)


@pytest.mark.parametrize(
    ("uri", "application_type"),
    [
        ("https://app.example/callback", "web"),
        ("https://app.example", "web"),
        ("https://app.example:8443/a/b?tenant=one&x=%2Fy", "web"),
        ("http://localhost:3000/callback", "web"),
        ("http://127.0.0.1/callback", "native"),
        ("http://[::1]:9000/callback", "native"),
        ("com.example.app:/callback", "native"),
        ("com.example.app:callback", "native"),
    ],
)
def test_these_may_be_registered(uri: str, application_type: ApplicationType) -> None:
    assert redirect_uri_problem(uri, application_type=application_type) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "//app.example/callback",
        "http://app.example/callback",  # not on this machine
        "http://127.0.0.1.app.example/",
        "http://127.0.0.2/",
        "http://localhost.app.example/",
        "https://app.example/callback#part",
        "https://app.example/callback#",
        "https://user@app.example/callback",
        "https://app.example@evil.example/",
        "https://app.example:443@evil.example/",
        "https://*.app.example/callback",
        "https://app.example/*/\\evil",
        "https:\\\\app.example\\callback",
        "https://app.example\\@evil.example/",
        "https:///callback",
        "https:/app.example/callback",
        "https:app.example",
        "https://APP.example/callback",
        "HTTPS://app.example/callback",
        "https://app.example/a/../callback",
        "https://app.example/./callback",
        "https://app.example/a%2fcallback",
        "https://app.example/%2e%2e/callback",
        "https://app.example/%5ccallback",
        "https://app.example/%0d%0aset-cookie",
        "https://app.example/%zz",
        "https://app.example/ callback",
        "https://app.example/\tcallback",
        "https://app.example/\ncallback",
        "https://app.example/\x00",
        "https://äpp.example/callback",
        "https://app.example:99999/",
        "https://app.example:/",
        "https://app.example;script-src/",
        "javascript:alert(1)",
        "data:text/html,x",
        "app:/callback",
        "com.example.app://host/callback",
        "https://app.example/" + "a" * 2048,
    ],
)
def test_these_may_not_be_registered_by_anybody(uri: str) -> None:
    assert redirect_uri_problem(uri, application_type="native") is not None


def test_a_web_application_has_no_scheme_of_its_own() -> None:
    assert redirect_uri_problem("com.example.app:/callback", application_type="web") is not None


@pytest.mark.parametrize(
    "asked",
    [
        "https://app.example/callback/",
        "https://app.example/callback2",  # suffix
        "https://app.example/callback?x=1",
        "https://app.example/callback?",
        "https://app.example/callback#",
        "https://app.example/callback#x",
        "https://app.example/Callback",  # case
        "https://APP.example/callback",
        "HTTPS://app.example/callback",
        "http://app.example/callback",
        "https://app.example:443/callback",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",  # userinfo
        "https://user@app.example/callback",
        "https://evil.example/https://app.example/callback",
        "https://app.example\\@evil.example/callback",  # backslash
        "https:\\\\app.example/callback",
        "https://app.example/x/../callback",
        "https://app.example/%63allback",
        "https://app.example%2fcallback",  # encoded slash
        "https://app.example/callback%00",
        "https://app.example/callback ",
        " https://app.example/callback",
        "https://app.example/call\nback",
        "",
    ],
)
def test_a_redirect_uri_that_only_resembles_the_registered_one_is_another(asked: str) -> None:
    assert find_redirect_uri(asked, registered=[REGISTERED, LOOPBACK]) is None


@given(asked=TEXT | TEXT.map(lambda end: REGISTERED + end) | TEXT.map(lambda start: start + REGISTERED))
def test_no_other_text_than_the_registered_one_is_the_same(asked: str) -> None:
    assert (find_redirect_uri(asked, registered=[REGISTERED]) == REGISTERED) == (asked == REGISTERED)


@given(port=st.integers(1, 65535))
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
def test_a_loopback_address_may_come_with_any_port(host: str, port: int) -> None:
    known = f"http://{host}:1234/callback"
    assert find_redirect_uri(f"http://{host}:{port}/callback", registered=[known]) == known
    assert find_redirect_uri(f"http://{host}/callback", registered=[known]) == known


@pytest.mark.parametrize(
    "asked",
    [
        "http://127.0.0.1:8000/other",
        "http://127.0.0.1:8000/callback?",
        "http://127.0.0.1:8000/callback?x",
        "http://127.0.0.1:8000@evil.example/callback",
        "http://127.0.0.1:8000.evil.example/callback",
        "http://127.0.0.1:/callback",
        "http://127.0.0.1:0800/callback",
        "http://127.0.0.1:99999/callback",
        "http://[::1]:8000/callback",
        "http://localhost:8000/callback",
        "https://127.0.0.1:8000/callback",
        "HTTP://127.0.0.1:8000/callback",
    ],
)
def test_of_a_loopback_address_only_the_port_may_be_another(asked: str) -> None:
    assert find_redirect_uri(asked, registered=[LOOPBACK]) is None


def test_the_name_localhost_has_the_port_that_was_registered() -> None:
    known = "http://localhost:3000/callback"
    assert find_redirect_uri(known, registered=[known]) == known
    assert find_redirect_uri("http://localhost:3001/callback", registered=[known]) is None


@given(asked=TEXT.map(lambda end: "http://127.0.0.1" + end))
def test_what_passes_for_a_loopback_address_leads_to_it(asked: str) -> None:
    if find_redirect_uri(asked, registered=[LOOPBACK]) is not None:
        parts = urlsplit(asked)
        assert (parts.scheme, parts.hostname, parts.path, parts.username) == ("http", "127.0.0.1", "/callback", None)


def test_who_listens_at_a_redirect_uri_is_told_apart() -> None:
    assert is_loopback_address("http://127.0.0.1:1/x")
    assert not is_loopback_address("http://localhost:1/x")
    assert is_on_this_machine("http://localhost:1/x")
    assert not is_on_this_machine("https://localhost.example/x")
    assert is_private_use("com.example.app:/x")
    assert not is_private_use("https://app.example/x")


@pytest.mark.parametrize(
    ("uri", "source", "host"),
    [
        ("https://app.example:8443/x?y", "https://app.example:8443", "app.example:8443"),
        ("http://[::1]:9000/x", "http:", "[::1]:9000"),
        ("com.example.app:/x", "com.example.app:", "com.example.app"),
    ],
)
def test_a_redirect_uri_is_shown_and_written_into_a_policy(uri: str, source: str, host: str) -> None:
    assert redirect_source(uri) == source
    assert redirect_host(uri) == host


@given(uri=TEXT.map(lambda text: "https://" + text))
def test_no_redirect_uri_writes_policy_of_its_own(uri: str) -> None:
    try:
        source = redirect_source(uri)
    except ValueError:
        return
    assert not set(source) & set("; ,'\n")
