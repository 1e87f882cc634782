"""Sites of Flask and Django over real servers: people sign in by the real pages, and are out at the next request."""

import asyncio
import os
import re
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncIterator
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sealring.compose import open_house
from sealring.protocol.client import Client, ClientLogout, CodeFlow

if TYPE_CHECKING:
    from conftest import Installation

HOW_TO: Final = Path(__file__).parents[2] / "docs/how-to/sign-in-on-a-classic-site.md"
SOURCES: Final = Path(__file__).parents[2] / "packages/sealring-verify/src/sealring_verify"
EXAMPLES: Final = Path(__file__).parents[2] / "examples"
PASSWORD: Final = "a passphrase of the tests"
PROGRAMS: Final = {
    "flask_site": ["flask", "--app", "main", "run", "--port"],
    "django_site": ["django", "runserver", "--noreload"],
}
READY_SECONDS: Final = 20


class Person:
    """A browser of somebody's, who follows redirects and fills in forms."""

    def __init__(self, site: str, issuer: str) -> None:
        self.site = site
        self.issuer = issuer
        self.http = httpx.AsyncClient(timeout=10)
        self.page = httpx.Response(0)

    async def open(self, address: str, *, follow: bool = True) -> httpx.Response:
        self.page = await self.http.get(address if address.startswith("http") else self.site + address)
        while follow and self.page.has_redirect_location:
            self.page = await self.http.get(self.page.url.join(self.page.headers["location"]))
        return self.page

    async def submit(self, address: str, **fields: str) -> httpx.Response:
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', self.page.text))
        filled = {name: unescape(value) for name, value in hidden.items()} | fields
        parts = urlsplit(address)
        origin = f"{parts.scheme}://{parts.netloc}"
        self.page = await self.http.post(address, data=filled, headers={"Origin": origin})
        while self.page.has_redirect_location:
            self.page = await self.http.get(self.page.url.join(self.page.headers["location"]))
        return self.page

    async def sign_in(self, path: str = "/orders") -> httpx.Response:
        await self.open(path)
        assert 'id="login-page"' in self.page.text, self.page.text
        return await self.submit(f"{self.issuer}/login", username="user-0", password=PASSWORD)

    async def sign_out(self) -> httpx.Response:
        await self.open("/")
        return await self.submit(f"{self.site}/.sealring/sign-out")

    def session_cookie(self) -> str | None:
        return self.http.cookies.get("sealring-site-session")


@pytest.fixture(params=PROGRAMS)
async def person(request: pytest.FixtureRequest, installation: "Installation") -> AsyncIterator[Person]:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # Not the issuer's 127.0.0.1: cookies know no ports.
    site = f"http://localhost:{port}"
    await installation.furnish()
    await register(installation, site)
    await installation.start()
    told = {
        "SEALRING_ISSUER": installation.issuer,
        "SEALRING_CLIENT_ID": "site",
        "SEALRING_CLIENT_SECRET": "slc_of_the_site",
        "SEALRING_SITE": site,
        "DJANGO_SETTINGS_MODULE": "settings",
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *PROGRAMS[request.param], str(port)),
        cwd=EXAMPLES / request.param,
        env=os.environ | told,
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    try:
        person = Person(site, installation.issuer)
        async with asyncio.timeout(READY_SECONDS):
            while True:
                try:
                    await person.open("/")
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        yield person
        await person.http.aclose()
    finally:
        process.kill()
        await process.wait()


async def register(installation: "Installation", site: str) -> None:
    async with open_house(installation.settings()) as opened:
        client = Client(
            client_id="site",
            name="Shop",
            type="confidential",
            secret_digests=(sha256(b"slc_of_the_site").digest(),),
            allowed={},
            code_flow=CodeFlow(redirect_uris=(f"{site}/.sealring/callback",), consent="skip"),
            logout=ClientLogout(post_logout_redirect_uris=(f"{site}/",)),
            epoch=1,
            created_at=1,
        )
        assert await opened.house.store.clients.add(client, events=[])


def test_each_code_of_a_refused_sign_in_is_in_the_how_to() -> None:
    written = "".join(file.read_text() for file in (SOURCES / "site").glob("*.py"))
    codes = {*re.findall(r'SignInRefused\(code="(\w+)"\)', written)}
    codes |= {"foreign_form", "callback_malformed", "code_refused"}
    table = HOW_TO.read_text().split("| code | what it means |")[1]
    assert codes == set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE))


def test_the_programs_of_the_how_to_guard_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    text = HOW_TO.read_text()
    for name, value in re.findall(r"^export (\w+)=(.*)$", text, re.MULTILINE):
        monkeypatch.setenv(name, value)
    flask, django = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names: dict[str, Any] = {"__name__": "__main__"}
    exec(flask, names)  # noqa: S102 -- our own page
    answer = names["app"].test_client().get("/orders")
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith("https://id.example.com/authorize?")
    written = answer.headers["Set-Cookie"]
    assert written.startswith("__Host-sealring-site-sign-in-")
    assert all(flag in written for flag in ("Secure", "HttpOnly", "Path=/", "SameSite=Lax"))
    exec(django, names)  # noqa: S102 -- as above
    shown = (EXAMPLES / "django_site/settings.py").read_text()
    assert names["MIDDLEWARE"] == re.findall(r'^    "([\w.]+)",$', shown, re.MULTILINE)


