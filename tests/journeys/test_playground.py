"""The demo as a newcomer meets it: real processes, its commands, and its page in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import msgspec
import pytest
from playwright.async_api import Browser, Page, expect

SEALRING: Final = Path(sys.executable).with_name("sealring")
READY_SECONDS: Final = 30


class Demo(msgspec.Struct):
    """A demo on ports of its own. `process`: the one that runs, if one does."""

    folder: Path
    port: int
    api_port: int
    process: "subprocess.Popen[str] | None" = None

    def start(self) -> str:
        """Start it and return its screen."""
        command = [SEALRING, "demo", *self._where(), "--port", str(self.port), "--api-port", str(self.api_port)]
        with (self.folder.parent / "errors").open("a") as errors:
            self.process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, text=True, env=_environment()
            )
        assert self.process.stdout is not None
        said: list[str] = []
        while len(said) < 14 and (line := self.process.stdout.readline()):
            said.append(line)
        assert len(said) == 14, (self.folder.parent / "errors").read_text()
        return "".join(said)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Stop it and return its exit status."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.send_signal(how)
        self.process.stdout.close()
        status = self.process.wait(READY_SECONDS)
        self.process = None
        return status

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run a command of the second terminal."""
        return subprocess.run(
            [SEALRING, *arguments], capture_output=True, text=True, check=False, env=_environment(), timeout=60
        )

    def token(self) -> str:
        """Sign ada in and return what is printed."""
        done = self.run("demo", "token", *self._where())
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.strip()

    def end_sessions(self) -> str:
        """End all of ada's sessions, as the operator does."""
        return self.run("sessions", "end", "--user", "ada", "--config", str(self.folder / "sealring.toml")).stdout

    def call(self, token: str) -> httpx.Response:
        """Call the example API, as curl does."""
        headers = {"Authorization": f"Bearer {token}"}
        return httpx.get(f"http://127.0.0.1:{self.api_port}/orders", headers=headers, trust_env=False)

    @property
    def issuer(self) -> str:
        """Where its server is."""
        return f"http://localhost:{self.port}"

    def _where(self) -> list[str]:
        return ["--folder", str(self.folder)]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SEALRING_")}


def _free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    port, api_port = _free_ports()
    demo = Demo(folder=tmp_path_factory.mktemp("demo") / "demo-data", port=port, api_port=api_port)
    yield demo
    if demo.process is not None:
        demo.stop()


@pytest.fixture
def demo(house: Demo) -> Demo:
    """A demo that runs."""
    if house.process is None:
        house.start()
    return house


def test_a_token_opens_the_api_until_its_session_is_ended(demo: Demo) -> None:
    token = demo.token()
    answer = demo.call(token)
    assert (answer.status_code, answer.json()[0]) == (200, {"id": 1, "item": "lamp"})
    assert re.match(r"\d+ sessions? ended", demo.end_sessions())
    answer = demo.call(token)
    assert (answer.status_code, answer.json()["code"]) == (401, "session_ended")


def test_a_forwarded_request_is_refused_and_so_is_another_host(demo: Demo) -> None:
    for headers, code in (({"X-Forwarded-For": "192.0.2.1"}, "forwarded_request"), ({"Host": "evil"}, "wrong_host")):
        answer = httpx.get(demo.issuer, headers=headers, trust_env=False)
        assert (answer.status_code, answer.json()["code"]) == (400 if code == "forwarded_request" else 421, code)


def test_a_second_demo_on_the_same_port_ends_with_a_sentence(demo: Demo, tmp_path: Path) -> None:
    port = str(_free_ports()[0])
    second = demo.run("demo", "--folder", str(tmp_path), "--port", port, "--api-port", str(demo.api_port))
    assert second.returncode == 2
    assert f"Port {demo.api_port}, where the example API shall answer" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_demos_clock_moves_by_its_file(demo: Demo) -> None:
    file = demo.folder / "clock-offset"
    file.write_text("-3600")
    try:
        time.sleep(0.2)
        assert demo.call(demo.token()).json()["code"] == "token_expired"
    finally:
        file.unlink()
    time.sleep(0.2)
    assert demo.call(demo.token()).status_code == 200


def test_a_real_server_refuses_the_demos_data(demo: Demo) -> None:
    demo.stop()
    served = demo.run("serve", "--config", str(demo.folder / "sealring.toml"))
    assert served.returncode == 2
    assert "demo's database" in served.stderr


def test_a_demo_that_is_started_again_keeps_everything(demo: Demo) -> None:
    token = demo.token()
    assert demo.stop() == 0
    down = demo.run("demo", "token", "--folder", str(demo.folder))
    assert (down.returncode, down.stdout) == (3, "")
    assert "does not answer" in down.stderr
    passphrase = (demo.folder / "ada.passphrase").read_text().strip()
    assert passphrase in demo.start()
    assert demo.call(token).status_code == 200


def test_the_api_ends_with_a_demo_that_is_killed(demo: Demo) -> None:
    demo.stop(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{demo.api_port}/orders", trust_env=False)
        except httpx.TransportError:
            return
        assert time.monotonic() < deadline
        time.sleep(0.1)


async def test_a_newcomer_watches_a_token_live_and_die(demo: Demo, browser: Browser) -> None:
    passphrase = (demo.folder / "ada.passphrase").read_text().strip()
    faults: list[str] = []
    page = await browser.new_page(viewport={"width": 360, "height": 740})
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if "Content Security Policy" in said.text else None)
    await page.goto(demo.issuer)
    await sign_in(page, passphrase)
    await call_and_refresh(page)
    await log_out(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert faults == []


async def sign_in(page: Page, passphrase: str) -> None:
    await page.fill("#passphrase", "not this one, surely")
    await page.click("#sign-in button")
    await expect(page.locator("#sign-in-outcome")).to_contain_text("wrong_credentials")
    await page.fill("#passphrase", passphrase)
    await page.press("#passphrase", "Enter")
    await expect(page.locator("#sign-in-outcome")).to_contain_text("Signed in as ada")
    await expect(page.locator("#countdown")).to_contain_text("Expires in 9 min")
    await expect(page.locator("#claims")).to_contain_text("orders:read orders:write")


async def call_and_refresh(page: Page) -> None:
    await page.click("#list-orders")
    await expect(page.locator("#api-outcome")).to_contain_text("GET /orders → 200")
    await page.click("#place-order button")
    await expect(page.locator("#api-outcome")).to_contain_text("POST /orders → 201")
    await page.click("#refresh")
    await expect(page.locator("#refresh-outcome")).to_contain_text("was replaced by")
    await page.click("#repeat")
    await expect(page.locator("#refresh-outcome")).to_contain_text("The same successor again")


async def log_out(page: Page) -> None:
    await page.click("#log-out")
    await expect(page.locator("#end-outcome")).to_contain_text("Logged out")
    # A log-out waits for nobody; the API knows within a second.
    await page.wait_for_timeout(1000)
    await page.click("#call-again")
    await expect(page.locator("#end-outcome")).to_contain_text("GET /orders → 401 session_ended")
