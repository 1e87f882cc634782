"""A real house behind its ASGI application: a store in a file, cheap hashes, both clocks in the test's hand."""

import os
import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from hashlib import sha256
from ipaddress import ip_network
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from sealring import compose, config
from sealring.credentials.password_hash import PasswordHashParameters, hash_password
from sealring.ports import Store
from sealring.protocol.api import Api
from sealring.protocol.api_registration import ApiRegistration
from sealring.protocol.authorization_code import AuthorizationCode
from sealring.protocol.client import Client, CodeFlow
from sealring.protocol.pkce import code_challenge_of
from sealring.protocol.sso_session import SsoSession
from sealring.protocol.user import User
from sealring.services.api import ApiSecretMade, add_api
from sealring.services.revocation_feed import FeedPolicy, RevocationFeed
from sealring.signing.master_key import generate_master_key, write_master_key
from sealring.web.app import WebApp, WebPolicy

ISSUER = "http://localhost:8799"
NOW = 1_700_000_000_000
PASSWORD = "correct horse battery staple"
CHEAP = PasswordHashParameters(memory=8, passes=1, lanes=1)
SCOPES = frozenset({"orders:read", "orders:write"})
CODE_VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
APP_FLOW = CodeFlow(redirect_uris=("https://app.example/callback",), id_token_signed_response_alg="ES256")