async def test_a_person_signs_in_comes_back_and_signs_out_everywhere(person: Person) -> None:
    page = await person.open("/")
    assert 'id="sign-in"' in page.text
    page = await person.sign_in("/orders?of=2026")
    assert "Orders of sub-0: a lamp." in page.text
    assert str(page.url) == f"{person.site}/orders?of=2026"
    cookie = person.session_cookie()
    assert cookie is not None
    assert "slr_" not in cookie
    page = await person.sign_out()
    assert str(page.url) == f"{person.site}/"
    assert 'id="sign-in"' in page.text
    # The one sign-in of all applications is over as well.
    assert 'id="login-page"' in (await person.open("/orders")).text
    # Whoever kept the cookie has nothing.
    kept = await httpx.AsyncClient(cookies={"sealring-site-session": cookie}).get(f"{person.site}/orders")
    assert kept.status_code == 303


async def test_a_session_that_ends_anywhere_is_over_at_the_next_request(
    person: Person, installation: "Installation"
) -> None:
    await person.sign_in()
    assert (await person.open("/orders", follow=False)).status_code == 200
    assert (await installation.run("sessions", "end", "--user", "user-0")).status == 0
    answer = await person.open("/orders", follow=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{installation.issuer}/authorize?")
    assert 'id="sign-in"' in (await person.open("/")).text


async def test_a_changed_password_and_a_log_out_elsewhere_end_it_as_well(
    person: Person, installation: "Installation"
) -> None:
    await person.sign_in()
    await person.open(f"{person.issuer}/logout")
    assert 'id="logout-page"' in person.page.text
    await person.submit(f"{person.issuer}/logout")
    await person.sign_in()
    changed = await installation.run("users", "set-password", "user-0", "--password-stdin", stdin=f"{PASSWORD}\n")
    assert changed.status == 0, changed.err
    await person.sign_in()
    assert "Orders of sub-0" in person.page.text


async def test_where_the_issuer_cannot_be_asked_nobody_is_taken_for_signed_in_or_out(
    person: Person, installation: "Installation"
) -> None:
    await person.sign_in()
    cookie = person.session_cookie()
    await installation.stop()
    for path in ("/", "/orders"):
        answer = await person.open(path, follow=False)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert person.session_cookie() == cookie
    await installation.start()
    assert "Orders of sub-0" in (await person.open("/orders")).text


async def test_a_return_that_this_browser_did_not_ask_for_signs_nobody_in(person: Person) -> None:
    begun = await person.open("/.sealring/sign-in?next=//evil.example", follow=False)
    state = parse_qs(urlsplit(begun.headers["location"]).query)["state"][0]
    victim = Person(person.site, person.issuer)
    refused = {
        f"code=x&state={state}&iss={person.issuer}": "state_mismatch",
        "code=x&state=&iss=": "state_mismatch",
        "": "state_mismatch",
        "code=x&code=y&state=a": "callback_malformed",
        "code=%00%0d%0aSet-Cookie:x&state=%00": "state_mismatch",
        f"code={'x' * 4000}&state={'y' * 4000}": "state_mismatch",
    }
    for query, code in refused.items():
        answer = await victim.open(f"/.sealring/callback?{query}", follow=False)
        assert (answer.status_code, f"<code>{code}</code>" in answer.text) == (400, True), answer.text
        assert victim.session_cookie() is None
    await victim.http.aclose()
    own = {
        f"code=x&state={state}&iss=https://evil.example": "issuer_mismatch",
        f"error=access_denied&state={state}&iss={person.issuer}": "access_denied",
        f"error=%3Cscript%3E&state={state}&iss={person.issuer}": "callback_malformed",
        f"code=stolen&state={state}&iss={person.issuer}": "code_refused",
    }
    for query, code in own.items():
        answer = await person.open(f"/.sealring/callback?{query}", follow=False)
        assert (answer.status_code, f"<code>{code}</code>" in answer.text) == (400, True), answer.text
    assert person.session_cookie() is None


async def test_two_tabs_sign_in_side_by_side_and_nobody_is_led_elsewhere(person: Person) -> None:
    first = await person.open("/.sealring/sign-in?next=/orders?of=first", follow=False)
    second = await person.open("/.sealring/sign-in?next=https://evil.example/", follow=False)
    await person.open(first.headers["location"])
    page = await person.submit(f"{person.issuer}/login", username="user-0", password=PASSWORD)
    assert str(page.url) == f"{person.site}/orders?of=first"
    page = await person.open(second.headers["location"])
    assert str(page.url) == f"{person.site}/"


async def test_a_form_of_another_site_signs_nobody_out(person: Person) -> None:
    await person.sign_in()
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {}):
        answer = await person.http.post(f"{person.site}/.sealring/sign-out", headers=headers)
        assert answer.status_code == 403
    assert (await person.http.get(f"{person.site}/.sealring/sign-out")).status_code == 405
    assert "Orders of sub-0" in (await person.open("/orders")).text


async def test_a_cookie_that_the_site_did_not_write_is_nobody(person: Person) -> None:
    await person.sign_in()
    cookie = person.session_cookie() or ""
    middle = len(cookie) // 2
    altered = cookie[:middle] + ("A" if cookie[middle] != "A" else "B") + cookie[middle + 1 :]
    for planted in ("", "x", altered, cookie[:-4], "A" * 3800, "%00", cookie + "AAAA"):
        async with httpx.AsyncClient() as stranger:
            sent = {"Cookie": f"sealring-site-session={planted}"}
            answer = await stranger.get(f"{person.site}/orders", headers=sent)
            assert answer.status_code == 303
