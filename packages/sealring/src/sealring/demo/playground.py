"""The playground: a page on which a newcomer signs in and watches what happens to the tokens."""

from collections.abc import Mapping
from typing import Final

from sealring.browser.origin import OriginMalformed, parse_origin
from sealring.demo.folder import AUDIENCE, ORDERS_SCOPES, PAGE_CLIENT, USERNAME, DemoProblem
from sealring.services.house import House
from sealring.web.exchange import Answer, Endpoint, Request
from sealring.web.pages.render import page_environment, render_page
from sealring.web.pages.static import read_static, static_answer

_PAGES: Final = page_environment("sealring.demo")
_FILES: Final = read_static("sealring.demo")


def playground_routes(*, api_port: int) -> Mapping[str, Mapping[str, Endpoint]]:
    """Make the routes of the page and its files. `api_port`: where the example API answers, on this machine."""
    api = parse_origin(f"http://localhost:{api_port}")
    if isinstance(api, OriginMalformed):
        raise DemoProblem(api.sentence)

    async def show_playground(_request: Request, house: House) -> Answer:
        values: dict[str, object] = {
            "base": house.issuer,
            "api": api,
            "audience": AUDIENCE,
            "client_id": PAGE_CLIENT,
            "scope": " ".join(ORDERS_SCOPES),
            "username": USERNAME,
        }
        return render_page(_PAGES, "playground.html", values, connect_src=(api,))

    async def give_file(request: Request, _house: House) -> Answer:
        return static_answer(_FILES, request)

    return {"/": {"GET": show_playground}, "/demo/static/{name}": {"GET": give_file}}