class Site(SimpleNamespace):
    """`http` speaks as the confidential client `shop`; `now` and `service_now` are milliseconds."""

    opened: compose.OpenHouse
    app: WebApp
    http: httpx.AsyncClient
    now: int
    service_now: int

    @property
    def store(self) -> Store:
        return self.opened.house.store

    def pass_time(self, seconds: float) -> None:
        self.now += int(seconds * 1000)
        self.service_now += int(seconds * 1000)

    def client(self, address: str = "127.0.0.1", *, auth: tuple[str, str] | None = None) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.app, client=(address, 1234))
        return httpx.AsyncClient(transport=transport, base_url=self.opened.house.issuer, auth=auth)

    def rehouse(self, **changes: object) -> None:
        """Put other ports into the house, under a fresh application."""
        house = msgspec.structs.replace(self.opened.house, **changes)
        self.opened = msgspec.structs.replace(self.opened, house=house)
        self.app = WebApp(house, policy=WebPolicy())
        self.http = self.client(auth=("shop", "slc_shop"))

    async def sign_in(self, **members: Any) -> httpx.Response:  # noqa: ANN401 -- JSON
        body = {"username": "ada", "password": PASSWORD, "scope": "orders:read orders:write"} | members
        return await self.http.post("/session", json={name: value for name, value in body.items() if value is not None})

    async def refresh(self, token: str, **members: str) -> httpx.Response:
        return await self.http.post("/session/refresh", json={"refresh_token": token, **members})

    async def token(
        self,
        grant_type: str = "client_credentials",
        *,
        auth: tuple[str, str] | None = ("robot", "slc_robot"),
        **form: str,
    ) -> httpx.Response:
        return await self.http.post("/token", data={"grant_type": grant_type, **form}, auth=auth)

    async def revoke(self, token: str, *, auth: tuple[str, str] = ("shop", "slc_shop"), **form: str) -> httpx.Response:
        return await self.http.post("/revoke", data={"token": token, **form}, auth=auth)

    async def own_token(self) -> tuple[str, dict[str, str]]:
        """Sign in for the issuer's own API: refresh token, and the headers of a request with the access token."""
        answer = (await self.sign_in(scope="sessions")).json()
        return answer["refresh_token"], bearer(answer["access_token"])

    async def inspect(self, access_token: str, *, auth: tuple[str, str] = ("orders", "sla_orders")) -> dict[str, Any]:
        answer = await self.http.post("/introspect", data={"token": access_token}, auth=auth)
        assert answer.status_code == 200
        return dict(answer.json())

    async def add_symmetric_api(self, identifier: str = "parcels") -> ApiSecretMade:
        """Register an API with a secret of its own, scope `parcels:read`, which the client `shop` may ask for."""
        desk = self.opened.desk
        registration = ApiRegistration(
            identifier=identifier, scopes={f"{identifier}:read": "Read"}, access_token_signing_alg="HS256"
        )
        made = await add_api(
            registration,
            store=desk.store,
            keys=desk.keys,
            clock=lambda: self.now,
            randomness=desk.randomness,
            actor="cli:root",
        )
        assert isinstance(made, ApiSecretMade)
        shop = await desk.store.clients.find("shop")
        assert shop is not None
        allowed = {**shop.allowed, identifier: frozenset({f"{identifier}:read"})}
        assert await desk.store.clients.replace(msgspec.structs.replace(shop, allowed=allowed), read=shop, events=[])
        return made

    async def add_opaque_api(self, identifier: str = "letters", **members: object) -> ApiSecretMade:
        """Register an API with opaque tokens, scope `letters:read`, for the clients `shop` and `robot`."""
        return await self.add_hidden_api(identifier, access_token_format="opaque", **members)

    async def add_hidden_api(self, identifier: str = "letters", **members: object) -> ApiSecretMade:
        """Register an API as `add_opaque_api` does, whatever its tokens are."""
        desk = self.opened.desk
        registration = ApiRegistration(identifier=identifier, scopes={f"{identifier}:read": "Read"})
        made = await add_api(
            msgspec.structs.replace(registration, **members),
            store=desk.store,
            keys=desk.keys,
            clock=lambda: self.now,
            randomness=desk.randomness,
            actor="cli:root",
        )
        assert isinstance(made, ApiSecretMade)
        for name in ("shop", "robot"):
            client = await desk.store.clients.find(name)
            assert client is not None
            allowed = {**client.allowed, identifier: frozenset({f"{identifier}:read"})}
            changed = msgspec.structs.replace(client, allowed=allowed)
            assert await desk.store.clients.replace(changed, read=client, events=[])
        return made

    async def add_app(self, **flow: object) -> None:
        """Register the client `app` of the code flow, and sign ada in in a browser (`sso-1`)."""
        app = Client(
            client_id="app",
            name="App",
            type="confidential",
            secret_digests=digests("slc_app"),
            allowed={"orders": SCOPES},
            code_flow=msgspec.structs.replace(APP_FLOW, **flow),
            epoch=1,
            created_at=self.now,
        )
        assert await self.store.clients.add(app, events=[])
        sso = SsoSession(
            id="sso-1",
            sub="u1",
            subject_epoch=3,
            auth_time=self.now,
            amr=("pwd",),
            created_at=self.now,
            last_used_at=self.now,
            idle_expires_at=self.now + 10**9,
            absolute_expires_at=self.now + 10**9,
        )
        assert await self.store.sso_sessions.create(sso, digest=bytes(32), now=self.now, events=[])

    async def visit(self, browser: httpx.AsyncClient, **changes: str | None) -> httpx.Response:
        """Ask /authorize for a code of `app`, in a browser that keeps its cookies."""
        asked = {
            "client_id": "app",
            "redirect_uri": APP_FLOW.redirect_uris[0],
            "response_type": "code",
            "scope": "openid email",
            "state": "state-1",
            "nonce": "n-1",
            "code_challenge": code_challenge_of(CODE_VERIFIER),
            "code_challenge_method": "S256",
        } | changes
        return await browser.get("/authorize", params={name: value for name, value in asked.items() if value})

    async def log_in(
        self, browser: httpx.AsyncClient, waiting: httpx.Response, *, password: str = PASSWORD, name: str = "ada"
    ) -> httpx.Response:
        """Sign in on the page to which an answer leads, and follow where that goes on to."""
        page = await browser.get(waiting.headers["location"])
        form = {"interaction": hidden(page), "username": name, "password": password}
        answer = await browser.post("/login", data=form)
        return await browser.get(answer.headers["location"]) if answer.status_code == 303 else answer

    async def consent(
        self, browser: httpx.AsyncClient, waiting: httpx.Response, decision: str = "allow"
    ) -> httpx.Response:
        page = await browser.get(waiting.headers["location"])
        return await browser.post("/consent", data={"interaction": hidden(page), "decision": decision})

    async def issue_code(self, code: str = "code-1", **changes: object) -> str:
        """Keep an authorization code of ada for `app`, as /authorize would have."""
        issued = AuthorizationCode(
            digest=sha256(code.encode()).digest(),
            client_id="app",
            redirect_uri=APP_FLOW.redirect_uris[0],
            code_challenge=code_challenge_of(CODE_VERIFIER),
            sub="u1",
            subject_epoch=3,
            client_epoch=1,
            sso_id="sso-1",
            scope=frozenset({"openid", "email"}),
            resource=self.opened.house.issuer,
            nonce="n-1",
            requested_claims=None,
            auth_time=self.now,
            amr=("pwd",),
            acr="1",
            created_at=self.now,
            expires_at=self.now + 60_000,
        )
        changed = msgspec.structs.replace(issued, **changes)
        assert await self.store.authorization_codes.add(changed, now=self.now, events=[])
        return code

    async def redeem_code(
        self, code: str = "code-1", *, auth: tuple[str, str] = ("app", "slc_app"), **form: str | None
    ) -> httpx.Response:
        fields = {"code": code, "redirect_uri": APP_FLOW.redirect_uris[0], "code_verifier": CODE_VERIFIER} | form
        sent = {name: value for name, value in fields.items() if value is not None}
        return await self.token("authorization_code", auth=auth, **sent)

    async def userinfo(self, access_token: str) -> dict[str, Any]:
        answer = await self.client().get("/userinfo", headers=bearer(access_token))
        assert answer.status_code == 200
        return dict(answer.json())

    async def events(self) -> list[Any]:
        return [event.event for _, event in await self.store.audit.list_events(after=-1, limit=1000)]


