"""What every door answers, as cases that each door's test sends to its framework; and the examples, as processes.

The API of the cases: GET /orders needs orders:read, POST /orders needs orders:write besides, GET /me any good token,
POST /payments orders:write and a sign-in by gold or silver at most 300 s ago, GET /health nothing. The doors have the
realm `orders` and the resource https://api.example.com/orders.
"""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import django
import httpx
import pytest
from django.conf import settings
from django.test.utils import override_settings
from django.urls import URLPattern, clear_url_caches

from sealring_verify.site.sealing import cookie_key, seal, unseal
from sealring_verify.site.session import SiteSession, User
from sealring_verify.site.settings import SiteSettings
from sealring_verify.site.sign_in import Pending

if TYPE_CHECKING:
    from conftest import LocalIssuer

EXAMPLES = Path(__file__).parents[4] / "examples"
METADATA = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/orders"'
Claims = dict[str, Any]


class Case:
    """A request, and what every door answers to it. `claims` of the token; None: the headers are all there is."""

    def __init__(
        self,
        request: str,
        status: int,
        code: str | None = None,
        *,
        claims: Callable[[], Claims] | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        body: dict[str, str] | None = None,
        challenge: str | None = None,
    ) -> None:
        self.method, self.path = request.split(" ")
        self.status = status
        self.code = code
        self.headers = headers or []
        self.claims = claims
        self.body = body
        self.challenge = challenge

    def send(self, browser: httpx.Client, issuer: "LocalIssuer") -> httpx.Response:
        return browser.send(self.request(browser, issuer))

    def request(self, browser: httpx.Client | httpx.AsyncClient, issuer: "LocalIssuer") -> httpx.Request:
        headers = list(self.headers)
        if self.claims is not None:
            headers.append(("Authorization", f"Bearer {issuer.token(**self.claims())}".encode()))
        return browser.build_request(self.method, self.path, headers=headers, data=self.body)

    def check(self, answer: httpx.Response) -> None:
        assert answer.status_code == self.status, answer.text
        if self.code is None:
            return
        assert answer.json()["code"] == self.code
        assert answer.headers["Content-Type"].startswith("application/json")
        assert answer.headers.get_list("WWW-Authenticate") == [f"Bearer {self._challenge(answer)}"]

    def _challenge(self, answer: httpx.Response) -> str:
        if self.code == "token_missing":
            return f'realm="orders", {METADATA}'
        told = answer.json()
        parts = f'realm="orders", error="{told["error"]}", error_description="{told["error_description"]}"'
        return ", ".join(part for part in (parts, self.challenge, METADATA) if part)


def _bearer(value: bytes) -> tuple[str, bytes]:
    return "Authorization", value


def _strong(**changes: Any) -> Callable[[], Claims]:  # noqa: ANN401 - claims are any JSON
    return lambda: {"acr": "silver", "auth_time": int(time.time()) - 60, **changes}


