import pytest

from sealring_verify.integrations.site_page import refusal_page


@pytest.mark.parametrize(
    ("code", "status"),
    [("state_mismatch", 400), ("access_denied", 400), ("foreign_form", 403), ("issuer_unavailable", 503), ("new", 400)],
)
def test_each_code_has_its_status_and_stands_on_the_page(code: str, status: int) -> None:
    answered, page, headers = refusal_page(code)
    assert answered == status
    assert f"<code>{code}</code>" in page
    assert ("Retry-After" in headers) == (status == 503)
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")


def test_a_page_runs_nothing_and_shows_nothing_as_markup() -> None:
    _, page, headers = refusal_page("<script>alert(1)</script>")
    assert "<script>" not in page
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
