"""`@sealring/browser` in a real Chromium: signed in over reloads, tabs, lost answers and a night asleep."""

import asyncio
import gzip
import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import Browser, BrowserContext, Page, Request, Route

from sealring.compose import open_house
from sealring.protocol.client import Client, CodeFlow
from sealring_verify import TokenRefused, Verifier

if TYPE_CHECKING:
    from conftest import BrowserPackage, Installation

PASSWORD: Final = "a passphrase of the tests"
CLIENT: Final = Path(__file__).parents[2] / "clients/browser"
HOW_TO: Final = Path(__file__).parents[2] / "docs/how-to/sign-in-from-a-page.md"
LARGEST: Final = 6144  # octets of the module, compressed
PAGE: Final = """<!doctype html><title>Shop</title><script type="module">
import {Sealring, SealringError} from "/sealring.js";
const sealring = new Sealring(SETTINGS);
const code = (act) => act().catch((problem) => problem.code ?? String(problem));
window.changes = [];
sealring.onChange((signedIn) => window.changes.push(signedIn));
window.sealring = sealring;
window.page = {
    signedIn: () => code(() => sealring.signedIn()),
    signIn: (options) => code(() => sealring.signIn(options).then(() => "signed in")),
    signOut: (options) => code(() => sealring.signOut(options)),
    token: (resource) => code(() => sealring.getAccessToken(resource)),
    orders: () => code(() => sealring.fetch("/orders").then((answer) => answer.ok ? answer.json() : answer.text())),
    fetch: (url) => code(() => sealring.fetch(url)),
};
window.started = page.signedIn();
</script>"""
REACT_PAGE: Final = """<!doctype html><title>Shop</title><div id="root"></div>
<script>window.settings = {...SETTINGS, redirectUri: "/react"};</script>
<script type="module" src="/react.js"></script>"""
SHOWN_PAGE: Final = """<!doctype html><title>Shop</title>
<button id="sign-in">In</button><button id="sign-out">Out</button>
<script type="module" src="/shown.js"></script>"""
# What a script that was injected can look at without asking the server anything.
SEARCH: Final = """async () => JSON.stringify([
    document.cookie, {...localStorage}, {...sessionStorage}, history.state, location.href, window.name,
    (await indexedDB.databases()).map(({name}) => name), (await caches.keys()),
    Object.keys(window.page), JSON.stringify(window.page),
])"""

Answers = Callable[[str, dict[str, str]], Awaitable[tuple[int, str, str]]]


