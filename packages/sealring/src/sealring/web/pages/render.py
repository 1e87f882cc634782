"""Templates into pages, with the headers that every page of ours carries (SECURITY D3)."""

from collections.abc import Sequence
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from sealring.browser.csp import page_headers
from sealring.browser.origin import Origin
from sealring.services.house import House
from sealring.web.exchange import Answer, Headers


def page_environment(package: str) -> Environment:
    """Make the environment of a package's folder `templates`: autoescape on, an unknown name is an error.

    The frame of all pages, `page.html`, is found from every package.
    """
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("sealring.web")])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


PAGES: Final = page_environment("sealring.web")
"""Our own pages."""


def page_values(house: House, values: dict[str, object]) -> dict[str, object]:
    """Add to a page's values what the frame of every page needs."""
    return {"base": house.issuer, "style": house.page_style, **values}


def render_page(
    environment: Environment,
    template: str,
    values: dict[str, object],
    *,
    status: int = 200,
    connect_src: Sequence[Origin] = (),
    form_action: Sequence[str] = (),
    frame_src: Sequence[str] = (),
    headers: Headers = (),
) -> Answer:
    """Render a template into an answer. `form_action`, `frame_src`: as in `page_headers`."""
    body = environment.get_template(template).render(values).encode()
    page = page_headers(connect_src=connect_src, form_action=form_action, frame_src=frame_src)
    return Answer(status=status, headers=((b"content-type", b"text/html; charset=utf-8"), *page, *headers), body=body)
