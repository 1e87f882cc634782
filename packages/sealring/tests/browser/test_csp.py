import pytest

from sealring.browser.csp import JSON_HEADERS, closed_page_headers, page_headers
from sealring.browser.origin import Origin


def policy_of(headers: tuple[tuple[bytes, bytes], ...]) -> dict[str, list[str]]:
    policy = dict(headers)[b"content-security-policy"].decode()
    directives = [directive.split(" ") for directive in policy.split("; ")]
    return {name: sources for name, *sources in directives}


def test_a_page_runs_no_inline_code_and_sits_in_no_frame() -> None:
    policy = policy_of(page_headers())
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == ["'self'"]
    assert b"unsafe" not in dict(page_headers())[b"content-security-policy"]


def test_a_page_may_call_the_origins_that_it_names() -> None:
    policy = policy_of(page_headers(connect_src=[Origin("http://localhost:8701")]))
    assert policy["connect-src"] == ["'self'", "http://localhost:8701"]
    assert policy["script-src"] == ["'self'"]


def test_a_page_holds_frames_of_the_sources_that_it_names_alone() -> None:
    assert policy_of(page_headers(frame_src=["https://a.example"]))["frame-src"] == ["https://a.example"]
    assert "frame-src" not in policy_of(page_headers())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"cache-control", b"no-store"),
        (b"cross-origin-opener-policy", b"same-origin"),
        (b"cross-origin-resource-policy", b"same-origin"),
        (b"referrer-policy", b"strict-origin"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-frame-options", b"DENY"),
    ],
)
def test_a_page_is_kept_to_itself(name: bytes, value: bytes) -> None:
    assert (name, value) in page_headers()


def test_a_page_with_everything_within_has_its_own_policy_and_the_other_headers_of_pages() -> None:
    headers = closed_page_headers("default-src 'none'")
    assert policy_of(headers) == {"default-src": ["'none'"]}
    assert headers[1:] == page_headers()[1:]


def test_a_json_answer_is_kept_by_no_cache_and_sniffed_by_no_browser() -> None:
    assert dict(JSON_HEADERS) == {b"cache-control": b"no-store", b"x-content-type-options": b"nosniff"}


def test_header_names_are_lower_case_and_occur_once() -> None:
    for headers in (page_headers(connect_src=[Origin("https://api.example")]), JSON_HEADERS):
        names = [name for name, _ in headers]
        assert names == [name.lower() for name in names]
        assert len(names) == len(set(names))
