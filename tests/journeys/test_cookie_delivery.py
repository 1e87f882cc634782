"""A page signs people in by cookies in a real browser, beside pages of others that would like to."""

import asyncio
import re
import shlex
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from playwright.async_api import Browser, BrowserContext, Page

from sealring.compose import open_house
from sealring.protocol.client import Client

if TYPE_CHECKING:
    from conftest import CertificateAuthority, Installation, Proxies

SIGN_IN: Final = {"username": "user-0", "password": "a passphrase of the tests", "scope": "orders:read"}
ASK: Final = """async ([issuer, method, path, body]) => {
    const answer = await fetch(issuer + path, {
        method, credentials: "include", body: JSON.stringify({client_id: "page", ...body}),
        headers: {"Content-Type": "application/json", "Sealring-Request": "1"},
    });
    return [answer.status, await answer.text()];
}"""
# What a page may send to anybody without asking: the browser adds the cookies that it thinks are due.
FORGE: Final = """async ([issuer, body]) => {
    for (const [path, method] of [["/session", "POST"], ["/session/refresh", "POST"], ["/session", "DELETE"]]) {
        for (const headers of [{}, {"Content-Type": "application/json", "Sealring-Request": "1"}]) {
            const mode = method === "POST" && !headers["Sealring-Request"] ? "no-cors" : "cors";
            const text = JSON.stringify({client_id: "page", ...body});
            const sent = {method, mode, credentials: "include", headers, body: text};
            try {
                const answer = await fetch(issuer + path, sent);
                if (answer.type !== "opaque") return "readable";
            } catch {}
        }
        const sending = {method: "POST", action: issuer + path, target: "f"};
        const form = Object.assign(document.createElement("form"), sending);
        form.enctype = "text/plain";
        const field = {name: '{"client_id":"page","x":"', value: '"}'};
        form.append(Object.assign(document.createElement("input"), field));
        const frame = Object.assign(document.createElement("iframe"), {name: "f"});
        document.body.append(frame, form);
        const loaded = new Promise((done) => { frame.onload = done; setTimeout(done, 1000); });
        form.submit();
        await loaded;
        frame.remove();
    }
    return "refused";
}"""


# Neither needs a script, and a page of the same site gets all cookies sent along.
EMBED: Final = """async (address) => {
    for (const kind of ["img", "iframe"]) {
        const embedded = Object.assign(document.createElement(kind), {src: address});
        const over = new Promise((done) => { embedded.onload = embedded.onerror = done; });
        document.body.append(embedded);
        await over;
        if (embedded.naturalWidth || embedded.contentDocument?.body.textContent) return "readable";
    }
    return "refused";
}"""
# `__Host-` forbids the Domain; without it a cookie for all of example.com can be planted.
TOSS: Final = """() => {
    for (const noun of ["refresh", "binding"]) {
        for (const prefix of ["__Host-", ""])
            document.cookie = `${prefix}sealring-${noun}-page=slr_x; Secure; Path=/; Domain=example.com`;
    }
    return document.cookie;
}"""


@asynccontextmanager
async def serve_page(host: str, *, name: str = "", tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve an empty page on a port of its own, and give its origin; `name`: by which browsers know the host."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 11\r\nConnection: close\r\n\r\n<title>Tab\n"
        )
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, host, 0, ssl=tls) as server:
        yield f"http{'s' if tls else ''}://{name or host}:{server.sockets[0].getsockname()[1]}"


class Tab:
    def __init__(self, page: Page, issuer: str) -> None:
        self.page = page
        self.issuer = issuer

    async def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
        status, text = await self.page.evaluate(ASK, [self.issuer, method, path, body or {}])
        return status, text

    async def refresh(self) -> int:
        return (await self.ask("POST", "/session/refresh"))[0]


@pytest.fixture
async def page_origin(installation: "Installation") -> AsyncIterator[str]:
    async with serve_page("127.0.0.1") as origin:
        await installation.furnish()
        await register(installation, origin)
        await installation.start()
        yield origin


