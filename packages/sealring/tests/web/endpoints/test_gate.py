"""What a proxy may ask, and all that a stranger, or a proxy that was set up wrong, may send instead."""

from collections.abc import AsyncIterator, Mapping
from types import MappingProxyType
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealring.protocol.errors import CODES
from sealring.protocol.gate_registration import GateRegistration
from sealring.services.gate_registration import GateKeyMade, add_gate

TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=40)
NAVIGATION = {"sec-fetch-mode": "navigate"}


class Proxy:
    """The proxy of the gated host app.example. `token`: an access token that passes."""

    def __init__(self, site: Any, key: str, token: str) -> None:  # noqa: ANN401 -- the fixture
        self.site = site
        self.token = token
        self.headers = {"sealring-gate-key": key, "x-forwarded-method": "GET", "x-forwarded-uri": "/a?b=c"}

    async def ask(
        self,
        query: str = "host=app.example",
        *,
        address: str = "127.0.0.1",
        path: str = "/gate",
        method: str = "GET",
        headers: Mapping[str, str | bytes | None] = MappingProxyType({}),
    ) -> httpx.Response:
        told = {name: value for name, value in (self.headers | headers).items() if value is not None}
        async with self.site.client(address) as http:
            return await http.request(method, f"{path}?{query}" if query else path, headers=told)


@pytest.fixture
async def proxy(open_site: Any) -> AsyncIterator[Proxy]:  # noqa: ANN401 -- the fixture
    async with open_site(trusted=("127.0.0.1/32",)) as site:
        made = await add_gate(
            GateRegistration(host="app.example", api="orders"),
            store=site.store,
            clock=lambda: site.now,
            randomness=site.opened.house.randomness,
            actor="cli:root",
        )
        assert isinstance(made, GateKeyMade)
        token = (await site.sign_in(scope="orders:read")).json()["access_token"]
        yield Proxy(site, made.gate_key.reveal(), token)


async def test_who_passes_is_told_to_the_proxy_and_no_cookie_of_ours_goes_on(proxy: Proxy) -> None:
    cookies = "a=1; __Host-sealring-gate=x; b=2;__Host-sealring-sso=y, __Host-sealring-gate=z; c"
    answer = await proxy.ask(headers={"authorization": f"Bearer {proxy.token}", "cookie": cookies})
    assert answer.status_code == 200
    assert answer.headers["cookie"] == "a=1; b=2; c"
    assert answer.headers["x-sealring-subject"] == "u1"
    assert answer.headers["x-sealring-scope"] == "orders:read"
    assert answer.headers["cache-control"] == "no-store"
    bare = await proxy.ask(headers={"authorization": f"bearer  {proxy.token}"})
    assert bare.headers["cookie"] == ""


