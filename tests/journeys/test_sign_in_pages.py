"""People sign in through the real pages in a real browser, by keyboard alone, on a phone's width as on a desk's."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import jwt
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from sealring.compose import open_house
from sealring.protocol.client import Client, ClientLogout, ClientPages, CodeFlow

if TYPE_CHECKING:
    from conftest import Installation

PASSWORD: Final = "a passphrase of the tests"
NEW_PASSWORD: Final = "another passphrase nobody guesses"
VERIFIER: Final = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CHALLENGE: Final = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
PHONE: Final = {"width": 360, "height": 740}
DESK: Final = {"width": 1280, "height": 800}


class Application:
    """The client's own server: it keeps what browsers bring back to it."""

    def __init__(self) -> None:
        self.port = 0
        self.brought: asyncio.Queue[tuple[str, dict[str, list[str]]]] = asyncio.Queue()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["Application"]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = (await reader.readexactly(int(length[1]))).decode() if length else ""
        target = urlsplit(head.split(" ")[1])
        if target.path != "/favicon.ico":
            self.brought.put_nowait((target.path, parse_qs(body or target.query)))
        page = b"<title>App</title><p id=submission_complete>Back in the application"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))
        await writer.drain()
        writer.close()


class Visit:
    """A browser's tab before the server, and every complaint of it."""

    def __init__(self, installation: "Installation", application: Application, page: Page) -> None:
        self.installation = installation
        self.application = application
        self.page = page
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", lambda said: self.faults.append(said.text))

    async def ask(self, **changes: str) -> None:
        asked = {
            "client_id": "web",
            "redirect_uri": f"{self.application.origin}/callback",
            "response_type": "code",
            "scope": "openid profile orders:read",
            "state": "state-1",
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
        } | changes
        await self.page.goto(f"{self.installation.issuer}/authorize?{urlencode(asked)}")

    async def sign_in(self, password: str = PASSWORD) -> None:
        """By keyboard alone, from the first field on."""
        await self.page.focus("#username")
        await self.page.keyboard.press("ControlOrMeta+a")
        await self.page.keyboard.type("user-0")
        await self.page.keyboard.press("Tab")
        await self.page.keyboard.type(password)
        await self.page.keyboard.press("Enter")

    async def brought(self) -> dict[str, list[str]]:
        path, parameters = await asyncio.wait_for(self.application.brought.get(), 10)
        assert path == "/callback"
        return parameters

    async def fits(self) -> None:
        """Nothing sticks out to the right, and each field has its label."""
        assert await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert await self.page.evaluate(
            """[...document.querySelectorAll("input:not([type=hidden])")].every((field) => field.labels.length === 1)"""
        )


@pytest.fixture
async def application() -> AsyncIterator[Application]:
    async with Application().serving() as serving:
        yield serving


@pytest.fixture
async def served(installation: "Installation", application: Application) -> AsyncIterator["Installation"]:
    await installation.furnish()
    async with open_house(installation.settings()) as opened:
        client = Client(
            client_id="web",
            name="Ada's Lamps",
            type="confidential",
            secret_digests=(sha256(b"slc_web").digest(),),
            allowed={"orders": frozenset({"orders:read"})},
            code_flow=CodeFlow(redirect_uris=(f"{application.origin}/callback",), id_token_signed_response_alg="ES256"),
            logout=ClientLogout(
                post_logout_redirect_uris=(f"{application.origin}/bye",),
                frontchannel_logout_uri=f"{application.origin}/front",
            ),
            pages=ClientPages(
                policy_uri="https://lamps.example/policy",
                tos_uri="https://lamps.example/terms",
                initiate_login_uri=f"{application.origin}/start",
            ),
            epoch=1,
            created_at=1,
        )
        await opened.house.store.clients.add(client, events=[])
    await installation.start()
    yield installation
    await installation.stop()


