"""The README's own blocks, run as printed."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import LocalIssuer

_BLOCKS = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL)


def _run(block: str, issuer: "LocalIssuer") -> dict[str, Any]:
    names: dict[str, Any] = {}
    exec(block.replace("https://id.example.com", issuer.url), names)  # noqa: S102 - our own page
    return names


async def test_the_first_block_is_an_api(issuer: "LocalIssuer") -> None:
    transport = httpx.ASGITransport(app=_run(_BLOCKS[0], issuer)["app"])
    async with httpx.AsyncClient(transport=transport, base_url="http://api.example") as browser:
        headers = {"Authorization": f"Bearer {issuer.token()}"}
        assert (await browser.get("/orders", headers=headers)).json() == ["lamp"]
        assert (await browser.get("/orders")).json()["code"] == "token_missing"


def test_the_second_block_verifies_anywhere(issuer: "LocalIssuer", capsys: pytest.CaptureFixture[str]) -> None:
    subject_of = _run(_BLOCKS[1], issuer)["subject_of"]
    assert subject_of(issuer.token()) == "u1"
    assert subject_of(issuer.token(scope="orders:write")) is None
    assert subject_of(issuer.token(exp=1000)) is None
    insufficient = "403 insufficient_scope This operation needs the scope: orders:read.\n"
    assert capsys.readouterr().out == insufficient + "401 token_expired The token has expired.\n"


def test_the_third_block_calls_another_service(issuer: "LocalIssuer") -> None:
    names = _run(_BLOCKS[2], issuer)
    with names["orders"] as orders:
        assert orders.get(f"{issuer.url}/orders").status_code == 404  # no API, but it was called with a token
    assert names["service_token"].token() == "t1"
