"""How an installation's pages look: its name, its logo and its two accents, written as a style sheet of our own."""

import re
from typing import Final

from msgspec import Struct

_COLOUR: Final = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_LONGEST_NAME: Final = 64  # characters
_LEAST_CONTRAST: Final = 4.5  # WCAG 2.2, 1.4.3
LIGHT_PAPER: Final = "#fbfaf7"
DARK_PAPER: Final = "#171a21"
LOGO_TYPES: Final = {".svg": b"image/svg+xml", ".png": b"image/png", ".webp": b"image/webp"}
"""The files that can be a logo, by suffix, and their media types."""


class Logo(Struct, frozen=True):
    """A logo as it is served."""

    media_type: bytes
    content: bytes


class PageStyle(Struct, frozen=True, kw_only=True):
    """What people see of an installation. `accent`, `accent_dark`: `#rrggbb`, on light paper and on dark."""

    name: str = "Sealring"
    accent: str = "#9c2f2f"
    accent_dark: str = "#e08a7d"
    logo: Logo | None = None


def page_style_problem(style: PageStyle) -> str | None:
    """Say what is wrong with a style, as a sentence: also where people could not read what is written in it."""
    if not 1 <= len(style.name) <= _LONGEST_NAME or not style.name.isprintable():
        return f"pages.name has 1 to {_LONGEST_NAME} printable characters."
    for setting, colour, paper in (
        ("pages.accent", style.accent, LIGHT_PAPER),
        ("pages.accent_dark", style.accent_dark, DARK_PAPER),
    ):
        if not _COLOUR.fullmatch(colour):
            return f"{setting} is a colour like #9c2f2f."
        if contrast(colour, paper) < _LEAST_CONTRAST:
            return f"{setting} {colour} is hard to read on the paper {paper}: take a stronger colour."
    return None


def style_sheet(style: PageStyle) -> bytes:
    """Write the style sheet that gives our pages an installation's accents."""
    dark = f"@media (prefers-color-scheme: dark) {{ :root {{ --seal: {style.accent_dark}; }} }}"
    return f":root {{ --seal: {style.accent}; }}\n{dark}\n".encode("ascii")


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, "contrast ratio"): 1 to 21."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
