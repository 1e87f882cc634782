"""The programs that the how-to pages print, run against a real server."""

import asyncio
import json
import os
import re
import shlex
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import pytest
import uvicorn

from sealring_verify import ServiceToken

if TYPE_CHECKING:
    from conftest import Installation

PAGES: Final = Path(__file__).parents[2] / "docs/how-to"
CLIENT_SECRET: Final = "slc_of_the_tests"
PASSWORD: Final = "a passphrase of the tests"


def blocks(page: str, issuer: str, language: str = "python") -> list[str]:
    """Read a page's programs, with the issuer and the secret of the tests in them."""
    text = (PAGES / page).read_text().replace("https://id.example.com", issuer).replace("slc_…", CLIENT_SECRET)
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


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
    installation: "Installation", monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    await installation.furnish()
    await installation.start()
    token = (await installation.sign_in()).json()["access_token"]
    with_fastapi, *other_frameworks, asking, opaque, generating, decrypting = blocks(
        "protect-your-api.md", installation.issuer
    )
    # The doors' own tests run what is printed for the other frameworks.
    (anywhere,) = (block for block in other_frameworks if "integrations" not in block)
    app = run(with_fastapi)["app"]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api.example") as caller:
        answer = await caller.get("/orders", headers={"Authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()) == (200, ["the lamp of sub-0"])
    subject_of = run(anywhere)["subject_of"]
    assert await asyncio.to_thread(subject_of, token) == "sub-0"
    assert await asyncio.to_thread(subject_of, token + "x") is None
    monkeypatch.setenv("SEALRING_API_KEY", "sla_of_the_tests")
    assert run(asking)["verifier"].status().revocation.condition == "waiting"
    assert run(opaque)["verifier"].status().introspects
    monkeypatch.chdir(tmp_path)
    assert run(generating, decrypting)["verifier"].audience == "diary"


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl, and there is none here")
async def test_a_program_works_in_its_own_name_as_the_page_shows(installation: "Installation") -> None:
    page = "sign-in-from-a-program.md"
    await installation.furnish()
    await installation.start()
    (registering,) = blocks(page, installation.issuer, "console")
    added = await installation.run(*shlex.split(registering)[2:])  # without the prompt and the program's name
    assert added.status == 0, added.err
    secret = re.search(r"slc_\S+", added.out)
    assert secret is not None
    variables = {"CLIENT_SECRET": secret[0]}
    getting, calling, giving_back = blocks(page, installation.issuer, "sh")
    told = json.loads(await shell(getting, variables))
    (shown,) = blocks(page, installation.issuer, "json")
    assert told.keys() == json.loads(shown).keys()
    assert (told["token_type"], told["scope"]) == ("Bearer", "orders:read")
    variables["ACCESS_TOKEN"] = told["access_token"]
    api, received = await listen_once()
    await shell(calling.replace("https://orders.example.com", api), variables)
    assert f"Authorization: Bearer {told['access_token']}".encode() in await received
    introspect = (
        f"curl --silent {installation.issuer}/introspect --user orders:sla_of_the_tests --data token=$ACCESS_TOKEN"
    )
    assert json.loads(await shell(introspect, variables))["sub"] == "reports"
    assert await shell(giving_back, variables) == ""
    assert json.loads(await shell(introspect, variables)) == {"active": False}
    with pytest.raises(AssertionError, match="client_authentication_failed"):
        await shell(getting, {"CLIENT_SECRET": "slc_wrong"})


async def test_a_service_calls_another_as_the_page_shows(
    installation: "Installation", monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "call-another-service.md"
    await installation.furnish()
    await installation.start()
    (registering,) = blocks(page, installation.issuer, "console")
    added = await installation.run(*shlex.split(registering)[2:])
    secret = re.search(r"slc_\S+", added.out)
    assert secret is not None, added.err
    monkeypatch.setenv("SEALRING_ISSUER", installation.issuer)
    monkeypatch.setenv("SEALRING_CLIENT_ID", "reports")
    monkeypatch.setenv("SEALRING_CLIENT_SECRET", secret[0])
    calling, bare, failing = blocks(page, installation.issuer)
    async with listen_for_orders(installation.issuer) as api:
        called = run(calling.replace("https://orders.example.com", api))
        with called["orders"]:
            assert await asyncio.to_thread(called["open_orders"]) == ["the lamp of reports"]
        headers = await asyncio.to_thread(run(bare)["headers"])
        assert headers["Authorization"].startswith("Bearer eyJ")
        fetch = run(failing)["fetch"]
        wrong = ServiceToken(installation.issuer, "reports", "slc_wrong", "orders", "orders:read")
        assert await asyncio.to_thread(fetch, f"{api}/orders", wrong) is None
        good = ServiceToken.from_environment("orders", "orders:read")
        assert (await asyncio.to_thread(fetch, f"{api}/orders", good)).status_code == 200


@pytest.mark.skipif(shutil.which("curl") is None, reason="the page uses curl, and there is none here")
async def test_applications_are_registered_and_register_themselves_as_the_page_shows(
    installation: "Installation",
) -> None:
    page = "sign-in-with-openid-connect.md"
    (setting,) = blocks(page, installation.issuer, "toml")
    (mode,) = re.findall(r'mode = ("\w+")', setting)
    installation.configure(rest=f"registration = {{mode = {mode}}}")
    await installation.furnish()
    await installation.start()
    adding, adding_public, claiming, inviting = blocks(page, installation.issuer, "console")
    ran = await installation.run(*shlex.split(adding)[2:])
    assert "slc_" in ran.out, ran.err
    ran = await installation.run(*shlex.split(adding_public)[2:])
    assert (ran.status, "slc_" in ran.out) == (0, False), ran.err
    ran = await installation.run(*shlex.split(claiming.replace(" ada ", " user-0 "))[2:])
    assert "Ada Lovelace" in ran.out, ran.err
    registering, reading, deleting = blocks(page, installation.issuer, "sh")
    ran = await installation.run(*shlex.split(inviting)[2:])
    token = re.search(r"sli_\S+", ran.out)
    assert token is not None, ran.err
    assert json.loads(await shell(registering, {"INITIAL_ACCESS_TOKEN": "sli_x"}))["error"] == "invalid_token"
    told = json.loads(await shell(registering, {"INITIAL_ACCESS_TOKEN": token[0]}))
    assert told["client_secret"].startswith("slc_")
    variables = {name.upper(): told[name] for name in ("registration_client_uri", "registration_access_token")}
    assert json.loads(await shell(reading, variables))["client_id"] == told["client_id"]
    assert (await installation.run("clients", "show", told["client_id"])).status == 0
    assert await shell(deleting, variables) == ""
    assert (await installation.run("clients", "show", told["client_id"])).status == 1


@asynccontextmanager
async def listen_for_orders(issuer: str) -> AsyncIterator[str]:
    """Serve the API of the page that protects one, on this machine."""
    app = run(blocks("protect-your-api.md", issuer)[0])["app"]
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:  # noqa: ASYNC110 -- uvicorn has no event for it
            await asyncio.sleep(0.01)
    host, port = server.servers[0].sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.should_exit = True
        await serving


async def shell(command: str, variables: dict[str, str]) -> str:
    """Run a command of a page, and return what it printed; it must succeed."""
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"], "no_proxy": "*", **variables}
    )
    async with asyncio.timeout(20):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    return out.decode()


async def listen_once() -> tuple[str, asyncio.Future[bytes]]:
    """Be an API that hears one request."""
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.set_result(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    received.add_done_callback(lambda _: server.close())
    return f"http://{host}:{port}", received