@asynccontextmanager
async def serve(answers: Answers) -> AsyncIterator[str]:
    """Serve what `answers` makes of a path and headers: status, media type, text. Gives the origin.

    The text of a redirect is where it leads.
    """

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *fields = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
        status, media_type, text = await answers(line.split()[1], headers)
        body = text.encode()
        shown = f"HTTP/1.1 {status} X\r\nContent-Type: {media_type}\r\nContent-Length: {len(body)}\r\n"
        shown += f"Location: {text}\r\n" if status == 307 else ""
        writer.write(f"{shown}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


class Line:
    """The line between browsers and the issuer, on which answers to refreshes can get lost."""

    def __init__(self, port: int) -> None:
        self.losing = False
        self.lost = 0
        self._port = port
        self._joined: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        def join(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._joined.add(asyncio.create_task(self._join(reader, writer)))

        async with await asyncio.start_server(join, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1]
            for joined in self._joined:
                joined.cancel()
            await asyncio.gather(*self._joined, return_exceptions=True)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, questions = await asyncio.open_connection("127.0.0.1", self._port)
        refreshing = False

        async def ask() -> None:
            nonlocal refreshing
            while asked := await reader.read(65536):
                refreshing = b"POST /session/refresh" in asked
                questions.write(asked)
            questions.close()

        asking = asyncio.create_task(ask())
        try:
            while answer := await answers.read(65536):
                if self.losing and refreshing:
                    self.lost += 1
                    break
                writer.write(answer)
        except ConnectionError:
            pass
        finally:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            questions.close()
            writer.close()


def subject(token: str) -> str:
    payload = token.split(".")[1]
    return str(json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["sub"])


class Shop:
    """A page and its API on one origin, and the issuer on another port of the same host."""

    def __init__(self, installation: "Installation", context: BrowserContext, line: Line) -> None:
        self.installation = installation
        self.line = line
        self.context = context
        self.origin = ""
        self.ahead = 0
        self.scripts: dict[str, str] = {}
        self.pages: dict[str, str] = {}
        self.refreshes = 0
        self.elsewhere = ""

    async def open(self, path: str = "/") -> Page:
        page = await self.context.new_page()
        page.on("request", self._count)
        await page.goto(self.origin + path)
        return page

    async def sign_in(self, path: str = "/") -> Page:
        page = await self.open(path)
        assert await page.evaluate("started") is False
        await page.evaluate("void page.signIn()")
        await self.enter(page)
        await page.wait_for_url(self.origin + path)
        assert await page.evaluate("started") is True
        return page

    async def enter(self, page: Page, username: str = "user-0") -> None:
        await page.fill("#username", username)
        await page.fill("#password", PASSWORD)
        await page.click("#login-submit")

    def set_clock(self, seconds: int) -> None:
        """Move the clocks of the issuer and of the API; known to the issuer in 0.1 s."""
        self.ahead = seconds
        self.installation.set_clock(seconds)

    def _count(self, request: Request) -> None:
        self.refreshes += request.method == "POST" and request.url.endswith("/session/refresh")


@pytest.fixture
async def shop(
    installation: "Installation", browser: Browser, browser_package: "BrowserPackage"
) -> AsyncIterator[Shop]:
    line = Line(installation.port)
    shop = Shop(installation, await browser.new_context(), line)
    async with line.open() as port:
        installation.host = f"127.0.0.1:{port}"
        installation.issuer = f"http://{installation.host}"
        installation.configure()
        async with open_shop(shop, browser_package):
            yield shop


@asynccontextmanager
async def open_shop(shop: Shop, browser_package: "BrowserPackage") -> AsyncIterator[None]:
    installation = shop.installation
    shop.scripts["/sealring.js"] = (browser_package.dist / "index.js").read_text()
    verifier = Verifier(
        installation.issuer, "orders", api_key="sla_of_the_tests", clock=lambda: time.time() + shop.ahead
    )

    async def answers(path: str, headers: dict[str, str]) -> tuple[int, str, str]:
        if path in shop.scripts:
            return 200, "text/javascript", shop.scripts[path]
        if path == "/moved":
            return 307, "text/plain", shop.elsewhere
        if path == "/orders":
            try:
                claims = await verifier.verify_async(headers.get("authorization", "").removeprefix("Bearer "))
            except TokenRefused as refused:
                return 401, "text/plain", refused.code
            return 200, "application/json", json.dumps(f"lamp for {claims.sub}")
        settings = {
            "issuer": installation.issuer,
            "clientId": "page",
            "scope": "openid orders:read",
            "apis": {shop.origin: "orders"},
        }
        page = shop.pages.get(path.partition("?")[0], PAGE)
        return 200, "text/html", page.replace("SETTINGS", json.dumps(settings))

    async with serve(answers) as origin:
        shop.origin = origin
        await installation.furnish(users=2)
        await register(installation, origin)
        await installation.start(movable_clock=True)
        yield


async def register(installation: "Installation", origin: str) -> None:
    async with open_house(installation.settings()) as opened:
        client = Client(
            client_id="page",
            name="Page",
            type="public",
            token_delivery="cookie",
            origins=frozenset({origin}),
            allowed={"orders": frozenset({"orders:read"}), installation.issuer: frozenset({"sessions"})},
            code_flow=CodeFlow(redirect_uris=(f"{origin}/", f"{origin}/react"), consent="skip"),
            epoch=1,
            created_at=1,
        )
        assert await opened.house.store.clients.add(client, events=[])


async def test_a_person_signs_in_calls_the_api_and_reloads_without_a_log_in_page(shop: Shop) -> None:
    page = await shop.sign_in("/lamps?shade=green")
    assert await page.evaluate("page.orders()") == "lamp for sub-0"
    await page.reload()
    assert await page.evaluate("started") is True
    assert page.url == f"{shop.origin}/lamps?shade=green"
    assert await page.evaluate("page.orders()") == "lamp for sub-0"


async def test_nothing_lands_where_a_script_could_find_it(shop: Shop) -> None:
    page = await shop.sign_in()
    token = await page.evaluate("page.token()")
    assert token.count(".") == 2
    found = await page.evaluate(SEARCH)
    assert json.loads(found)[:4] == ["", {}, {}, None]
    for secret in (token, "slr_", "code", "verifier"):
        assert secret not in found
    cookies = await shop.context.cookies()
    assert all(cookie["httpOnly"] for cookie in cookies)


async def test_ten_tabs_that_wake_at_once_after_the_expiry_rotate_once(shop: Shop) -> None:
    first = await shop.sign_in()
    tabs = [first, *[await shop.open() for _ in range(9)]]
    for tab in tabs:
        assert await tab.evaluate("started") is True
        # Each machine sleeps for an hour.
        await tab.evaluate("Date.now = ((now) => () => now() + 3_600_000)(Date.now.bind(Date))")
    shop.set_clock(3600)
    await asyncio.sleep(0.2)
    shop.refreshes = 0
    tokens = await asyncio.gather(*(tab.evaluate("page.token()") for tab in tabs))
    assert len(set(tokens)) == 1
    assert tokens[0].count(".") == 2
    assert shop.refreshes == 1


async def test_another_tab_gets_the_token_at_hand_and_rotates_nothing(shop: Shop) -> None:
    first = await shop.sign_in()
    shop.refreshes = 0
    second = await shop.open()
    assert await second.evaluate("started") is True
    assert await second.evaluate("page.token()") == await first.evaluate("page.token()")
    assert shop.refreshes == 0


async def test_a_laptop_that_sleeps_over_the_answer_for_an_hour_stays_signed_in(shop: Shop) -> None:
    page = await shop.sign_in()

    cookies = await shop.context.cookies()
    await page.evaluate("Date.now = ((now) => () => now() + 3_600_000)(Date.now.bind(Date))")
    shop.line.losing = True
    asked = asyncio.create_task(page.evaluate("page.token()"))
    await asyncio.sleep(0.3)
    shop.set_clock(3600)
    await asyncio.sleep(0.2)
    assert shop.line.lost > 0
    assert await shop.context.cookies() == cookies  # the successor never came
    shop.line.losing = False
    assert (await asked).count(".") == 2
    assert await page.evaluate("page.orders()") == "lamp for sub-0"


async def test_a_server_that_is_away_or_busy_signs_nobody_out(shop: Shop) -> None:
    page = await shop.sign_in()
    await shop.context.set_offline(True)
    await page.evaluate("Date.now = ((now) => () => now() + 900_000)(Date.now.bind(Date))")
    assert await page.evaluate("page.token()") == "offline"
    await shop.context.set_offline(False)
    busy = 2

    async def refuse(route: Route) -> None:
        nonlocal busy
        busy -= 1
        if busy < 0:
            await route.continue_()
            return
        told = {"Retry-After": "0", "Access-Control-Allow-Origin": shop.origin}
        told["Access-Control-Allow-Credentials"] = "true"
        await route.fulfill(status=503, headers=told, json={"code": "store_unavailable"})

    await page.route("**/session/refresh", refuse)
    assert (await page.evaluate("page.token()")).count(".") == 2
    assert busy == -1
    assert False not in await page.evaluate("changes")


async def test_a_log_out_in_one_tab_is_known_to_the_others_and_the_api_within_a_second(shop: Shop) -> None:
    page = await shop.sign_in()
    other = await shop.open()
    assert await other.evaluate("page.orders()") == "lamp for sub-0"
    token = await other.evaluate("page.token()")
    await page.evaluate("page.signOut()")
    await other.wait_for_function("changes.at(-1) === false", timeout=1000)
    assert await other.evaluate("page.token()") == "not_signed_in"
    sent = "(token) => fetch('/orders', {headers: {Authorization: `Bearer ${token}`}}).then((a) => a.text())"
    refused = f"async (token) => await ({sent})(token) === 'session_ended'"
    await other.wait_for_function(refused, arg=token, polling=20, timeout=1000)
    await other.reload()
    assert await other.evaluate("started") is False


async def test_a_session_that_an_operator_ends_is_over_at_the_next_call_in_all_tabs(shop: Shop) -> None:
    page = await shop.sign_in()
    other = await shop.open()
    assert await page.evaluate("page.orders()") == "lamp for sub-0"
    assert await other.evaluate("started") is True
    assert (await shop.installation.run("sessions", "end", "--user", "user-0")).status == 0
    # The other tab still has the same token, and must not hand it back.
    await page.wait_for_function("async () => await page.orders() !== 'lamp for sub-0'", polling=20, timeout=2000)
    for tab in (page, other):
        await tab.wait_for_function("changes.at(-1) === false", timeout=1000)


async def test_whoever_signs_in_last_is_who_every_tab_speaks_for(shop: Shop) -> None:
    page = await shop.sign_in()
    other = await shop.open()
    about_sessions = ("(api) => page.token(api)", shop.installation.issuer)
    assert subject(await other.evaluate(*about_sessions)) == "sub-0"
    await page.evaluate("void page.signIn({prompt: 'login'})")
    await shop.enter(page, "user-1")
    await page.wait_for_url(shop.origin + "/")
    assert await page.evaluate("started") is True
    assert await other.evaluate("changes") == [True]
    for tab in (page, other):
        assert subject(await tab.evaluate("page.token()")) == "sub-1"
        assert subject(await tab.evaluate(*about_sessions)) == "sub-1"


async def test_tabs_that_wait_for_a_server_that_is_away_do_not_each_ask_it_anew(shop: Shop) -> None:
    first = await shop.sign_in()
    tabs = [first, *[await shop.open() for _ in range(2)]]
    for tab in tabs:
        assert await tab.evaluate("started") is True
        await tab.evaluate("Date.now = ((now) => () => now() + 900_000)(Date.now.bind(Date))")
    shop.refreshes = 0
    shop.line.losing = True
    asked = await asyncio.gather(*(tab.evaluate("page.token()") for tab in tabs))
    assert asked == ["unreachable"] * 3
    assert shop.refreshes == 4
    shop.line.losing = False
    assert (await first.evaluate("page.token()")).count(".") == 2


async def test_a_code_is_sent_once_also_where_the_answer_is_lost(shop: Shop) -> None:
    page = await shop.open()
    other = await shop.open()
    assert await other.evaluate("started") is False
    sent = 0

    async def lose(route: Route) -> None:
        nonlocal sent
        sent += 1
        await route.fetch()  # the browser has the head, and so the cookies, but no body
        await route.abort()

    await page.route("**/token", lose)
    await page.evaluate("void page.signIn()")
    await shop.enter(page)
    await page.wait_for_url(shop.origin + "/")
    assert await page.evaluate("started") == "unreachable"
    assert sent == 1
    assert await other.evaluate("page.orders()") == "lamp for sub-0"
    assert await page.evaluate("page.signedIn()") is True
    assert await page.evaluate("page.orders()") == "lamp for sub-0"


async def test_a_sign_in_by_another_ones_id_token_leaves_nobody_signed_in(shop: Shop) -> None:
    page = await shop.open()

    async def swap(route: Route) -> None:
        answer = await route.fetch()
        await route.fulfill(response=answer, json=await answer.json() | {"id_token": "e30.e30.c2ln"})

    await page.route("**/token", swap)
    await page.evaluate("void page.signIn()")
    await shop.enter(page)
    await page.wait_for_url(shop.origin + "/")
    assert await page.evaluate("started") == "id_token_refused"
    assert await page.evaluate("page.token()") == "not_signed_in"
    await page.reload()
    assert await page.evaluate("started") is False


async def test_a_page_that_does_not_ask_who_somebody_is_signs_in_as_well(shop: Shop) -> None:
    page = await shop.open()
    await page.evaluate("void page.signIn({scope: 'orders:read'})")
    await shop.enter(page)
    await page.wait_for_url(shop.origin + "/")
    assert await page.evaluate("started") is True
    assert await page.evaluate("page.orders()") == "lamp for sub-0"


async def test_a_token_follows_no_redirect(shop: Shop) -> None:
    page = await shop.sign_in()
    arrived: list[str] = []

    async def elsewhere(_path: str, headers: dict[str, str]) -> tuple[int, str, str]:
        arrived.append(headers.get("authorization", ""))
        return 200, "text/plain", "caught"

    async with serve(elsewhere) as shop.elsewhere:
        for wanted in ("undefined", "{redirect: 'follow'}"):
            assert "Failed to fetch" in await page.evaluate(f"sealring.fetch('/moved', {wanted}).catch(String)")
    assert arrived == []


async def test_a_window_of_its_own_signs_in_and_closes(shop: Shop) -> None:
    page = await shop.open()
    assert await page.evaluate("started") is False
    async with shop.context.expect_page() as opened:
        await page.evaluate("window.signing = page.signIn({popup: true}); 0")
    window = await opened.value
    async with window.expect_event("close"):
        await shop.enter(window)
    assert await page.evaluate("signing") == "signed in"
    assert await page.evaluate("page.orders()") == "lamp for sub-0"
    assert page.url == f"{shop.origin}/"


async def test_who_waits_for_a_window_that_was_closed_is_told_after_ten_minutes(shop: Shop) -> None:
    page = await shop.open()
    await page.clock.install()
    async with shop.context.expect_page() as opened:
        await page.evaluate("window.signing = page.signIn({popup: true}); 0")
    window = await opened.value
    await window.wait_for_selector("#login-page")
    await window.close()
    await page.clock.fast_forward(600_000)
    assert await page.evaluate("signing") == "sign_in_expired"


async def test_an_answer_that_this_page_did_not_ask_for_signs_nobody_in(shop: Shop) -> None:
    for answer in ("code=x&state=r.forged", "code=x&state=p.forged", "code=x&state="):
        page = await shop.open(f"/?{answer}&iss={shop.installation.issuer}")
        assert await page.evaluate("started") in {"state_mismatch", False}
        assert page.url == f"{shop.origin}/"
    page = await shop.sign_in()
    stranger = await shop.open(f"/?code=x&state=r.forged&iss={shop.installation.issuer}")
    assert await stranger.evaluate("started") == "state_mismatch"
    assert await stranger.evaluate("page.signedIn()") is True
    assert await page.evaluate("page.orders()") == "lamp for sub-0"


async def test_a_person_who_goes_back_is_told_so(shop: Shop) -> None:
    page = await shop.open()
    await page.evaluate("void page.signIn()")
    await page.wait_for_selector("#login-page")
    pending = "JSON.parse(sessionStorage.getItem('sealring page')).state"
    await page.goto(f"{shop.origin}/elsewhere")
    state = await page.evaluate(pending)
    await page.goto(f"{shop.origin}/?error=access_denied&state={state}&iss={shop.installation.issuer}")
    assert await page.evaluate("started") == "access_denied"
    assert await page.evaluate("sessionStorage.length") == 0


async def test_a_token_goes_to_the_apis_of_the_settings_alone(shop: Shop) -> None:
    page = await shop.sign_in()
    for url in ("https://elsewhere.example/orders", "http://elsewhere.example/", "http://127.0.0.1:1/"):
        assert await page.evaluate("(url) => page.fetch(url)", url) == "origin_not_allowed"


async def test_tabs_without_locks_take_turns_by_word(shop: Shop) -> None:
    await shop.context.add_init_script("Object.defineProperty(Navigator.prototype, 'locks', {get: () => undefined})")
    first = await shop.sign_in()
    tabs = [first, *[await shop.open() for _ in range(3)]]
    for tab in tabs:
        assert await tab.evaluate("started") is True
        await tab.evaluate("Date.now = ((now) => () => now() + 900_000)(Date.now.bind(Date))")
    shop.refreshes = 0
    tokens = await asyncio.gather(*(tab.evaluate("page.token()") for tab in tabs))
    assert len(set(tokens)) == 1
    assert shop.refreshes == 1


async def test_a_page_of_react_shows_who_is_signed_in_in_every_tab(
    shop: Shop, browser_package: "BrowserPackage"
) -> None:
    shop.pages["/react"] = REACT_PAGE
    shop.scripts["/react.js"] = browser_package.bundle("test/react_page.tsx")
    page = await shop.open("/react")
    await page.click("#sign-in")
    await shop.enter(page)
    await page.wait_for_selector("#sign-out")
    other = await shop.open("/react")
    await other.click("#sign-out")
    await page.wait_for_selector("#sign-in", timeout=1000)


async def test_the_how_to_is_a_page_that_signs_in_and_out(
    shop: Shop, browser_package: "BrowserPackage", tmp_path: Path
) -> None:
    program = tmp_path / "page.ts"
    (shown,) = re.findall(r"```ts\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    shown = shown.replace("https://app.example.com/auth", shop.installation.issuer)
    program.write_text(shown.replace("https://app.example.com", shop.origin))
    shop.pages["/"] = SHOWN_PAGE
    shop.scripts["/shown.js"] = browser_package.bundle(str(program))
    page = await shop.open()
    await page.wait_for_load_state("networkidle")
    await page.click("#sign-in")
    await page.wait_for_selector("#login-page")
    async with page.expect_console_message(lambda message: "lamp for sub-0" in message.text):
        await shop.enter(page)
    async with page.expect_navigation():
        await page.click("#sign-out")


def test_each_code_of_its_own_is_in_the_reference() -> None:
    declared = (CLIENT / "src/errors.ts").read_text().split("export type ClientCode =")[1].split(";")[0]
    codes = set(re.findall(r'"(\w+)"', declared))
    codes_page = (CLIENT.parents[1] / "docs/reference/codes.md").read_text()
    table = codes_page.split("# Codes of the library for pages\n")[1].split("\n# ")[0]
    assert codes == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_the_module_is_small(browser_package: "BrowserPackage") -> None:
    assert len(gzip.compress((browser_package.dist / "index.js").read_bytes(), 9)) <= LARGEST


def test_its_own_tests_and_types_hold(browser_package: "BrowserPackage") -> None:
    browser_package.npm("run", "check")
    assert "fail 0" in browser_package.npm("test")
