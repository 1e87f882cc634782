"""A site in any language behind a real proxy that asks /gate: the samples of the how-to, as they are printed."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
from playwright.async_api import Browser

from sealring_verify import GateVerifier, InvalidToken, Verifier

if TYPE_CHECKING:
    from conftest import CertificateAuthority, Installation, Proxies

HOW_TO: Final = Path(__file__).parents[2] / "docs/how-to/protect-a-site-behind-a-proxy.md"
PAGE: Final = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-site": "none"}
FORGED: Final = {
    "X-Sealring-Subject": "root",
    "X_Sealring_Subject": "root",
    "X-Sealring_Subject": "root",
    "x_sealring-subject": "root",
    "X-Sealring-Assertion": "forged",
    "X-Sealring-Scope": "everything",
    "X-Sealring-Cookie": "forged=1",
    "Sealring-Gate-Key": "slg_forged",
    "X-Forwarded-Method": "TRACE",
    "X-Forwarded-Uri": "/forged",
    "X-Forwarded-Host": "forged.example.com",
}


class Mapped(httpx.AsyncHTTPTransport):
    """Connects to where a host of the samples really is; the name stays in Host and in TLS."""

    def __init__(self, ports: dict[str, int], authority: "CertificateAuthority") -> None:
        super().__init__(verify=authority.client_context())
        self._ports = ports

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        if name in self._ports:
            request = httpx.Request(
                request.method,
                request.url.copy_with(host="127.0.0.1", port=self._ports[name]),
                headers=request.headers,
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": name},
            )
        return await super().handle_async_request(request)


class Gated:
    """An installation with gates, a proxy before a site that says what it was sent, and people with browsers."""

    def __init__(
        self, installation: "Installation", authority: "CertificateAuthority", port: int, *, proxy: str
    ) -> None:
        self.proxy = proxy
        self.installation = installation
        self._authority = authority
        self._port = port

    def browser(self) -> httpx.AsyncClient:
        ports = dict.fromkeys(("app.example.com", "other.example.com"), self._port)
        return httpx.AsyncClient(
            transport=Mapped(ports, self._authority), base_url="https://app.example.com", timeout=20
        )

    async def sign_in(self, browser: httpx.AsyncClient, target: str = "/") -> httpx.Response:
        """Arrive at a page without being known, sign in at the issuer, and come back."""
        answer = await follow(browser, await browser.get(target, headers=PAGE))
        if 'id="login-page"' in answer.text:
            hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', answer.text))
            form = {name: unescape(value) for name, value in hidden.items()}
            form |= {"username": "user-0", "password": "a passphrase of the tests"}
            answer = await follow(browser, await browser.post(f"{self.installation.issuer}/login", data=form))
        return answer

    async def access_token(self, scope: str = "orders:read") -> str:
        message: dict[str, object] = {"username": "user-0", "password": "a passphrase of the tests", "scope": scope}
        answer = await self.installation.post("/session", message)
        assert answer.status == 200, answer.text
        return str(answer.json()["access_token"])

    async def speak(self, target: str, headers: dict[str, str]) -> bytes:
        """Send a request as it is written; read what an upgraded connection says, nothing where it is refused."""
        trust = self._authority.client_context()
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self._port, ssl=trust, server_hostname="app.example.com"
        )
        lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": "app.example.com", **headers}.items())
        writer.write(f"GET {target} HTTP/1.1\r\n{lines}\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        said = b""
        if head.split()[1] == b"101":
            writer.write(b"hello")
            said = await reader.read(5)
        else:
            assert head.split()[1] in {b"400", b"401", b"403"}, head
        writer.close()
        return said


async def follow(browser: httpx.AsyncClient, answer: httpx.Response) -> httpx.Response:
    for _ in range(8):
        if answer.status_code not in {302, 303}:
            break
        answer = await browser.get(answer.headers["location"], headers=PAGE)
    return answer


@asynccontextmanager
async def serve_site() -> AsyncIterator[int]:
    """Serve a site that answers with what it was sent, and speaks a word on an upgraded connection."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            line, *lines = head.rstrip().split("\r\n")
            headers = [entry.split(":", 1) for entry in lines]
            named = {name.lower(): value.strip() for name, value in headers}
            if named.get("upgrade", "").lower() == "websocket":
                writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
                writer.write(await reader.readexactly(5))
            else:
                body = await reader.readexactly(int(named.get("content-length", "0")))
                told = {"line": line, "headers": [[name, value.strip()] for name, value in headers]}
                text = json.dumps({**told, "body": body.decode()}).encode()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n%s" % (len(text), text))
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


