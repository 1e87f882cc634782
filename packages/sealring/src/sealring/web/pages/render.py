"""Templates into pages, with the headers that every page of ours carries (SECURITY D3)."""

from collections.abc import Sequence

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from sealring.browser.csp import page_headers
from sealring.browser.origin import Origin
from sealring.web.exchange import Answer


def page_environment(package: str) -> Environment:
    """Make the environment of a package's folder `templates`: autoescape on, an unknown name is an error.

    The frame of all pages, `page.html`, is found from every package.
    """
    loader = ChoiceLoader([PackageLoader(package), PackageLoader("sealring.web")])
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined)


def render_page(
    environment: Environment, template: str, values: dict[str, object], *, connect_src: Sequence[Origin] = ()
) -> Answer:
    """Render a template into an answer."""
    body = environment.get_template(template).render(values).encode()
    headers = ((b"content-type", b"text/html; charset=utf-8"), *page_headers(connect_src=connect_src))
    return Answer(status=200, headers=headers, body=body)
