"""A conformance suite's part: its static clients, its callback server, its browser, and one server under test."""

import asyncio
import re
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx
import jwt
import pytest
import pytest_asyncio

from sealring.compose import open_house
from sealring.protocol.client import Client, ClientLogout, CodeFlow, SecretMethod
from sealring.protocol.key_schedule import Schedule
from sealring.protocol.user import User
from sealring.services.key_schedule import begin_line

if TYPE_CHECKING:
    from conftest import CertificateAuthority, Installation

PASSWORD: Final = "a passphrase of the tests"
PERSON: Final = "ada"
# `ui_locales` and the like are hints; everything that Core §5.1 defines is told of this person.
EVERY_CLAIM: Final[dict[str, object]] = {
    "name": "Ada Lovelace",
    "given_name": "Ada",
    "family_name": "Lovelace",
    "middle_name": "King",
    "nickname": "Ada",
    "preferred_username": "ada",
    "profile": "https://people.example/ada",
    "picture": "https://people.example/ada.png",
    "website": "https://ada.example",
    "gender": "female",
    "birthdate": "1815-12-10",
    "zoneinfo": "Europe/London",
    "locale": "en-GB",
    "updated_at": 1_700_000_000,
    "email": "ada@people.example",
    "email_verified": True,
    "phone_number": "+44 20 7946 0000",
    "phone_number_verified": False,
    "address": {"formatted": "St James's Square\nLondon", "locality": "London", "country": "GB"},
}
MOST_PAGES: Final = 12


