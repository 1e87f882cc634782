"""A person signs in to an application: a real server, a real browser, and an application that listens on loopback."""

import threading
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from sealring.compose import open_house
from sealring.protocol.client import Client, ClientPages, CodeFlow
from sealring.protocol.pkce import code_challenge_of

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PASSWORD = "a passphrase of the tests"
SECRET = "slc_of_the_tests"


class Application:
    """Listens where the browser comes back to. `told`: what each answer said, with the method by which it came."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        application = self

        class Callback(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.answer("GET", urlsplit(self.path).query)

            def do_POST(self) -> None:
                self.answer("POST", self.rfile.read(int(self.headers["content-length"])).decode())

            def answer(self, method: str, encoded: str) -> None:
                if urlsplit(self.path).path == "/callback":
                    referrer = self.headers.get("referer", "")
                    application.told.append({"method": method, "referrer": referrer, **dict(parse_qsl(encoded))})
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.end_headers()
                self.wfile.write(b'<title>Orchard</title><p id="back">You are back</p>')

            def log_message(self, *_: Any) -> None:  # noqa: ANN401 -- of http.server
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Callback)
        self.redirect_uri = f"http://127.0.0.1:{self.server.server_port}/callback"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def request(self, issuer: str, **changes: str) -> str:
        asked = {
            "client_id": "orchard",
            "redirect_uri": self.redirect_uri,
            "response_type": "code",
            "scope": "openid email",
            "state": "a state",
            "code_challenge": code_challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        return f"{issuer}/authorize?{urlencode(asked | changes)}"


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
async def issuer(installation: Any, application: Application) -> str:  # noqa: ANN401 -- of tests/conftest.py
    """A server that knows the application and the person `user-0`."""
    await installation.furnish()
    async with open_house(installation.settings()) as opened:
        shop = await opened.house.store.clients.find("shop")
        assert shop is not None
        orchard = Client(
            client_id="orchard",
            name="Orchard",
            type="confidential",
            secret_digests=shop.secret_digests,
            allowed={},
            code_flow=CodeFlow(redirect_uris=(application.redirect_uri,), id_token_signed_response_alg="ES256"),
            pages=ClientPages(policy_uri="https://orchard.example/privacy"),
            epoch=1,
            created_at=1,
        )
        assert await opened.house.store.clients.add(orchard, events=[])
    await installation.start()
    return str(installation.issuer)


@pytest.fixture
async def page(chromium: str) -> AsyncIterator[Page]:
    """A page of 360 pixels in a browser that complains of nothing."""
    faults: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--headless=shell", "--no-zygote"]
        )
        opened = await browser.new_page(viewport={"width": 360, "height": 740})
        opened.on("pageerror", lambda error: faults.append(str(error)))
        opened.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
        yield opened
        await browser.close()
    assert faults == []


async def sign_in(page: Page, password: str) -> None:
    await page.fill("#username", "user-0")
    await page.fill("#password", password)
    await page.press("#password", "Enter")


async def test_a_person_signs_in_allows_comes_back_and_is_not_asked_again(
    application: Application, issuer: str, page: Page
) -> None:
    await page.goto(application.request(issuer))
    await expect(page.locator("#login-page")).to_have_text("Sign in")
    await expect(page.locator("#username")).to_be_focused()
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await sign_in(page, "not this one, surely")
    await expect(page.get_by_role("alert")).to_contain_text("wrong_credentials")
    await expect(page.locator("#username")).to_have_value("user-0")
    await sign_in(page, PASSWORD)
    await expect(page.locator("#consent-scopes")).to_contain_text("See your e-mail address")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.click("#consent-allow")
    await expect(page.locator("#back")).to_be_visible()
    told = application.told[-1]
    assert (told["method"], told["state"], told["iss"], told["referrer"]) == ("GET", "a state", issuer, "")
    form = {
        "grant_type": "authorization_code",
        "code": told["code"],
        "redirect_uri": application.redirect_uri,
        "code_verifier": VERIFIER,
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{issuer}/token", data=form, auth=("orchard", SECRET))
    assert answer.status_code == 200, answer.text
    await page.goto(application.request(issuer, prompt="none", state="silent"))
    await expect(page.locator("#back")).to_be_visible()
    assert application.told[-1].keys() == {"method", "referrer", "code", "state", "iss"}
    assert application.told[-1]["state"] == "silent"


async def test_an_answer_by_form_goes_on_by_itself_and_a_refusal_goes_back(
    application: Application, issuer: str, page: Page
) -> None:
    await page.goto(application.request(issuer, response_mode="form_post"))
    await sign_in(page, PASSWORD)
    await page.click("#consent-deny")
    await expect(page.locator("#back")).to_be_visible()
    assert (application.told[-1]["method"], application.told[-1]["error"]) == ("POST", "access_denied")
    await page.goto(application.request(issuer, response_mode="form_post"))
    await page.click("#consent-allow")
    await expect(page.locator("#back")).to_be_visible()
    assert application.told[-1]["method"] == "POST"
    assert len(application.told[-1]["code"]) == 43


async def test_an_address_that_nobody_registered_is_a_page_of_ours(
    application: Application, issuer: str, page: Page
) -> None:
    await page.goto(application.request(issuer, redirect_uri=application.redirect_uri + "/x"))
    await expect(page.locator("#oauth-error")).to_contain_text("redirect_uri_not_registered")
    assert page.url.startswith(f"{issuer}/authorize?")
    assert application.told == []
