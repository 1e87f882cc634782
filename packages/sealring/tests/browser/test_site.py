import pytest

from sealring.browser.site import is_same_site


@pytest.mark.parametrize(
    ("origin", "issuer"),
    [
        ("https://app.example", "https://app.example"),
        ("https://app.example", "https://app.example/auth"),
        ("https://app.example:8443", "https://app.example"),
        ("https://app.example", "https://id.app.example"),
        ("https://www.app.example", "https://app.example/auth"),
        ("http://localhost:3000", "http://localhost:8000"),
        ("http://127.0.0.1:3000", "http://127.0.0.1:8000"),
        ("http://[::1]:3000", "http://[::1]:8000"),
    ],
)
def test_a_page_and_its_issuer_are_one_site(origin: str, issuer: str) -> None:
    assert is_same_site(origin, issuer)


@pytest.mark.parametrize(
    ("origin", "issuer"),
    [
        ("https://app.example", "https://id.example"),
        ("https://app.example.com", "https://id.example.com"),
        ("https://notapp.example", "https://app.example"),
        ("https://app.example.evil.example", "https://app.example"),
        ("http://app.example", "https://app.example"),
        ("http://localhost:3000", "http://127.0.0.1:3000"),
        ("http://app.localhost:3000", "http://localhost:3000"),
        ("http://1.127.0.0.1", "http://127.0.0.1"),
        ("null", "https://app.example"),
    ],
)
def test_what_only_looks_alike_is_another_site(origin: str, issuer: str) -> None:
    assert not is_same_site(origin, issuer)
