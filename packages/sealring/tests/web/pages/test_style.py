from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sealring.compose.problem import ComposeProblem

SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


async def test_pages_wear_the_name_the_logo_and_the_accents_of_the_installation(
    open_site: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "logo.svg").write_bytes(SVG)
    pages = {"name": "Orchard & Co", "logo_file": "logo.svg", "accent": "#114488", "accent_dark": "#88bbff"}
    async with open_site(pages=pages) as site:
        page = await site.http.get("/authorize")
        assert "<title>This did not work · Orchard &amp; Co</title>" in page.text
        assert f'<img class="logo" src="{site.opened.house.issuer}/static/logo" alt="">' in page.text
        sheet = await site.http.get("/static/style.css")
        assert sheet.headers["content-type"].startswith("text/css")
        assert "#114488" in sheet.text
        logo = await site.http.get("/static/logo")
        assert (logo.content, logo.headers["content-type"]) == (SVG, "image/svg+xml")
        # Opened by itself it is a document of our origin, and runs nothing.
        assert "sandbox" in logo.headers["content-security-policy"]
        assert "default-src 'none'" in logo.headers["content-security-policy"]


async def test_without_a_logo_there_is_none(open_site: Callable[..., Any]) -> None:
    async with open_site() as site:
        assert (await site.http.get("/static/logo")).status_code == 404
        assert "<img" not in (await site.http.get("/authorize")).text


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("logo.gif", b"GIF89a", "is no .svg, .png, .webp file"),
        ("nothing.png", None, "cannot be read"),
        ("large.png", b"x" * (256 * 1024 + 1), "is larger than 256 KiB"),
    ],
)
async def test_a_logo_that_cannot_be_served_stops_the_start(
    open_site: Callable[..., Any], tmp_path: Path, *, name: str, content: bytes | None, sentence: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ComposeProblem, match=sentence):
        async with open_site(pages={"logo_file": name}):
            pass
