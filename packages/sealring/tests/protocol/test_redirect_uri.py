import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.protocol.client import ApplicationType
from sealring.protocol.redirect_uri import (
    find_redirect_uri,
    is_loopback_address,
    is_private_use,
    redirect_host,
    redirect_source,
    redirect_uri_problem,
)

CALLBACK = "https://app.example/callback"


@pytest.mark.parametrize(
    ("uri", "application_type"),
    [
        (CALLBACK, "web"),
        ("https://app.example", "web"),
        ("https://app.example:8443/a/b?c=d&e=f", "web"),
        ("https://app.example/callback?dummy1=lorem&dummy2=ipsum", "web"),
        ("http://localhost:3000/callback", "web"),
        ("http://127.0.0.1/callback", "native"),
        ("http://[::1]:8080/callback", "native"),
        ("com.example.app:/callback", "native"),
        ("com.example.app:callback", "native"),
    ],
)
def test_what_may_be_registered(uri: str, application_type: ApplicationType) -> None:
    assert redirect_uri_problem(uri, application_type=application_type) is None


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/callback",
        "app.example/callback",
        "//app.example/callback",
        "https:///callback",
        "https://",
        "https://app.example/callback#x",
        "https://app.example/callback#",
        "https://ada@app.example/callback",
        "https://app.example@evil.example/callback",
        "https://app.example\\@evil.example/",
        "https://APP.example/callback",
        "HTTPS://app.example/callback",
        "https://*.example/callback",
        "https://app.example/../callback",
        "https://app.example/a/./b",
        "https://app.example/%2e%2e/b",
        "https://app.example/a%2fb",
        "https://app.example/a%5cb",
        "https://app.example/a%00",
        "https://app.example/a%zz",
        "https://app.example/a b",
        "https://app.example/a\tb",
        "https://app.example/\n",
        " https://app.example/",
        "https://аpp.example/callback",
        "https://app.example:99999/",
        "https://app.example:port/",
        "https://[::1/",
        "http://app.example/callback",
        "http://10.0.0.1/callback",
        "http://localhost.evil.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "app:/callback",
        "com.example.app://evil.example/callback",
        "https://app.example/" + "a" * 2048,
    ],
)
def test_what_may_not(uri: str) -> None:
    for application_type in ("web", "native"):
        sentence = redirect_uri_problem(uri, application_type=application_type)
        assert sentence is not None
        assert sentence.endswith((".", "callback."))


def test_only_a_native_application_may_have_a_scheme_of_its_own() -> None:
    assert redirect_uri_problem("com.example.app:/callback", application_type="web") is not None


@pytest.mark.parametrize(
    "uri",
    [
        CALLBACK + "/",
        CALLBACK + "?x=1",
        CALLBACK + "x",
        CALLBACK + "/../callback",
        "https://app.example:443/callback",
        "https://app.example/Callback",
        "https://app.example/%63allback",
        "https://app.example/callback%2f",
        "https://app.example/callback#",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "https://evil.example\\.app.example/callback",
        "http://app.example/callback",
        "HTTPS://app.example/callback",
        "https://app.example//callback",
        " " + CALLBACK,
        "",
    ],
)
def test_no_other_text_is_a_registered_uri(uri: str) -> None:
    assert find_redirect_uri(uri, registered=[CALLBACK, "http://localhost:3000/callback"]) is None


def test_the_registered_text_itself_is() -> None:
    assert find_redirect_uri(CALLBACK, registered=["https://b.example", CALLBACK]) == CALLBACK


@pytest.mark.parametrize(
    ("registered", "uri", "found"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1:1/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]:1/cb", "http://[::1]:2/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=1", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://[::1]:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004@evil.example/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:x/cb", False),
        ("http://localhost:3000/cb", "http://localhost:3001/cb", False),
        ("https://app.example/cb", "https://app.example:8443/cb", False),
    ],
)
def test_only_the_port_of_a_loopback_address_may_be_another(registered: str, uri: str, *, found: bool) -> None:
    assert (find_redirect_uri(uri, registered=[registered]) == registered) is found


@given(st.text(max_size=60), st.sampled_from(["", CALLBACK, "http://127.0.0.1:", "https://app.example"]))
def test_no_text_raises_and_only_registered_ones_are_found(text: str, before: str) -> None:
    uri = before + text
    redirect_uri_problem(uri, application_type="native")
    assert (find_redirect_uri(uri, registered=[CALLBACK]) is not None) == (uri == CALLBACK)


def test_what_any_program_of_the_machine_may_claim_is_known_as_such() -> None:
    assert is_loopback_address("http://127.0.0.1:3/cb")
    assert not is_loopback_address("http://localhost:3/cb")
    assert is_private_use("com.example.app:/cb")
    assert not is_private_use(CALLBACK)


@pytest.mark.parametrize(
    ("uri", "host", "source"),
    [
        (CALLBACK, "app.example", "https://app.example"),
        ("http://127.0.0.1:8080/cb", "127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("com.example.app:/cb", "com.example.app", "com.example.app:"),
    ],
)
def test_where_a_uri_leads_is_told_to_people_and_to_browsers(uri: str, host: str, source: str) -> None:
    assert (redirect_host(uri), redirect_source(uri)) == (host, source)