def hidden(page: httpx.Response) -> str:
    """Read the interaction in a page's form."""
    found = re.search(r'name="interaction" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


def bearer(access_token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {access_token}"}


def digests(secret: str) -> tuple[bytes, ...]:
    return (sha256(secret.encode()).digest(),)


async def furnish(store: Store, issuer: str) -> None:
    """Register what most tests speak about: ada and bob, the APIs orders and bills, eight clients."""
    orders = Api(
        identifier="orders",
        scopes={"orders:read": "Read orders", "orders:write": "Write orders"},
        claims=("roles", "tenant"),
        secret_digests=digests("sla_orders"),
        created_at=NOW,
    )
    bills = Api(identifier="bills", scopes={"bills:read": "Read"}, secret_digests=digests("sla_bills"), created_at=NOW)
    await store.apis.add(orders, events=[])
    await store.apis.add(bills, events=[])
    password_hash = hash_password(PASSWORD.encode(), parameters=CHEAP, randomness=os.urandom)
    for name, sub, roles in (("ada", "u1", ("boss",)), ("bob", "u2", ())):
        user = User(sub=sub, username=name, claims={}, roles=roles, epoch=3, created_at=NOW)
        await store.users.add(user, username_key=name, email_key=None, password_hash=password_hash, events=[])
    shop = Client(
        client_id="shop",
        name="Shop",
        type="confidential",
        secret_digests=digests("slc_shop"),
        first_party=True,
        allowed={"orders": SCOPES, "bills": frozenset({"bills:read"}), issuer: frozenset({"sessions"})},
        epoch=1,
        created_at=NOW,
    )
    page = {"type": "public", "secret_digests": (), "origins": frozenset({"https://page.example"})}
    own = {"first_party": False, "client_credentials": True}
    both = frozenset({"sessions:create", "sessions:revoke"})
    for changes in (
        {},
        {"client_id": "other", "secret_digests": digests("slc_other")},
        {"client_id": "backend", "secret_digests": digests("slc_backend"), "permissions": both},
        {"client_id": "guest", "secret_digests": digests("slc_guest"), "first_party": False},
        {"client_id": "page", **page},
        {"client_id": "jar", **page, "token_delivery": "cookie"},
        {"client_id": "robot", "secret_digests": digests("slc_robot"), **own},
        {"client_id": "poster", "secret_digests": digests("slc_poster"), **own, "secret_method": "client_secret_post"},
    ):
        await store.clients.add(msgspec.structs.replace(shop, **changes), events=[])


OpenSite = Callable[..., AbstractAsyncContextManager[Site]]


@pytest.fixture
def open_site(tmp_path: Path) -> OpenSite:
    """Open a site in the test's folder; twice in a row is a restart. `settings`: over the usual ones."""

    @asynccontextmanager
    async def opening(
        issuer: str = ISSUER, *, trusted: tuple[str, ...] = (), refuse_forwarded: bool = False, **settings: object
    ) -> AsyncIterator[Site]:
        if not (tmp_path / "secrets").exists():
            assert write_master_key(tmp_path / "secrets/master.key", generate_master_key(randomness=os.urandom)) is None
        written = {"issuer": issuer, "password": {"memory": 8, "passes": 1, "threads": 1}} | settings
        made = config.make_settings(written, folder=tmp_path, source="tests")
        assert isinstance(made, config.Settings), made
        async with compose.open_house(made) as opened:
            site = Site(now=NOW, service_now=0)
            feed = RevocationFeed(
                store=opened.house.store, signer=opened.house.signer, clock=lambda: site.now, policy=FeedPolicy()
            )
            house = msgspec.structs.replace(
                opened.house, clock=lambda: site.now, service_clock=lambda: site.service_now, feed=feed
            )
            site.opened = msgspec.structs.replace(opened, house=house)
            policy = WebPolicy(
                trusted_proxies=tuple(ip_network(network) for network in trusted), refuse_forwarded=refuse_forwarded
            )
            site.app = WebApp(house, policy=policy)
            if await opened.house.store.users.find("u1") is None:
                await furnish(opened.house.store, issuer)
            async with site.client(auth=("shop", "slc_shop")) as http:
                site.http = http
                yield site

    return opening


@pytest.fixture
async def site(open_site: OpenSite) -> AsyncIterator[Site]:
    async with open_site() as opened:
        yield opened
