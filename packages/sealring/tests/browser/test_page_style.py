import pytest

from sealring.browser.page_style import DARK_PAPER, LIGHT_PAPER, PageStyle, contrast, page_style_problem, style_sheet


def test_our_own_style_can_be_read() -> None:
    assert page_style_problem(PageStyle()) is None
    assert contrast(PageStyle().accent, LIGHT_PAPER) >= 4.5
    assert contrast(PageStyle().accent_dark, DARK_PAPER) >= 4.5


def test_contrast_is_counted_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert contrast("#123456", "#123456") == 1


@pytest.mark.parametrize(
    ("style", "word"),
    [
        (PageStyle(name=""), "pages.name"),
        (PageStyle(name="x" * 65), "pages.name"),
        (PageStyle(name="a\u202eb"), "pages.name"),
        (PageStyle(accent="red"), "pages.accent is a colour"),
        (PageStyle(accent="#9c2f2f; } body { display: none"), "pages.accent is a colour"),
        (PageStyle(accent="#9c2f2f\n"), "pages.accent is a colour"),
        (PageStyle(accent="#ffdd00"), "pages.accent #ffdd00 is hard to read"),
        (PageStyle(accent_dark="#200000"), "pages.accent_dark #200000 is hard to read"),
    ],
)
def test_what_nobody_could_read_or_would_write_style_of_its_own_is_refused(style: PageStyle, word: str) -> None:
    assert (page_style_problem(style) or "").startswith(word)


def test_a_style_sheet_says_both_accents() -> None:
    sheet = style_sheet(PageStyle(accent="#114488", accent_dark="#88bbff")).decode()
    assert sheet.startswith(":root { --seal: #114488; }")
    assert "prefers-color-scheme: dark" in sheet
    assert "#88bbff" in sheet