def sample(language: str, *, host: str, key: str, ports: dict[str, int], tls: tuple[Path, Path]) -> str:
    """Read a sample from the how-to, and put names of this test where those of the reader belong."""
    language = "yaml" if language == "envoy" else language
    found = re.search(rf"```{language}\n(.*?)```", HOW_TO.read_text(), re.DOTALL)
    assert found is not None
    certificate_file, key_file = map(str, tls)
    names = {
        "slg_…": key,
        "127.0.0.1:8080": f"127.0.0.1:{ports['sealring']}",
        "127.0.0.1:3000": f"127.0.0.1:{ports['site']}",
        "address: 0.0.0.0, port_value: 443": f"address: 127.0.0.1, port_value: {ports['proxy']}",
        "address: 127.0.0.1, port_value: 8080": f"address: 127.0.0.1, port_value: {ports['sealring']}",
        "address: 127.0.0.1, port_value: 3000": f"address: 127.0.0.1, port_value: {ports['site']}",
        "listen 443 ssl": f"listen 127.0.0.1:{ports['proxy']} ssl",
        "app.example.com {": f"https://app.example.com:{ports['proxy']} {{\n\ttls {certificate_file} {key_file}",
        "/etc/ssl/app.example.com.pem": certificate_file,
        "/etc/ssl/app.example.com.key": key_file,
    }
    text = found[1]
    for printed, ours in names.items():
        text = text.replace(printed, ours)
    return text.replace("app.example.com", host)


@pytest.fixture(params=["nginx", "caddy", "envoy"])
async def gated(
    request: pytest.FixtureRequest,
    installation: "Installation",
    authority: "CertificateAuthority",
    proxies: "Proxies",
) -> AsyncIterator[Gated]:
    port = free_port()
    keys = await open_gates(installation, "app.example.com", "other.example.com")
    async with serve_site() as site:
        ports = {"sealring": installation.port, "site": site, "proxy": port}
        texts = [
            sample(request.param, host=host, key=key, ports=ports, tls=authority.issue(host, into=host))
            for host, key in keys.items()
        ]
        if request.param == "nginx":
            # What stands outside of the server block is there once.
            texts[1] = texts[1][texts[1].index("server {") :]
        if request.param == "envoy":
            # Its sample asks for one host.
            texts = texts[:1]
        start: Callable[..., Awaitable[None]] = getattr(proxies, f"start_{request.param}")
        await start("\n".join(texts), port=port)
        yield Gated(installation, authority, port, proxy=request.param)


def heard(answer: httpx.Response) -> dict[str, list[str]]:
    """Read which headers the site was sent: lower-case name → values."""
    assert answer.status_code == 200, (answer.status_code, answer.headers, answer.text)
    told: dict[str, list[str]] = {}
    for name, value in answer.json()["headers"]:
        told.setdefault(name.lower(), []).append(value)
    return told