class Callback:
    """The suite's own https server: keeps what browsers bring, and which logout tokens came."""

    def __init__(self) -> None:
        self.port = 0
        self.documents: dict[str, bytes] = {}
        self.answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self.logouts: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    @property
    def origin(self) -> str:
        return f"https://localhost:{self.port}"

    @asynccontextmanager
    async def serving(self, certificate: ssl.SSLContext) -> AsyncIterator["Callback"]:
        async with await asyncio.start_server(self._answer, "127.0.0.1", 0, ssl=certificate) as server:
            self.port = server.sockets[0].getsockname()[1]
            yield self

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = (await reader.readexactly(int(length[1]))).decode() if length else ""
        if head.split(" ")[1].endswith("/backchannel_logout"):
            self.logouts.put_nowait((head, body))
        page = self.documents.get(head.split(" ")[1], b"<p id=submission_complete>")
        head_line = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close"
        writer.write(head_line + b"\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page))
        await writer.drain()
        writer.close()


class Form(HTMLParser):
    """The form around one element of a page, as a click on that element would send it."""

    def __init__(self, page: str, clicked: str) -> None:
        super().__init__()
        self.clicked = clicked
        self.method, self.action, self.fields = "get", "", dict[str, str]()
        self.found = False
        self._inside = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.found:
            self._inside, self.fields = True, {}
            self.method, self.action = given.get("method", "get"), given.get("action", "")
            self.found = given.get("id") == self.clicked
        if not self._inside or tag not in {"input", "button"}:
            return
        clicked = given.get("id") == self.clicked
        self.found = self.found or clicked
        if given.get("name") and (tag == "input" or clicked):
            self.fields[given["name"]] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Page:
    """Where a browser came to rest. `given`: what it brought to the suite, None at the server's own pages."""

    def __init__(self, response: httpx.Response, visited: list[str], callback: Callback) -> None:
        self.response = response
        self.url = str(response.url)
        self.path = response.url.path
        self.visited = visited
        self.text = response.text
        self.given: dict[str, str] | None = None
        self.by = response.request.method
        if self.url.startswith(callback.origin):
            target = urlsplit(self.url)
            sent = response.request.content.decode() if self.by == "POST" else target.query
            parameters = parse_qs(sent, strict_parsing=bool(sent), keep_blank_values=True)
            assert all(len(values) == 1 for values in parameters.values()), parameters
            assert not (self.by == "POST" and target.query), self.url
            self.given = {name: values[0] for name, values in parameters.items()}

    def shows(self, element: str) -> bool:
        return f'id="{element}"' in self.text

    @property
    def asked_for_log_in(self) -> bool:
        return "login" in self.visited


class Suite:
    """One module's run: a browser of its own before the shared server, as one static client."""

    def __init__(self, installation: "Installation", callback: Callback, metadata: dict[str, Any]) -> None:
        self.installation = installation
        self.callback = callback
        self.metadata = metadata
        self.issuer = installation.issuer
        self.client_id = "client"
        self.secrets: dict[str, str] = {}
        self.response_mode: str | None = None
        self.refuse_consent = False
        assert isinstance(installation.trust, ssl.SSLContext)
        self.browser = httpx.AsyncClient(verify=installation.trust)
        self.http = httpx.AsyncClient(verify=installation.trust)

    @property
    def redirect_uri(self) -> str:
        return f"{self.callback.origin}/test/a/sealring/callback"

    @property
    def post_logout_redirect_uri(self) -> str:
        return f"{self.callback.origin}/test/a/sealring/post_logout_redirect"

    def now(self) -> float:
        """Tell what the server takes the time for."""
        file = self.installation.clock_offset
        return time.time() + (int(file.read_text()) if file.is_file() else 0)

    async def wait(self, seconds: int) -> None:
        """Let the server's wall clock move on, which nobody waits for."""
        self.installation.set_clock(round(self.now() - time.time()) + seconds)
        await asyncio.sleep(0.15)

    def request(self, **changes: str | None) -> dict[str, str]:
        """Lay out an authorization request as the suite's modules send it: without PKCE. None leaves one out."""
        asked: dict[str, str | None] = {
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "state": "state-of-ten",
            "nonce": "nonce-of-ten",
            "response_type": "code",
            "response_mode": self.response_mode,
        }
        return {name: value for name, value in {**asked, **changes}.items() if value is not None}

    async def authorize(self, *, by: str = "GET", **changes: str | None) -> Page:
        """Send the browser to /authorize and do there what is asked, until it comes to rest."""
        return await self.walk(self.metadata["authorization_endpoint"], self.request(**changes), by=by)

    async def log_out(self, **parameters: str) -> Page:
        return await self.walk(self.metadata["end_session_endpoint"], parameters)

    async def walk(self, endpoint: str, parameters: dict[str, str], *, by: str = "GET") -> Page:
        visited: list[str] = []
        if by == "GET":
            response = await self._follow("GET", f"{endpoint}?{urlencode(parameters)}" if parameters else endpoint)
        else:
            response = await self._follow("POST", endpoint, parameters, origin=self.callback.origin)
        for _ in range(MOST_PAGES):
            page = Page(response, visited, self.callback)
            act = self._next_act(page)
            if act is None:
                return page
            visited.append(act)
            response = await self._click(page, act)
        raise AssertionError(f"the pages have no end: {visited}")

    def _next_act(self, page: Page) -> str | None:
        if page.given is not None:
            return None
        acts = {"login-submit": "login", "consent-allow": "consent", "form-post": "form_post"}
        acts["logout-confirm"] = "logout"
        act = next((act for element, act in acts.items() if page.shows(element)), None)
        # The suite chooses what to do on a page by its address.
        assert act in {None, "form_post"} or page.path == f"/{act}", page.url
        return act

    async def _click(self, page: Page, act: str) -> httpx.Response:
        decision = "consent-deny" if self.refuse_consent else "consent-allow"
        elements = {"login": "login-submit", "consent": decision, "form_post": "form-post"}
        form = Form(page.text, elements.get(act, "logout-confirm"))
        assert form.found
        if act == "login":
            form.fields |= {"username": PERSON, "password": PASSWORD}
        return await self._follow(form.method.upper(), urljoin(page.url, form.action), form.fields, origin=self.issuer)

    async def _follow(
        self, method: str, url: str, form: dict[str, str] | None = None, *, origin: str | None = None
    ) -> httpx.Response:
        """Send as a browser does, which tells from where a form came."""
        headers = {} if origin is None else {"Origin": origin}
        response = await self.browser.request(method, url, data=form, headers=headers)
        for _ in range(MOST_PAGES):
            if not response.is_redirect:
                return response
            response = await self.browser.get(urljoin(str(response.url), response.headers["location"]))
        raise AssertionError("the redirects have no end")

    async def code(self, *, by: str = "GET", **changes: str | None) -> str:
        page = await self.authorize(by=by, **changes)
        return self.check_answer(page)["code"]

    def check_answer(self, page: Page) -> dict[str, str]:
        """Check that an answer of success holds what it must and no more."""
        assert page.given is not None, page.text
        assert page.given.keys() == {"code", "state", "iss"}, page.given
        assert (page.given["state"], page.given["iss"]) == ("state-of-ten", self.issuer)
        assert page.by == ("POST" if self.response_mode == "form_post" else "GET")
        assert len(page.given["code"]) >= 16  # 96 bits, at six a character
        return page.given

    def check_error(self, page: Page, *codes: str) -> None:
        """Check that an error came back to the client as it must."""
        assert page.given is not None, page.text
        assert page.given.keys() <= {"error", "error_description", "error_uri", "state", "iss"}, page.given
        assert page.given["error"] in codes, page.given
        assert (page.given["state"], page.given["iss"]) == ("state-of-ten", self.issuer)
        assert is_plain(page.given.get("error_description", ""))

    def secret(self, client_id: str | None = None) -> str:
        client_id = client_id or self.client_id
        return self.secrets.get(client_id, f"slc_of_{client_id}")

    async def register(self, **metadata: object) -> dict[str, Any]:
        """Register a client of the module's own, and be it from now on; check the answer (RFC 7591 §3.2.1)."""
        asked = {
            "client_name": "A client of the suite",
            "redirect_uris": [self.redirect_uri],
            "post_logout_redirect_uris": [self.post_logout_redirect_uri],
            "grant_types": ["authorization_code", "refresh_token"],
            "response_types": ["code"],
            "contacts": ["suite@example.com"],
        }
        response = await self.http.post(self.metadata["registration_endpoint"], json={**asked, **metadata})
        assert response.status_code == 201, response.text
        assert response.headers["cache-control"] == "no-store"
        told: dict[str, Any] = response.json()
        assert {**asked, **metadata}.items() <= told.items()
        self.client_id, self.secrets[told["client_id"]] = told["client_id"], told.get("client_secret", "")
        return told

    async def ask_token(self, *, client_id: str | None = None, **form: str) -> httpx.Response:
        client_id = client_id or self.client_id
        if client_id == "client_secret_post":
            form |= {"client_id": client_id, "client_secret": self.secret(client_id)}
            return await self.http.post(self.metadata["token_endpoint"], data=form)
        auth = (client_id, self.secret(client_id))
        return await self.http.post(self.metadata["token_endpoint"], data=form, auth=auth)

    async def redeem(self, code: str, **form: str) -> dict[str, Any]:
        """Redeem a code and check the answer as the suite does each time."""
        asked = {"grant_type": "authorization_code", "code": code, "redirect_uri": self.redirect_uri}
        response = await self.ask_token(**{**asked, **form})
        assert response.status_code == 200, response.text
        self.check_token_response(response)
        return dict(response.json())

    async def sign_in(self, *, by: str = "GET", **changes: str | None) -> dict[str, Any]:
        """Go the whole way, from /authorize to the claims of the checked ID token, which stand under `claims`."""
        tokens = await self.redeem(await self.code(by=by, **changes))
        sent = self.request(**changes)
        tokens["claims"] = await self.check_id_token(tokens, nonce=sent.get("nonce"))
        return tokens

    async def check_id_token(self, tokens: dict[str, Any], *, nonce: str | None = "nonce-of-ten") -> dict[str, Any]:
        """Check the signature by the published keys, and each claim (Core §3.1.3.7)."""
        claims = await self.read_jwt(tokens["id_token"], alg="RS256")
        assert claims["iss"] == self.issuer
        assert claims["aud"] == self.client_id
        assert claims["exp"] > self.now() - 5
        assert abs(claims["iat"] - self.now()) < 5
        assert claims.get("nonce") == nonce
        assert re.fullmatch(r"[!-~]{1,255}", claims["sub"])
        digest = sha256(tokens["access_token"].encode()).digest()[:16]
        assert claims["at_hash"] == jwt.utils.base64url_encode(digest).decode()
        # What scopes ask for comes from userinfo alone (Core §5.4).
        assert not claims.keys() & EVERY_CLAIM.keys()
        return claims

    async def read_jwt(self, token: str, *, alg: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        assert header["alg"] == alg
        keys = (await self.http.get(self.metadata["jwks_uri"])).json()["keys"]
        key = next(key for key in keys if key["kid"] == header["kid"])
        # The server's clock may be ahead of this one; times are compared above.
        options = {"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False}
        return dict(jwt.decode(token, jwt.PyJWK(key), algorithms=[alg], options=options))

    async def userinfo(self, tokens: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {tokens['access_token']}"}
        return self.check_userinfo(await self.http.get(self.metadata["userinfo_endpoint"], headers=headers), tokens)

    def check_userinfo(self, response: httpx.Response, tokens: dict[str, Any]) -> dict[str, Any]:
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("application/json")
        told: dict[str, Any] = response.json()
        assert told["sub"] == tokens["claims"]["sub"]
        return told

    def check_token_response(self, response: httpx.Response) -> None:
        """Check a token response (RFC 6749 §5.1)."""
        assert response.headers["content-type"].startswith("application/json")
        assert response.headers["cache-control"] == "no-store"
        told = response.json()
        assert told["token_type"].lower() == "bearer"
        assert isinstance(told["expires_in"], int)
        assert told["expires_in"] > 0
        assert re.fullmatch(r"[A-Za-z0-9._~+/-]{16,}=*", told["access_token"])

    def check_refusal(self, response: httpx.Response, *codes: str) -> None:
        """Check an error of the token endpoint (RFC 6749 §5.2)."""
        assert response.status_code == 400, response.text
        assert response.headers["content-type"].startswith("application/json")
        assert response.headers["cache-control"] == "no-store"
        told = response.json()
        assert told["error"] in codes, told
        assert is_plain(told.get("error_description", ""))

    def check_unsupported(self, page: Page, code: str) -> None:
        """Check a refusal of what the metadata says is unsupported: shown to who registered itself, else sent back."""
        if self.client_id in self.secrets:
            assert page.shows("oauth-error")
            assert (page.path, code in page.text) == ("/authorize", True)
        else:
            self.check_error(page, code)

    async def close(self) -> None:
        await self.browser.aclose()
        await self.http.aclose()


def is_plain(text: str) -> bool:
    """Say whether a description keeps to RFC 6749 §4.1.2.1: no control character, no quotation mark, no backslash."""
    return re.fullmatch(r"[\x20-\x21\x23-\x5b\x5d-\x7e]*", text) is not None


def site_client(port: int) -> Client:
    """Lay out the client that a site on a port of this machine is, by PKCE as clients are by default."""
    home = f"http://localhost:{port}/"
    return Client(
        client_id="site",
        name="A site",
        type="confidential",
        secret_digests=(sha256(b"slc_of_site").digest(),),
        allowed={},
        code_flow=CodeFlow(redirect_uris=(f"{home}oidc/callback/",)),
        logout=ClientLogout(post_logout_redirect_uris=(home,)),
        epoch=1,
        created_at=1,
    )


async def seed(installation: "Installation", callback: Callback, *, site_port: int) -> None:
    """Register the static clients and the person with every claim, and begin the line of RS256."""
    at = f"{callback.origin}/test/a/sealring"
    async with open_house(installation.settings()) as opened:
        house = opened.house
        methods: dict[str, SecretMethod] = {
            "client": "client_secret_basic",
            "client2": "client_secret_basic",
            "client_secret_post": "client_secret_post",
        }
        for client_id, method in methods.items():
            logout = ClientLogout(
                post_logout_redirect_uris=(f"{at}/post_logout_redirect",),
                backchannel_logout_uri=f"{at}/backchannel_logout",
                backchannel_logout_session_required=True,
            )
            client = Client(
                client_id=client_id,
                name=f"The suite's {client_id}",
                type="confidential",
                secret_digests=(sha256(f"slc_of_{client_id}".encode()).digest(),),
                secret_method=method,
                allowed={},
                code_flow=CodeFlow(redirect_uris=(f"{at}/callback",), require_pkce=False),
                logout=logout,
                epoch=1,
                created_at=1,
            )
            await house.store.clients.add(client, events=[])
        await house.store.clients.add(site_client(site_port), events=[])
        user = User(sub="sub-ada", username=PERSON, claims=EVERY_CLAIM, roles=(), epoch=1, created_at=1)
        hashed = await house.hashing.hash(PASSWORD.encode())
        assert isinstance(hashed, str)
        await house.store.users.add(user, username_key=PERSON, email_key=None, password_hash=hashed, events=[])
        line, keys = Schedule("access_token", "RS256"), opened.desk.keys
        await begin_line(line, store=house.store, signer=keys.signer, terms=keys.terms, now=house.clock())


class Bench:
    """What all modules share."""

    def __init__(
        self, installation: "Installation", callback: Callback, metadata: dict[str, Any], *, site_port: int
    ) -> None:
        self.installation = installation
        self.callback = callback
        self.metadata = metadata
        self.site_port = site_port


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def bench(
    authority_of_the_run: "CertificateAuthority", installation_of_the_run: "Installation"
) -> AsyncIterator[Bench]:
    """One server for every module, reached and reaching by TLS alone."""
    certificate = authority_of_the_run.issue("localhost")
    trust = authority_of_the_run.client_context()
    own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.load_cert_chain(*certificate)
    installation = installation_of_the_run
    async with Callback().serving(own) as callback:
        outgoing = f'outgoing = {{ca_file = "{authority_of_the_run.file}", allow = ["localhost:{callback.port}"]}}'
        registering = 'registration = {mode = "open", require_pkce = false, per_network = 10000}'
        installation.speak_tls(*certificate, trust=trust, rest=f"{outgoing}\n{registering}")
        with socket.create_server(("127.0.0.1", 0)) as probe:
            site_port = int(probe.getsockname()[1])
        await seed(installation, callback, site_port=site_port)
        await installation.start(movable_clock=True)
        async with httpx.AsyncClient(verify=trust) as http:
            metadata = (await http.get(f"{installation.issuer}/.well-known/openid-configuration")).json()
        yield Bench(installation, callback, metadata, site_port=site_port)
        await installation.kill()


@pytest_asyncio.fixture(loop_scope="session")
async def suite(bench: Bench) -> AsyncIterator[Suite]:
    """A module's run in a browser that nobody used."""
    while not bench.callback.logouts.empty():
        bench.callback.logouts.get_nowait()
    made = Suite(bench.installation, bench.callback, bench.metadata)
    yield made
    await made.close()


@pytest.fixture(params=[None, "form_post"], ids=["oidcc-basic", "oidcc-formpost-basic"])
def response_mode(request: pytest.FixtureRequest) -> str | None:
    """The plans that run the same modules, by the way the answer takes."""
    mode: str | None = request.param
    return mode


@pytest_asyncio.fixture(params=["static", "dynamic"], loop_scope="session")
async def basic(suite: Suite, response_mode: str | None, request: pytest.FixtureRequest) -> Suite:
    """A module of the plans oidcc-basic and oidcc-formpost-basic, with a static client or one that registers itself."""
    suite.response_mode = response_mode
    if request.param == "dynamic":
        await suite.register()
    return suite
