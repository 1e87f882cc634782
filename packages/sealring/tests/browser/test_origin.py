import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealring.browser.origin import (
    VARY_ORIGIN,
    Origin,
    OriginMalformed,
    cors_headers,
    may_be_own_form,
    parse_origin,
    preflight_headers,
)

APP = Origin("https://app.example")
LOCAL = Origin("http://localhost:3000")
REGISTERED = frozenset({APP, LOCAL})


@pytest.mark.parametrize(
    "text",
    [
        "https://app.example",
        "https://app.example:8443",
        "https://xn--bcher-kva.example",
        "https://my_app.example",
        "https://intranet",
        "https://192.0.2.1",
        "https://[2001:db8::1]:8443",
        "http://localhost",
        "http://localhost:3000",
        "http://app.localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
    ],
)
def test_an_origin_in_the_browsers_form_is_taken_as_it_is(text: str) -> None:
    assert parse_origin(text) == text


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "looks like"),
        ("null", "looks like"),
        ("*", "looks like"),
        ("app.example", "looks like"),
        ("https://*.example", "looks like"),
        ("https://user@app.example", "looks like"),
        ("ftp://app.example", "looks like"),
        ("javascript://app.example", "looks like"),
        ("https://app.example:0", "looks like"),
        ("https://app.example; script-src *", "looks like"),
        ("https://app.example\n", "without spaces"),
        ("https://App.example", "lower case"),
        ("https://app.example/", "without a slash"),
        ("https://app.example/callback", "without a slash"),
        ("https://app.example?x", "without a slash"),
        ("https://b\u00fccher.example", "xn--"),
        ("https://app.example:443", "leave it out"),
        ("http://localhost:80", "leave it out"),
        ("https://app.example:65536", "leave it out"),
        ("https://app..example", "no domain name"),
        ("https://app.example.", "no domain name"),
        ("https://-app.example", "no domain name"),
        ("https://127.1", "no domain name"),
        ("https://192.0.2.01", "no domain name"),
        ("https://[::0001]", "no domain name"),
        ("https://[::1::]", "no domain name"),
        ("http://app.example", "use https"),
        ("http://192.168.1.2", "use https"),
        ("http://localhost.evil.example", "use https"),
        ("http://[2001:db8::1]", "use https"),
        ("https://" + "a" * 300, "looks like"),
    ],
)
def test_another_text_is_refused_with_what_to_write(text: str, advice: str) -> None:
    problem = parse_origin(text)
    assert isinstance(problem, OriginMalformed)
    assert advice in problem.sentence


@given(text=st.text(max_size=60) | st.from_regex(r"https?://[a-z0-9.:\[\]_-]{1,20}(:[0-9]{1,5})?", fullmatch=True))
def test_a_parsed_origin_is_one_printable_word(text: str) -> None:
    origin = parse_origin(text)
    if not isinstance(origin, OriginMalformed):
        assert origin.isascii()
        assert not set(origin) & set(" ;,'\"\r\n*/?#@") - {"/"}
        assert origin.count("/") == 2


def test_an_answer_names_the_one_origin_and_varies_by_it() -> None:
    headers = dict(cors_headers(APP, credentials=True))
    assert headers[b"access-control-allow-origin"] == b"https://app.example"
    assert headers[b"access-control-allow-credentials"] == b"true"
    assert headers[b"vary"] == b"Origin"
    assert VARY_ORIGIN in cors_headers(APP, credentials=False)
    assert b"access-control-allow-credentials" not in dict(cors_headers(APP, credentials=False))


def test_a_preflight_names_methods_and_headers_of_the_endpoint() -> None:
    headers = dict(
        preflight_headers(
            APP, methods=["POST", "DELETE"], request_headers=["Content-Type", "Sealring-Request"], credentials=True
        )
    )
    assert headers == {
        b"access-control-allow-origin": b"https://app.example",
        b"access-control-allow-methods": b"POST, DELETE",
        b"access-control-allow-headers": b"Content-Type, Sealring-Request",
        b"access-control-allow-credentials": b"true",
        b"access-control-max-age": b"600",
        b"vary": b"Origin",
    }


@pytest.mark.parametrize(
    ("origin", "sec_fetch_site"),
    [
        ("https://login.example:8443", "same-origin"),
        ("https://login.example:8443", None),
        (None, "same-origin"),
        (None, "none"),
        (None, None),
    ],
)
def test_a_form_of_our_own_page_may_be_ours(origin: str | None, sec_fetch_site: str | None) -> None:
    assert may_be_own_form(origin, sec_fetch_site, issuer="https://login.example:8443/tenant")


@pytest.mark.parametrize(
    ("origin", "sec_fetch_site"),
    [
        ("https://app.example", None),
        ("https://login.example", None),
        ("http://login.example:8443", None),
        ("https://login.example:8443.evil.example", None),
        ("null", None),
        ("", None),
        ("https://login.example:8443", "same-site"),
        ("https://login.example:8443", "cross-site"),
        (None, "cross-site"),
        (None, "same-site"),
    ],
)
def test_a_form_of_another_page_is_not_ours(origin: str | None, sec_fetch_site: str | None) -> None:
    assert not may_be_own_form(origin, sec_fetch_site, issuer="https://login.example:8443/tenant")
