"""`/inspect`: the token inspector, one file that sends nothing and asks for nothing."""

from typing import Final

from sealring.browser.csp import closed_page_headers
from sealring.services.house import House
from sealring.web.exchange import Answer, Request
from sealring_verify.inspect.page import write_page

_PAGE: Final = write_page()
_ANSWER: Final = Answer(
    status=200,
    headers=((b"content-type", b"text/html; charset=utf-8"), *closed_page_headers(_PAGE.policy)),
    body=_PAGE.document,
)


async def get_inspect(_request: Request, _house: House) -> Answer:
    """Give the page, the same octets as docs/inspector.html."""
    return _ANSWER