async def test_a_person_signs_in_and_a_log_out_counts_at_the_next_request(gated: Gated) -> None:
    async with gated.browser() as browser:
        refused = await browser.get("/", headers={"accept": "application/json"})
        assert (refused.status_code, refused.json()["code"]) == (401, "gate_session_missing")
        assert refused.headers["www-authenticate"] == "Bearer"
        page = await gated.sign_in(browser, "/orders/1?color=red&of=all")
        assert page.status_code == 200, (page.url, page.headers, page.text)
        assert page.json()["line"] == "GET /orders/1?color=red&of=all HTTP/1.1"
        told = heard(page)
        assert told["x-sealring-subject"] == ["sub-0"]
        assert "orders:read" in told["x-sealring-scope"][0].split()
        names = {cookie.name for cookie in browser.cookies.jar}
        assert {"__Host-sealring-gate", "__Host-sealring-gate-login"} <= names
        assert told.get("cookie", [""]) == [""]

        verifier = GateVerifier(gated.installation.issuer, "app.example.com")
        assertion = told["x-sealring-assertion"][0]
        assert (await verifier.verify_async(assertion, method="GET", path="/orders/1")).sub == "sub-0"
        for method, path in (("POST", "/orders/1"), ("GET", "/orders/2")):
            with pytest.raises(InvalidToken, match="wrong_request"):
                await verifier.verify_async(assertion, method=method, path=path)
        other = GateVerifier(gated.installation.issuer, "other.example.com")
        with pytest.raises(InvalidToken, match="wrong_audience"):
            await other.verify_async(assertion, method="GET", path="/orders/1")
        access_tokens = Verifier(gated.installation.issuer, "app.example.com")
        with pytest.raises(InvalidToken, match="wrong_type"):
            await access_tokens.verify_async(assertion)

        forged = await browser.get("/", headers={**FORGED, "cookie": f"a=1; {jar(browser)}; b=2"})
        told = heard(forged)
        ours = {name: values for name, values in told.items() if re.match("x[-_]sealring", name)}
        assert ours.keys() == {"x-sealring-subject", "x-sealring-scope", "x-sealring-assertion"}
        assert ours["x-sealring-subject"] == ["sub-0"]
        await verifier.verify_async(ours["x-sealring-assertion"][0], method="GET", path="/")
        assert told["cookie"] == ["a=1; b=2"]

        posted = await browser.post("/orders/2", content="a body that passes")
        assert posted.json()["body"] == "a body that passes"
        ended = await gated.installation.run("sessions", "end", "--user", "user-0")
        assert ended.status == 0, ended.err
        assert (await browser.get("/")).status_code == 401
        assert (await browser.post("/", content="x", headers=PAGE)).status_code == 401
        assert (await browser.get("/", headers=PAGE)).headers["location"].startswith("/.sealring/login?return_to=%2F")


async def test_a_token_needs_the_scope_that_the_configuration_names_and_a_revoked_one_is_refused(gated: Gated) -> None:
    async with gated.browser() as browser:
        reading, writing = await gated.access_token(), await gated.access_token("orders:write")
        passed = await browser.get("/orders/1", headers={"authorization": f"Bearer {reading}"})
        assert heard(passed)["x-sealring-scope"] == ["orders:read"]
        if gated.proxy != "envoy":  # its sample demands the scope everywhere
            assert (await browser.get("/", headers={"authorization": f"Bearer {writing}"})).status_code == 200
        lacking = await browser.get("/orders/1?scope=orders:write", headers={"authorization": f"Bearer {writing}"})
        assert (lacking.status_code, lacking.json()["code"]) == (403, "insufficient_scope")
        assert 'scope="orders:read"' in lacking.headers["www-authenticate"]
        assertion = heard(passed)["x-sealring-assertion"][0]
        for token in ("x", assertion, reading + "x", ""):
            answer = await browser.get("/", headers={"authorization": f"Bearer {token}".strip()})
            assert answer.status_code == 401, token
        revoked = await gated.installation.run("tokens", "revoke", "-", stdin=reading)
        assert revoked.status == 0, revoked.err
        refused = await browser.get("/orders/1", headers={"authorization": f"Bearer {reading}"})
        assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
        assert refused.headers.get_list("www-authenticate")[0].startswith('Bearer error="invalid_token"')


