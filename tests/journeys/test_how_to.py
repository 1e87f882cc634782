"""The programs that the how-to pages print, run against a real server."""

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import Installation

PAGES: Final = Path(__file__).parents[2] / "docs/how-to"
CLIENT_SECRET: Final = "slc_of_the_tests"
PASSWORD: Final = "a passphrase of the tests"


def blocks(page: str, issuer: str) -> list[str]:
    """Read a page's programs, with the issuer and the secret of the tests in them."""
    text = (PAGES / page).read_text().replace("https://id.example.com", issuer).replace("slc_…", CLIENT_SECRET)
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def run(*programs: str) -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec("\n".join(programs), names)  # noqa: S102 -- our own pages
    return names


@pytest.mark.both_engines
async def test_a_back_end_signs_in_and_refreshes_as_the_page_shows(installation: "Installation") -> None:
    await installation.furnish()
    await installation.start()
    names = run(*blocks("sign-in-from-your-back-end.md", installation.issuer))
    with names["sealring"]:
        tokens = await asyncio.to_thread(names["sign_in"], "user-0", PASSWORD)
        assert await asyncio.to_thread(names["sign_in"], "user-0", "wrong") is None
        renewed = await asyncio.to_thread(names["refresh"], tokens["refresh_token"])
        assert renewed["refresh_token"] != tokens["refresh_token"]
        # As after a lost answer: the same successor.
        again = await asyncio.to_thread(names["refresh"], tokens["refresh_token"])
        assert again["refresh_token"] == renewed["refresh_token"]
        assert await asyncio.to_thread(names["refresh"], "slr_nothing") is None


async def test_an_api_is_protected_as_the_page_shows(
    installation: "Installation", monkeypatch: pytest.MonkeyPatch
) -> None:
    await installation.furnish()
    await installation.start()
    token = (await installation.sign_in()).json()["access_token"]
    with_fastapi, anywhere, asking = blocks("protect-your-api.md", installation.issuer)
    app = run(with_fastapi)["app"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example") as caller:
        answer = await caller.get("/orders", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (200, ["the lamp of sub-0"])
    subject_of = run(anywhere)["subject_of"]
    assert await asyncio.to_thread(subject_of, token) == "sub-0"
    assert await asyncio.to_thread(subject_of, token + "x") is None
    monkeypatch.setenv("SEALRING_API_KEY", "sla_of_the_tests")
    assert run(asking)["verifier"].status().revocation.condition == "waiting"