async def test_a_person_is_sent_to_the_log_in_and_a_program_is_refused(proxy: Proxy) -> None:
    page = await proxy.ask(headers=NAVIGATION)
    target = "/.sealring/login?return_to=%2Fa%3Fb%3Dc"
    assert (page.status_code, page.headers["x-sealring-login"]) == (401, target)
    caddy = await proxy.ask("host=app.example&login=redirect", headers={"accept": "text/html,*/*"})
    assert (caddy.status_code, caddy.headers["location"]) == (302, target)
    for headers in (
        {},
        {"accept": "application/json"},
        {"accept": "text/html", "sec-fetch-mode": "cors"},
        NAVIGATION | {"x-forwarded-method": "POST"},
    ):
        refused = await proxy.ask("host=app.example&login=redirect", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (401, "gate_session_missing")
        assert refused.headers["www-authenticate"] == "Bearer"
        assert "x-sealring-login" not in refused.headers
    bearer = await proxy.ask(headers=NAVIGATION | {"authorization": "Bearer x"})
    assert (bearer.status_code, bearer.json()["code"]) == (401, "token_refused")


async def test_a_scope_that_is_lacking_is_named(proxy: Proxy) -> None:
    bearer = {"authorization": f"Bearer {proxy.token}"}
    refused = await proxy.ask("host=app.example&scope=orders:write+x", headers=bearer)
    assert refused.status_code == 403
    assert refused.headers["x-sealring-code"] == "insufficient_scope"
    assert refused.headers["www-authenticate"].startswith('Bearer error="insufficient_scope"')
    assert refused.headers["www-authenticate"].endswith(', scope="orders:write x"')
    assert refused.json()["scope"] == "orders:write x"


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD"])
async def test_envoy_repeats_the_request_below_the_name_of_the_gate(proxy: Proxy, method: str) -> None:
    bearer = {"authorization": f"Bearer {proxy.token}", "x-forwarded-uri": None, "x-forwarded-method": None}
    for path, query in (("/gate/app.example/-/", ""), ("/gate/app.example/orders:read/a/b;c=1", "host=evil&login=x")):
        answer = await proxy.ask(query, path=path, method=method, headers={**bearer, "host": "app.example"})
        assert answer.status_code == 200, answer.text
    refused = await proxy.ask("", path="/gate/app.example/orders:read+orders:write/", headers=bearer)
    assert refused.headers["x-sealring-code"] == "insufficient_scope"
    for path in ("/gate/app.example/-/a%2fb", "/gate/app.example/-//evil", "/gate/app.example/-/%2e%2e/"):
        refused = await proxy.ask("", path=path, headers=bearer)
        assert refused.headers["x-sealring-code"] == "ambiguous_target"


async def test_only_a_proxy_with_the_key_of_that_host_may_ask(proxy: Proxy) -> None:
    bearer = {"authorization": f"Bearer {proxy.token}"}
    stranger = await proxy.ask(address="192.0.2.7", headers=bearer | {"x-forwarded-for": "127.0.0.1"})
    assert (stranger.status_code, stranger.json()["code"]) == (403, "gate_proxy_not_trusted")
    for key in (None, "", "slg_x", proxy.headers["sealring-gate-key"] + ", slg_x"):
        refused = await proxy.ask(headers=bearer | {"sealring-gate-key": key})
        assert (refused.status_code, refused.json()["code"]) == (403, "gate_key_refused")
    for host in ("other.example", "APP.example", "app.example.", "shop", "gate~app.example", "localhost:8799"):
        refused = await proxy.ask(f"host={host}", headers=bearer)
        assert (refused.status_code, refused.json()["code"]) == (403, "gate_key_refused")


@pytest.mark.parametrize(
    ("query", "headers", "code"),
    [
        ("", {}, "missing_parameter"),
        ("host=app.example&host=app.example", {}, "duplicate_parameter"),
        ("host=app.example&scopes=orders:read", {}, "invalid_parameter"),
        ("host=%ff", {}, "malformed_form"),
        ("host=" + "a" * 6000, {}, "request_too_long"),
        ("host=app.example", {"x-forwarded-uri": None}, "missing_parameter"),
        ("host=app.example", {"x-forwarded-method": None}, "missing_parameter"),
        ("host=app.example", {"x-forwarded-method": "GET, GET"}, "invalid_parameter"),
        ("host=app.example", {"x-forwarded-uri": "/a, /b"}, "ambiguous_target"),
        ("host=app.example", {"x-forwarded-uri": "/" + "a" * 9000}, "ambiguous_target"),
        ("host=app.example", {"cookie": "__Host-sealring-gate=a; __Host-sealring-gate=b"}, "duplicate_cookie"),
    ],
)
async def test_what_does_not_fit_is_a_403_with_its_code(
    proxy: Proxy, query: str, headers: dict[str, str | None], code: str
) -> None:
    answer = await proxy.ask(query, headers=headers)
    assert (answer.status_code, answer.json()["code"], answer.headers["x-sealring-code"]) == (403, code, code)


async def test_a_header_that_means_two_things_is_a_403_too(proxy: Proxy) -> None:
    headers = [*proxy.headers.items(), ("authorization", f"Bearer {proxy.token}"), ("authorization", "Bearer x")]
    async with proxy.site.client() as http:
        answer = await http.get("/gate?host=app.example", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "duplicate_parameter")


async def test_another_method_than_get_asks_nothing(proxy: Proxy) -> None:
    assert (await proxy.ask(method="POST")).status_code == 405


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(
    st.dictionaries(
        st.sampled_from(
            ["authorization", "cookie", "sealring-gate-key", "x-forwarded-method", "x-forwarded-uri", "accept", "host"]
        ),
        TEXT | st.sampled_from(["Bearer \xff", "__Host-sealring-gate=slr_", "Basic Og==", "a" * 100_000]),
    ),
    st.sampled_from(["", "host=app.example", "host=app.example&scope=%22", "host=app.example&login=redirect"]),
)
async def test_whatever_headers_come_the_answer_is_a_stable_code(
    proxy: Proxy, headers: dict[str, str], query: str
) -> None:
    octets = {name: value.encode("latin-1") for name, value in headers.items()}
    answer = await proxy.ask(query, headers=octets)
    assert answer.status_code in {302, 401, 403}
    if answer.status_code != 302:
        assert answer.json()["code"] in CODES
        assert answer.json()["code"] != "internal_error"