async def tokens(served: "Installation", application: Application, code: str) -> dict[str, str]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": f"{application.origin}/callback",
        "code_verifier": VERIFIER,
    }
    async with httpx.AsyncClient(base_url=served.issuer) as http:
        answer = await http.post("/token", data=form, auth=("web", "slc_web"))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def open_context(browser: Browser, *, width: dict[str, int], dark: bool = False) -> BrowserContext:
    return await browser.new_context(viewport=width, color_scheme="dark" if dark else "light")


@pytest.mark.parametrize("width", [DESK, PHONE], ids=["desk", "phone"])
async def test_a_person_signs_in_by_keyboard_sees_the_account_and_signs_out(
    served: "Installation", application: Application, browser: Browser, width: dict[str, int]
) -> None:
    context = await open_context(browser, width=width)
    visit = Visit(served, application, await context.new_page())
    await visit.ask()
    await visit.page.wait_for_selector("#login-page")
    await visit.fits()
    await visit.sign_in("wrong wrong wrong")
    assert "wrong" in (await visit.page.text_content("#login-error") or "")
    await visit.sign_in()
    await visit.page.wait_for_selector("#consent-allow")
    await visit.fits()
    await visit.page.focus("#consent-allow")
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_selector("#submission_complete")
    brought = await visit.brought()
    assert (brought["state"], brought["iss"]) == (["state-1"], [served.issuer])
    told = await tokens(served, application, brought["code"][0])

    await visit.ask(prompt="none")
    assert "code" in await visit.brought()

    await visit.page.goto(f"{served.issuer}/account")
    await visit.fits()
    assert "Ada's Lamps" in (await visit.page.text_content("#account-sessions") or "")
    await visit.page.fill("#current-password", PASSWORD)
    await visit.page.fill("#new-password", NEW_PASSWORD)
    await visit.page.click("#account-password-submit")
    await visit.page.wait_for_selector("#account-browsers")
    assert "No application is signed in" in (await visit.page.text_content("#account-sessions") or "")

    bye = {"id_token_hint": told["id_token"], "post_logout_redirect_uri": f"{application.origin}/bye", "state": "s"}
    await visit.page.goto(f"{served.issuer}/logout?{urlencode(bye)}")
    await visit.page.wait_for_selector("#submission_complete")
    assert await asyncio.wait_for(application.brought.get(), 10) == ("/bye", {"state": ["s"]})
    await visit.ask(prompt="none")
    assert (await visit.brought())["error"] == ["login_required"]
    # A refused password is an answer of 400, which a browser's console tells; nothing else may stand there.
    assert [fault for fault in visit.faults if "400" not in fault] == []
    await context.close()


async def test_an_answer_by_form_post_arrives_by_itself(
    served: "Installation", application: Application, browser: Browser
) -> None:
    context = await open_context(browser, width=DESK)
    visit = Visit(served, application, await context.new_page())
    await visit.ask(response_mode="form_post")
    await visit.sign_in()
    await visit.page.click("#consent-allow")
    await visit.page.wait_for_selector("#submission_complete")
    assert (await visit.brought()).keys() == {"code", "iss", "state"}
    await context.close()


async def test_without_scripts_everything_works_by_its_buttons(
    served: "Installation", application: Application, browser: Browser
) -> None:
    context = await browser.new_context(java_script_enabled=False)
    visit = Visit(served, application, await context.new_page())
    await visit.ask(response_mode="form_post")
    await visit.sign_in()
    await visit.page.click("#consent-allow")
    await visit.page.click("button")
    assert (await visit.brought()).keys() == {"code", "iss", "state"}
    await visit.page.goto(f"{served.issuer}/logout")
    await visit.page.click("#logout-confirm")
    assert await visit.page.is_visible("#logged-out")
    await context.close()