_STEP_UP = 'acr_values="gold silver", max_age="300"'
CASES = {
    "a good token passes": Case("GET /orders", 200, claims=dict),
    "a token with both scopes passes": Case("POST /orders", 200, claims=dict),
    "any good token passes where no scope is named": Case("GET /me", 200, claims=lambda: {"scope": ...}),
    "what is open is open": Case("GET /health", 200),
    "no token": Case("GET /orders", 401, "token_missing"),
    "no token where any will do": Case("GET /me", 401, "token_missing"),
    "another scheme": Case("GET /orders", 401, "token_missing", headers=[_bearer(b"Basic YTpi")]),
    "a token in the body alone": Case("POST /orders", 401, "token_missing", body={"access_token": "a.b.c"}),
    "an expired token": Case("GET /orders", 401, "token_expired", claims=lambda: {"exp": 1000}),
    "another API's token": Case("GET /orders", 401, "wrong_audience", claims=lambda: {"aud": "letters"}),
    "garbage": Case("GET /orders", 401, "token_malformed", headers=[_bearer(b"Bearer a.b.c")]),
    "the scheme alone": Case("GET /orders", 401, "token_malformed", headers=[_bearer(b"Bearer")]),
    "a scope is missing": Case(
        "POST /orders",
        403,
        "insufficient_scope",
        claims=lambda: {"scope": "orders:read"},
        challenge='scope="orders:read orders:write"',
    ),
    "two tokens in one header": Case(
        "GET /orders", 400, "token_transport", headers=[_bearer(b"Bearer a.b.c, Bearer a.b.c")]
    ),
    "a token in the query": Case("GET /orders?access_token=a.b.c", 400, "token_transport"),
    "a token in the query besides": Case("GET /orders?x=1&access_token=", 400, "token_transport", claims=dict),
    "a recent and strong sign-in passes": Case("POST /payments", 200, claims=_strong()),
    "a weak sign-in": Case(
        "POST /payments",
        401,
        "insufficient_user_authentication",
        claims=_strong(acr="bronze"),
        challenge=_STEP_UP,
    ),
    "a sign-in of yesterday": Case(
        "POST /payments",
        401,
        "insufficient_user_authentication",
        claims=_strong(auth_time=1000),
        challenge=_STEP_UP,
    ),
    "a sign-in that is not told": Case(
        "POST /payments", 401, "insufficient_user_authentication", claims=dict, challenge=_STEP_UP
    ),
    "a weak sign-in without the scope": Case(
        "POST /payments",
        401,
        "insufficient_user_authentication",
        claims=lambda: {"scope": "orders:read"},
        challenge=f'scope="orders:write", {_STEP_UP}',
    ),
    "a strong sign-in without the scope": Case(
        "POST /payments",
        403,
        "insufficient_scope",
        claims=_strong(scope="orders:read"),
        challenge='scope="orders:write"',
    ),
}
DOCUMENT = {
    "resource": "https://api.example.com/orders",
    "bearer_methods_supported": ["header"],
    "scopes_supported": ["orders:read", "orders:write"],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture
def metadata(issuer: "LocalIssuer") -> dict[str, Any]:
    """The metadata document that each door serves (RFC 9728 §2)."""
    return {**DOCUMENT, "authorization_servers": [issuer.url]}


class Site:
    """A Django site of a test's own routes and middleware; the process has but one at a time."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.names = ModuleType("site_of_the_tests")
        stack.callback(sys.modules.pop, self.names.__name__)
        sys.modules[self.names.__name__] = self.names

    def open(self, *urlpatterns: URLPattern, middleware: Any = None) -> None:  # noqa: ANN401 - whatever MIDDLEWARE may name
        self.names.urlpatterns = list(urlpatterns)  # type: ignore[attr-defined] # a module made here
        self.names.middleware = middleware  # type: ignore[attr-defined] # as above
        named = [] if middleware is None else [f"{self.names.__name__}.middleware"]
        csrf = "django.middleware.csrf.CsrfViewMiddleware"
        self._stack.enter_context(
            override_settings(ROOT_URLCONF=self.names.__name__, MIDDLEWARE=named or [csrf], ALLOWED_HOSTS=["*"])
        )
        clear_url_caches()

    def browser(self) -> httpx.Client:
        from django.core.wsgi import get_wsgi_application

        transport = httpx.WSGITransport(app=get_wsgi_application(), remote_addr="203.0.113.9")
        return self._stack.enter_context(httpx.Client(transport=transport, base_url="http://api.example"))

    def async_browser(self) -> httpx.AsyncClient:
        from django.core.asgi import get_asgi_application

        transport = httpx.ASGITransport(app=get_asgi_application(), client=("203.0.113.9", 1))
        return httpx.AsyncClient(transport=transport, base_url="http://api.example")


class SessionIssuer:
    """An issuer that answers /introspect alone, about one session; `lives` None: with a 503."""

    def __init__(self, url: str) -> None:
        self.lives: bool | None = True
        self.asked = 0
        self.settings = SiteSettings(
            issuer=url, client_id="site", client_secret="slc_of_the_site", site="https://shop.example"
        )
        self.said = {name: getattr(self.settings, name) for name in ("issuer", "client_id", "client_secret", "site")}

    def cookie(self) -> str:
        """Write the Cookie header of somebody who is signed in as ada."""
        name = "__Host-sealring-site-session"
        user = User(sub="ada", name="Ada", claims={"sub": "ada"})
        session = SiteSession(refresh_token="slr_of_ada", id_token="a.b.c", user=user)
        return f"{name}={seal(session, name=name, key=cookie_key(self.settings), randomness=os.urandom)}"

    def return_to(self, set_cookie: str) -> str:
        """Read where a browser that was sent to the log-in page comes back to."""
        name, _, value = set_cookie.strip().split(";")[0].partition("=")
        pending = unseal(value, Pending, name=name, key=cookie_key(self.settings))
        assert pending is not None
        return pending.return_to


@pytest.fixture
def session_issuer() -> Iterator[SessionIssuer]:
    class Introspection(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known.asked += 1
            body = json.dumps({"active": known.lives}).encode()
            self.send_response(503 if known.lives is None else 200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_line: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Introspection) as server:
        known = SessionIssuer(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield known
        server.shutdown()


@pytest.fixture
def site() -> Iterator[Site]:
    if not settings.configured:
        settings.configure(REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}, LOGGING_CONFIG=None)
        django.setup()
    with ExitStack() as stack:
        yield Site(stack)


Start = Callable[..., httpx.Client]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start an example by its command on a free port, `{port}` in it, and give a client of it."""
    with ExitStack() as stack:
        yield lambda folder, *command, **environment: _started(stack, EXAMPLES / folder, command, environment)


def _started(stack: ExitStack, folder: Path, command: tuple[str, ...], environment: dict[str, str]) -> httpx.Client:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEALRING_", "ORDERS_"))}
    process = subprocess.Popen(
        [sys.executable, *(part.format(port=port) for part in command)], cwd=folder, env={**kept, **environment}
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False))
    deadline = time.monotonic() + 20
    while True:
        try:
            client.get("/health")
        except httpx.ConnectError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return client