async def register(installation: "Installation", origin: str) -> None:
    async with open_house(installation.settings()) as opened:
        client = Client(
            client_id="page",
            name="Page",
            type="public",
            first_party=True,
            token_delivery="cookie",
            origins=frozenset({origin}),
            allowed={"orders": frozenset({"orders:read"})},
            epoch=1,
            created_at=1,
        )
        assert await opened.house.store.clients.add(client, events=[])


async def open_tab(context: BrowserContext, origin: str, installation: "Installation") -> Tab:
    page = await context.new_page()
    await page.goto(origin)
    return Tab(page, installation.issuer)


async def sign_in(context: BrowserContext, origin: str, installation: "Installation") -> Tab:
    tab = await open_tab(context, origin, installation)
    status, text = await tab.ask("POST", "/session", SIGN_IN)
    assert status == 200, text
    assert "slr_" not in text
    return tab


async def test_a_page_stays_signed_in_over_a_reload_and_its_scripts_see_no_token(
    browser: Browser, installation: "Installation", page_origin: str
) -> None:
    tab = await sign_in(await browser.new_context(), page_origin, installation)
    await tab.page.reload()
    status, text = await tab.ask("POST", "/session/refresh")
    assert status == 200
    assert "access_token" in text
    assert "slr_" not in text
    seen = "document.cookie + JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
    assert await tab.page.evaluate(seen) == "{}{}"
    cookies = await tab.page.context.cookies(installation.issuer)
    assert {cookie["name"] for cookie in cookies} == {
        "sealring-refresh-page",
        "sealring-binding-page",
        "sealring-device",
    }
    assert all(cookie["httpOnly"] for cookie in cookies)
    assert (await tab.ask("DELETE", "/session"))[0] == 204
    assert await tab.refresh() == 400


async def test_ten_tabs_that_refresh_at_once_stay_signed_in(
    browser: Browser, installation: "Installation", page_origin: str
) -> None:
    context = await browser.new_context()
    first = await sign_in(context, page_origin, installation)
    tabs = [first, *[await open_tab(context, page_origin, installation) for _ in range(9)]]
    for _ in range(2):
        assert await asyncio.gather(*(tab.refresh() for tab in tabs)) == [200] * 10
    assert await first.refresh() == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another site", "a neighbour"])
async def test_pages_of_others_neither_refresh_nor_log_in_nor_log_out(
    browser: Browser, installation: "Installation", page_origin: str, host: str
) -> None:
    context = await browser.new_context()
    tab = await sign_in(context, page_origin, installation)
    kept = await context.cookies(installation.issuer)
    async with serve_page(host) as evil:
        stranger = await context.new_page()
        await stranger.goto(evil)
        assert await stranger.evaluate(FORGE, [installation.issuer, SIGN_IN]) == "refused"
    assert await context.cookies(installation.issuer) == kept
    assert await tab.refresh() == 200


async def test_a_sibling_subdomain_neither_refreshes_nor_logs_in_nor_out_nor_plants_a_cookie(
    browser: Browser, installation: "Installation", authority: "CertificateAuthority"
) -> None:
    certificate = authority.issue("app.example.com", "evil.example.com", "localhost")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*certificate)
    installation.speak_tls(*certificate, trust=authority.client_context())
    installation.host = f"app.example.com:{installation.port}"
    installation.issuer = f"https://{installation.host}"
    installation.configure(rest=f'tls = {{certificate_file = "{certificate[0]}", key_file = "{certificate[1]}"}}')
    context = await browser.new_context(ignore_https_errors=True)
    async with (
        serve_page("127.0.0.1", name="app.example.com", tls=tls) as origin,
        serve_page("127.0.0.1", name="evil.example.com", tls=tls) as evil,
    ):
        await installation.furnish()
        await register(installation, origin)
        await installation.start()
        tab = await sign_in(context, origin, installation)
        kept = await context.cookies(installation.issuer)
        assert {cookie["name"][:7] for cookie in kept} == {"__Host-"}
        stranger = await context.new_page()
        await stranger.goto(evil)
        assert await stranger.evaluate(FORGE, [installation.issuer, SIGN_IN]) == "refused"
        for path in ("/session", "/session/refresh"):
            assert await stranger.evaluate(EMBED, installation.issuer + path) == "refused"
        assert "__Host-" not in await stranger.evaluate(TOSS)
        cookies = await context.cookies(installation.issuer)
        assert [cookie for cookie in cookies if cookie["name"].startswith("__Host-")] == kept
        assert len(cookies) == len(kept) + 2  # planted, and not read
        assert await tab.refresh() == 200


