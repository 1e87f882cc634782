"""A person in a browser of their own: cookies, forms, and the redirects followed one by one."""

import re
from html import unescape
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sealring.protocol.pkce import code_challenge_of

VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
CALLBACK = "https://app.example/callback"
REQUEST = {
    "client_id": "app",
    "redirect_uri": CALLBACK,
    "response_type": "code",
    "scope": "openid",
    "state": "the-state",
    "code_challenge": code_challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}


class Person(SimpleNamespace):
    """A browser at a site. `page`: the last answer that was no redirect within the site, or one away from it."""

    site: SimpleNamespace
    http: httpx.AsyncClient
    page: httpx.Response

    def another(self) -> "Person":
        """Another browser at the same site."""
        return Person(site=self.site, http=self.site.client())

    async def authorize(self, **changes: str | list[str] | None) -> httpx.Response:
        """Arrive with a client's request, and follow it to a page or out of the site."""
        wanted = {name: value for name, value in (REQUEST | changes).items() if value is not None}
        return await self.open("/authorize", wanted)

    async def open(self, path: str, parameters: dict[str, str | list[str]] | None = None) -> httpx.Response:
        return await self._follow(await self.http.get(path, params=parameters))

    async def submit(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        """Send the form of the page, with its hidden fields."""
        hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', self.page.text))
        filled = {name: unescape(value) for name, value in hidden.items()} | fields
        return await self._follow(await self.http.post(path, data=filled, headers=headers))

    async def sign_in(self, username: str = "ada", password: str = "correct horse battery staple") -> httpx.Response:
        assert 'id="login-page"' in self.page.text, self.page.text
        return await self.submit("/login", username=username, password=password)

    async def decide(self, decision: str = "allow") -> httpx.Response:
        assert 'id="consent-page"' in self.page.text, self.page.text
        return await self.submit("/consent", decision=decision)

    async def arrive(self, **changes: str | list[str] | None) -> dict[str, str]:
        """Go the whole way: request, log-in, consent; what the client is told."""
        page = await self.authorize(**changes)
        if 'id="login-page"' in page.text:
            page = await self.sign_in()
        if 'id="consent-page"' in page.text:
            page = await self.decide()
        return self.told()

    def told(self) -> dict[str, str]:
        """Read what the last redirect tells the client."""
        assert self.page.status_code == 303, self.page.text
        location = urlsplit(self.page.headers["location"])
        assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
        return {name: value for name, (value,) in parse_qs(location.query, strict_parsing=True).items()}

    async def _follow(self, answer: httpx.Response) -> httpx.Response:
        own = self.site.opened.house.issuer + "/"
        while answer.status_code == 303 and answer.headers["location"].startswith(own):
            answer = await self.http.get(answer.headers["location"])
        self.page = answer
        return answer


@pytest.fixture
async def person(site: SimpleNamespace) -> Person:
    """Somebody who is not signed in, at a site with the client `app`."""
    await site.add_app()
    return Person(site=site, http=site.client())
