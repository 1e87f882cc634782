"""What examples/fastapi_api has beyond the other examples: it is the demo's, and a page calls it."""

from typing import TYPE_CHECKING

import httpx

if TYPE_CHECKING:
    from conftest import LocalIssuer, Start

_COMMAND = ("-m", "uvicorn", "main:app", "--port", "{port}", "--log-level", "warning")


def test_a_page_of_the_named_origin_may_call_the_example(start: "Start", issuer: "LocalIssuer") -> None:
    told = {"SEALRING_ISSUER": issuer.url, "SEALRING_AUDIENCE": "orders"}
    api = start("fastapi_api", *_COMMAND, ORDERS_PAGE_ORIGIN="http://localhost:8700", **told)

    def preflight(origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        return api.options("/orders", headers={"Origin": origin, **asked})

    allowed = preflight("http://localhost:8700")
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://localhost:8700"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert "Access-Control-Allow-Origin" not in preflight("http://evil.example").headers