async def test_an_upgraded_connection_passes_and_a_cookie_of_one_host_opens_no_other(gated: Gated) -> None:
    async with gated.browser() as browser:
        assert (await gated.sign_in(browser)).status_code == 200
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
        line = await gated.speak("/orders/live", {**upgrade, "Sec-WebSocket-Version": "13", "Cookie": jar(browser)})
        assert line == b"hello"
        assert await gated.speak("/orders/live", {**upgrade, "Sec-WebSocket-Version": "13"}) == b""
        if gated.proxy != "envoy":
            cookie = {"cookie": jar(browser)}
            assert (await browser.get("https://other.example.com/", headers=cookie)).status_code == 401
        assert (await browser.get("/.sealring/gate")).status_code != 200
        # Envoy makes it `/` itself, for the question and for the site alike.
        dots = () if gated.proxy == "envoy" else ("/orders/%2e%2e/",)
        for target in (*dots, "/x/..%2forders/1", "/a%5cb"):
            assert await gated.speak(target, {"Cookie": jar(browser)}) == b"", target
        twice = {"authorization": "Bearer x", "Authorization": "Bearer y", "Cookie": jar(browser)}
        assert await gated.speak("/", twice) == b""
        large = await browser.get("/", headers={"cookie": f"{jar(browser)}; a={'x' * 7000}", "x-large": "x" * 7000})
        assert heard(large)["cookie"] == [f"a={'x' * 7000}"]
        await gated.installation.kill()
        assert (await browser.get("/")).status_code == (502 if gated.proxy == "caddy" else 503)


async def test_a_person_signs_in_and_out_in_a_real_browser(
    browser: Browser, installation: "Installation", authority: "CertificateAuthority", proxies: "Proxies"
) -> None:
    port = free_port()
    host = f"localhost:{port}"
    key = await open_gates(installation, host)
    async with serve_site() as site:
        ports = {"sealring": installation.port, "site": site, "proxy": port}
        text = sample("nginx", host=host, key=key[host], ports=ports, tls=authority.issue("localhost"))
        await proxies.start_nginx(text.replace(f"server_name {host}", "server_name localhost"), port=port)
        page = await (await browser.new_context(ignore_https_errors=True)).new_page()
        await page.goto(f"https://{host}/orders/1?a=b#part")
        await page.fill("input[name=username]", "user-0")
        await page.fill("input[name=password]", "a passphrase of the tests")
        await page.press("input[name=password]", "Enter")
        await page.wait_for_url(f"https://{host}/orders/1?a=b*")
        assert "x-sealring-subject" in (await page.content()).lower()
        assert await page.evaluate("document.cookie") == ""
        assert await page.evaluate("fetch('/api').then((answer) => answer.status)") == 200
        # A link of the site's own.
        await page.evaluate("location.href = '/.sealring/logout'")
        await page.wait_for_url(f"{installation.issuer}/logout*")
        await page.goto(f"https://{host}/api")
        assert page.url == f"https://{host}/api"  # Sealring still knows who it is
        await page.evaluate("location.href = '/.sealring/logout'")
        await page.wait_for_url(f"{installation.issuer}/logout*")
        await page.click("button")
        await page.wait_for_url(f"{installation.issuer}/logged-out*")
        await page.goto(f"https://{host}/api")
        assert page.url.startswith(f"{installation.issuer}/login")
        # Whoever comes with a log-in of nobody sees a page of ours, in its own style.
        await page.goto(f"https://{host}/.sealring/callback?code=x&state=y")
        assert "interaction_expired" in await page.content()
        assert await page.evaluate("getComputedStyle(document.querySelector('.card')).borderTopStyle") == "solid"


async def open_gates(installation: "Installation", *hosts: str) -> dict[str, str]:
    """Start an installation with these gates; host → the key of its proxy."""
    installation.configure(server='trusted_proxies = ["127.0.0.1/32"]')
    await installation.furnish()
    await installation.start()
    keys = {}
    for host in hosts:
        added = await installation.run("gates", "add", host, "--api", "orders", "--scope", "orders:read", "--json")
        assert added.status == 0, added.err
        made: Any = added.value()
        keys[host] = made["gate_key"]
    return keys


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def jar(browser: httpx.AsyncClient) -> str:
    own = (cookie for cookie in browser.cookies.jar if cookie.domain == "app.example.com")
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in own)
