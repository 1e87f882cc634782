"""The example of three parts on one host, started by its one command and used in a real browser through nginx."""

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from playwright.async_api import Browser, Page

if TYPE_CHECKING:
    from conftest import BrowserPackage, Proxies

START: Final = Path(__file__).parents[2] / "examples/one_host/start.py"
READY_SECONDS: Final = 40


class Host:
    """What the example serves. `password`: ada's."""

    def __init__(self, home: str, password: str) -> None:
        self.home = home
        self.password = password


@pytest.fixture
async def host(browser_package: "BrowserPackage", proxies: "Proxies", tmp_path: Path) -> AsyncIterator[Host]:
    assert (browser_package.dist / "sealring.js").exists()
    nginx, environment = proxies.nginx()
    port = four_free_ports()
    folder = tmp_path / "one-host"
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, START, folder),
            env=environment | {"NGINX": str(nginx), "PORT": str(port)},
            stdout=PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(READY_SECONDS):
            while b"sign in as ada" not in (line := await process.stdout.readline()):
                assert line, (tmp_path / "log").read_text()
        yield Host(f"http://localhost:{port}", json.loads((folder / "secrets.json").read_text())["ada"])
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0


def four_free_ports() -> int:
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            first: int = probe.getsockname()[1]
        try:
            for port in range(first, first + 4):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError):
            continue
        return first


async def sign_in(page: Page, password: str) -> None:
    await page.click("#sign-in")
    await page.fill("#username", "ada")
    await page.fill("#password", password)
    await page.click("#login-submit")


async def test_one_sign_in_opens_page_api_and_site_and_one_sign_out_ends_all(
    host: Host, browser: Browser, tmp_path: Path
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(f"{host.home}/app/")
    async with page.expect_request(f"{host.home}/api/orders") as calling:
        await sign_in(page, host.password)
    await page.wait_for_selector("#orders li")
    assert await page.inner_text("#orders") == "lamp"
    token = (await (await calling.value).all_headers())["authorization"]
    await page.screenshot(path=tmp_path / "page.png")

    site = await context.new_page()
    await site.goto(host.home)
    await site.click("#sign-in")
    await site.wait_for_selector("#user")
    assert "a lamp" in await site.inner_text("body")
    assert site.url == f"{host.home}/orders"

    await site.click("#sign-out")
    await site.wait_for_selector("#sign-in")
    calls = "(token) => fetch('/api/orders', {headers: {Authorization: token}}).then((answer) => answer.status)"
    refused = f"async (token) => await ({calls})(token) === 401"
    await site.wait_for_function(refused, arg=token, polling=50, timeout=2000)
    await page.reload()
    await page.wait_for_selector("#sign-in:not([hidden])")
    # The sign-in at the issuer is over as well: the log-in page asks again.
    await page.click("#sign-in")
    await page.wait_for_selector("#login-page")
    await context.close()