async def test_a_tossed_cookie_is_refused(browser: Browser, installation: "Installation", page_origin: str) -> None:
    context = await browser.new_context()
    tab = await sign_in(context, page_origin, installation)
    # What a neighbour on the same host can do where no TLS, and so no prefix, keeps it from it.
    await context.add_cookies(
        [{"name": "sealring-refresh-page", "value": "slr_x", "domain": "127.0.0.1", "path": "/session"}]
    )
    status, text = await tab.ask("POST", "/session/refresh")
    assert status == 400
    assert "duplicate_cookie" in text


async def test_a_page_signs_in_refreshes_and_signs_out_as_the_how_to_shows(
    browser: Browser, installation: "Installation"
) -> None:
    async with serve_page("127.0.0.1") as origin:
        text = (Path(__file__).parents[2] / "docs/how-to/sign-in-from-a-page.md").read_text()
        text = text.replace("https://app.example.com/auth", installation.issuer).replace(
            "https://app.example.com", origin
        )
        blocks = dict(re.findall(r"```(console|js)\n(.*?)```", text, re.DOTALL))
        await installation.furnish()
        await installation.start()
        added = await installation.run(*shlex.split(blocks["console"])[2:])
        assert added.status == 0, added.err
        page = await (await browser.new_context()).new_page()
        await page.goto(origin)
        await page.add_script_tag(content=blocks["js"])
        assert "access_token" in await page.evaluate("signIn('user-0', 'a passphrase of the tests')")
        await page.reload()
        await page.add_script_tag(content=blocks["js"])
        assert "access_token" in await page.evaluate("refresh()")
        assert await page.evaluate("signOut()") is None
        assert (await page.evaluate("refresh()"))["code"] == "refresh_refused"


@pytest.mark.parametrize("proxy", ["nginx", "caddy"])
async def test_the_issuer_stands_under_a_path_of_the_pages_host_behind_a_proxy_as_the_how_to_shows(
    installation: "Installation", authority: "CertificateAuthority", proxies: "Proxies", proxy: str
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    host = f"localhost:{port}"
    installation.issuer = f"https://{host}/auth"
    installation.configure()
    await installation.furnish()
    await installation.start(ready=404)  # it answers under the issuer's path alone
    text = (Path(__file__).parents[2] / "docs/how-to/sign-in-from-a-page.md").read_text()
    found = re.search(rf"```{proxy}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    block = found[1].replace("127.0.0.1:8080", f"127.0.0.1:{installation.port}")
    certificate_file, key_file = authority.issue("localhost")
    if proxy == "nginx":
        tls = f"listen {port} ssl; ssl_certificate {certificate_file}; ssl_certificate_key {key_file};"
        await proxies.start_nginx(f"server {{ {tls}\n{block}}}", port=port)
    else:
        tls = f"{host} {{\n    tls {certificate_file} {key_file}"
        await proxies.start_caddy(block.replace("app.example.com {", tls), port=port)
    async with httpx.AsyncClient(base_url=f"https://{host}", verify=authority.client_context()) as caller:
        answer = await caller.get("/auth/.well-known/openid-configuration")
        assert answer.json()["issuer"] == installation.issuer
        metadata = await caller.get("/.well-known/oauth-authorization-server/auth")
        assert metadata.json()["issuer"] == installation.issuer
        signed_in = await caller.post("/auth/session", json=SIGN_IN, auth=("shop", "slc_of_the_tests"))
        assert signed_in.status_code == 200, signed_in.text
