"""The framework's sections of docs/how-to/protect-your-api.md, run as printed, each against its framework."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import LocalIssuer, Site

_PAGE = (Path(__file__).parents[4] / "docs/how-to/protect-your-api.md").read_text()
_SECTIONS = dict(re.findall(r"^### (.+?)\n(.*?)(?=^##)", _PAGE, re.DOTALL | re.MULTILINE))


def _program(heading: str) -> str:
    (block,) = re.findall(r"```python\n(.*?)```", _SECTIONS[heading], re.DOTALL)
    return str(block)


def _run(heading: str, issuer: "LocalIssuer", **names: Any) -> dict[str, Any]:  # noqa: ANN401 - what another block made
    names["__name__"] = "the_page"
    exec(_program(heading).replace("https://id.example.com", issuer.url), names)  # noqa: S102 - our own page
    return names


def _check(good: httpx.Response, refused: httpx.Response) -> None:
    assert good.json() == ["the lamp of u1"]
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")


def _bearer(issuer: "LocalIssuer") -> dict[str, str]:
    return {"Authorization": f"Bearer {issuer.token()}"}


@pytest.mark.parametrize("heading", ["FastAPI", "Starlette and other ASGI applications"])
async def test_an_asgi_application_demands_a_token_as_the_page_shows(issuer: "LocalIssuer", heading: str) -> None:
    app = _run(heading, issuer)["app"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://api.example") as browser:
        _check(await browser.get("/orders", headers=_bearer(issuer)), await browser.get("/orders"))


def test_flask_demands_a_token_as_the_page_shows(issuer: "LocalIssuer") -> None:
    app = _run("Flask", issuer)["app"]
    with httpx.Client(transport=httpx.WSGITransport(app=app), base_url="http://api.example") as browser:
        _check(browser.get("/orders", headers=_bearer(issuer)), browser.get("/orders"))
    app = _run("Flask", issuer)["app"]
    _run("List what is open", issuer, app=app)
    app.add_url_rule("/forgotten", view_func=lambda: "x", endpoint="forgotten")
    with pytest.raises(RuntimeError, match="nothing protects GET /forgotten"):
        _run("List what is open", issuer, app=app)


@pytest.mark.parametrize("heading", ["Django", "Django REST framework"])
def test_a_site_demands_a_token_as_the_page_shows(site: "Site", issuer: "LocalIssuer", heading: str) -> None:
    site.open()
    site.open(*_run(heading, issuer)["urlpatterns"])
    browser = site.browser()
    _check(browser.get("/orders", headers=_bearer(issuer)), browser.get("/orders"))


def test_a_recent_sign_in_is_demanded_anywhere_else(issuer: "LocalIssuer") -> None:
    from sealring_verify import InsufficientAuthentication, StepUp, Verifier

    verifier, token = Verifier(issuer.url, "orders"), issuer.token(auth_time=1000)
    assert "verifier.verify(token, step_up=StepUp(max_age=300))" in _SECTIONS["Demand a recent or a strong sign-in"]
    with pytest.raises(InsufficientAuthentication):
        verifier.verify(token, step_up=StepUp(max_age=300))
    recent = issuer.token(auth_time=issuer.claims()["iat"])
    assert verifier.verify(recent, step_up=StepUp(max_age=300)).sub == "u1"


def test_the_metadata_document_is_where_the_page_says(issuer: "LocalIssuer") -> None:
    from sealring_verify.integrations.asgi import Verifier

    section = _SECTIONS["Tell clients where tokens come from"]
    verifier = Verifier(issuer.url, "orders", resource="https://api.example.com/orders")
    assert 'resource="https://api.example.com/orders"' in section
    assert f"`https://api.example.com{verifier.metadata_path()}`" in section
