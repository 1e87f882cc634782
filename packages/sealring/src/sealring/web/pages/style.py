"""An installation's own accents and logo, from our own origin: pages load nothing from anywhere else."""

from sealring.browser.page_style import style_sheet
from sealring.protocol.errors import refuse
from sealring.services.house import House
from sealring.web.exchange import Answer, Request, refusal_answer
from sealring.web.pages.static import file_answer


async def get_style(request: Request, house: House) -> Answer:
    """Give the style sheet of the installation's accents."""
    return file_answer(b"text/css; charset=utf-8", style_sheet(house.page_style), request)


async def get_logo(request: Request, house: House) -> Answer:
    """Give the installation's logo; as a page of its own, an SVG must not run what is in it."""
    logo = house.page_style.logo
    if logo is None:
        return refusal_answer(refuse("not_found"))
    alone = (b"content-security-policy", b"default-src 'none'; style-src 'unsafe-inline'; sandbox")
    return file_answer(logo.media_type, logo.content, request, headers=(alone,))