async def test_a_page_of_another_site_can_neither_frame_nor_forge_a_log_in(
    served: "Installation", application: Application, browser: Browser
) -> None:
    context = await open_context(browser, width=DESK)
    visit = Visit(served, application, await context.new_page())
    await visit.page.goto(f"{application.origin}/evil")
    frame = f"<iframe src='{served.issuer}/account'></iframe>"
    fields = "<input name=username value=user-0><button>x</button>"
    form = f"<form method=post action='{served.issuer}/login'>{fields}</form>"
    await visit.page.evaluate("(html) => { document.body.innerHTML = html; }", frame + form)
    await visit.page.wait_for_timeout(300)
    assert [await each.query_selector("#login-page") for each in visit.page.frames[1:]] == [None]
    await visit.page.click("button")
    await visit.page.wait_for_selector("#oauth-error")
    assert "cross_site_form" in (await visit.page.text_content("#oauth-error") or "")
    await context.close()


async def test_the_cookies_of_a_browser_open_nothing_to_a_script(
    served: "Installation", application: Application, browser: Browser
) -> None:
    context = await open_context(browser, width=DESK)
    visit = Visit(served, application, await context.new_page())
    await visit.ask()
    await visit.sign_in()
    await visit.page.wait_for_selector("#consent-allow")
    assert await visit.page.evaluate("document.cookie") == ""
    kept = {cookie["name"]: cookie for cookie in await context.cookies()}
    assert kept.keys() == {"sealring-sso", "sealring-interaction", "sealring-device"}
    assert all(cookie["httpOnly"] and cookie["sameSite"] == "Lax" for cookie in kept.values())
    await context.close()


async def test_with_the_front_channel_the_applications_page_is_loaded_before_the_browser_goes_on(
    served: "Installation", application: Application, browser: Browser
) -> None:
    await served.stop()
    served.configure(rest="[logout]\nfront_channel = true")
    await served.start()
    assert "front_channel_logout_is_on" in (served.folder / "server.log").read_text()
    context = await open_context(browser, width=DESK)
    visit = Visit(served, application, await context.new_page())
    await visit.ask()
    await visit.sign_in()
    await visit.page.click("#consent-allow")
    await visit.page.wait_for_selector("#submission_complete")
    told = await tokens(served, application, (await visit.brought())["code"][0])
    bye = {"id_token_hint": told["id_token"], "post_logout_redirect_uri": f"{application.origin}/bye"}
    await visit.page.goto(f"{served.issuer}/logout?{urlencode(bye)}")
    sid = jwt.decode(told["id_token"], options={"verify_signature": False})["sid"]
    loaded = await asyncio.wait_for(application.brought.get(), 10)
    assert loaded == ("/front", {"iss": [served.issuer], "sid": [sid]})
    assert await visit.page.is_visible("#logged-out-continue")
    assert await asyncio.wait_for(application.brought.get(), 10) == ("/bye", {})
    assert visit.faults == []
    await context.close()


async def test_an_account_is_chosen_by_one_press_and_a_log_in_begins_from_the_account_page(
    served: "Installation", application: Application, browser: Browser
) -> None:
    context = await open_context(browser, width=PHONE)
    visit = Visit(served, application, await context.new_page())
    await visit.ask()
    await visit.sign_in()
    await visit.page.click("#consent-allow")
    await visit.page.wait_for_selector("#submission_complete")
    await visit.brought()
    await asyncio.sleep(0.01)
    await visit.ask(prompt="select_account")
    await visit.fits()
    await visit.page.focus("#login-continue")
    await visit.page.keyboard.press("Enter")
    await visit.page.wait_for_selector("#submission_complete")
    assert "code" in await visit.brought()

    await visit.page.goto(f"{served.issuer}/account")
    await visit.fits()
    await visit.page.click("#account-applications a")
    path, parameters = await asyncio.wait_for(application.brought.get(), 10)
    assert (path, parameters) == ("/start", {"iss": [served.issuer]})
    assert visit.faults == []
    await context.close()
