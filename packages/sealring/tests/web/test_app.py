import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sealring.credentials.password_hash import NoMatch
from sealring.ports import StoreUnavailable
from sealring.services.readiness import Readiness

PAGE = "https://page.example"
JSON = {"content-type": "application/json"}
SIGN_IN = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
JSON_ENDPOINTS = [
    ("POST", "/session"),
    ("POST", "/session/refresh"),
    ("DELETE", "/session"),
    ("PUT", "/password"),
    ("POST", "/admin/enroll"),
]


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


class Failing:
    """A store, or a part of one, that fails in everything."""

    def __init__(self, failure: Exception) -> None:
        self._failure = failure

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- any port's method
        if name in {"users", "sessions", "clients", "apis", "keys", "audit", "state"}:
            return self

        async def fail(*_arguments: object, **_named: object) -> None:
            raise self._failure

        return fail


@pytest.mark.parametrize(("method", "path"), JSON_ENDPOINTS)
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", (400, "malformed_json")),
        (b"{", (400, "malformed_json")),
        (b"[]", (400, "malformed_json")),
        (b"null", (400, "malformed_json")),
        (b'{"client_id":"a","client_id":"b"}', (400, "malformed_json")),
        (b'{"client_id":"\xff"}', (400, "malformed_json")),
        (b'{"client_id":"\\u0000"}', (400, "malformed_json")),
        (b'{"client_id":"\\ud800"}', (400, "malformed_json")),
        (b'{"client_id":NaN}', (400, "malformed_json")),
        (b"\xef\xbb\xbf{}", (400, "malformed_json")),
        (b"[" * 16_000, (400, "malformed_json")),
        (b'{"scope":1}', (400, "invalid_member")),
        (b'{"surprise":1}', (400, "invalid_member")),
        (b'{"client_id":"' + b"a" * 16_384 + b'"}', (413, "body_too_large")),
    ],
)
async def test_each_bad_body_has_its_code(
    site: SimpleNamespace, *, method: str, path: str, body: bytes, expected: tuple[int, str]
) -> None:
    answer = await site.http.request(method, path, content=body, headers=JSON)
    assert code_of(answer) == expected
    assert set(answer.json()) == {"error", "error_description", "code"}


@pytest.mark.parametrize(("method", "path"), JSON_ENDPOINTS)
@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_what_is_not_sent_as_json_is_refused(
    site: SimpleNamespace, method: str, path: str, content_type: str | None
) -> None:
    headers = {} if content_type is None else {"content-type": content_type}
    answer = await site.http.request(method, path, content=b"{}", headers=headers)
    assert code_of(answer) == (415, "wrong_content_type")


async def test_a_charset_beside_the_content_type_is_no_hindrance(site: SimpleNamespace) -> None:
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    answer = await site.http.post("/session", content=json.dumps(SIGN_IN), headers=headers)
    assert answer.status_code == 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
MEMBERS = st.sampled_from(
    [
        "client_id", "username", "password", "subject", "auth_time", "amr", "claims", "scope", "resource",
        "refresh_token", "current_password", "new_password", "link_secret", "email",
    ]
)  # fmt: skip
LIKELY = st.sampled_from(
    [
        "shop",
        "ada",
        "orders",
        "orders:read",
        "sessions",
        "slr_AAAA",
        ["pwd"],
        {"tenant": 1},
        1_700_000_000,
        "\x00",
        "é@é",
    ]
)
BODIES = st.one_of(
    st.binary(max_size=200),
    st.dictionaries(MEMBERS, LIKELY | VALUES, max_size=8).map(lambda members: json.dumps(members).encode()),
)


@given(body=BODIES, endpoint=st.sampled_from(JSON_ENDPOINTS), authorized=st.sampled_from(["basic", "bearer", "none"]))
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_no_body_makes_a_server_error(
    site: SimpleNamespace, body: bytes, endpoint: tuple[str, str], authorized: str
) -> None:
    if "bearer" not in site.__dict__:
        site.bearer = (await site.own_token())[1]
    auth = ("backend", "slc_backend") if authorized == "basic" else None
    headers = JSON | (site.bearer if authorized == "bearer" else {})
    answer = await site.http.request(*endpoint, content=body, headers=headers, auth=auth)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["code"]


async def test_another_host_is_refused_but_for_probes(site: SimpleNamespace) -> None:
    for path in ("/session", "/jwks", "/.well-known/oauth-authorization-server", "/admin/enroll"):
        for host in ("evil.example", "localhost", "localhost:8799.evil.example", "127.0.0.1:8799", ""):
            answer = await site.http.get(path, headers={"host": host})
            assert code_of(answer) == (421, "wrong_host")
            assert "evil" not in answer.text
    for path in ("/healthz", "/readyz"):
        assert (await site.http.get(path, headers={"host": "10.0.0.7"})).status_code == 200


@pytest.mark.parametrize("name", ["Authorization", "Content-Type", "Host", "Origin"])
async def test_a_header_that_means_two_things_is_refused(site: SimpleNamespace, name: str) -> None:
    once = site.http.build_request("POST", "/session", json=SIGN_IN)
    headers = [(key, value) for key, value in once.headers.raw if key.lower() != name.lower().encode()]
    twice = [*headers, (name.encode(), b"a"), (name.lower().encode(), b"b")]
    answer = await site.http.post("/session", content=once.content, headers=twice, auth=None)
    assert code_of(answer) == (400, "duplicate_parameter")


async def test_an_unknown_path_is_404_and_a_wrong_method_names_the_right_ones(site: SimpleNamespace) -> None:
    assert code_of(await site.http.get("/nope")) == (404, "not_found")
    assert code_of(await site.http.get("/sessions/")) == (404, "not_found")
    wrong = await site.http.get("/session")
    assert code_of(wrong) == (405, "method_not_allowed")
    assert wrong.headers["allow"] == "DELETE, POST"


async def test_a_preflight_of_a_registered_origin_alone_is_answered(site: SimpleNamespace) -> None:
    asked = {"origin": PAGE, "access-control-request-method": "POST"}
    answer = await site.http.options("/session", headers=asked)
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert "POST" in answer.headers["access-control-allow-methods"]
    # A client whose tokens come by cookie has registered it as well.
    assert answer.headers["access-control-allow-credentials"] == "true"
    assert answer.headers["vary"].lower() == "origin"
    for origin in ("https://evil.example", "null", None):
        headers = {} if origin is None else {"origin": origin}
        refused = await site.http.options("/session", headers=headers)
        assert code_of(refused) == (403, "origin_not_registered")
        assert "access-control-allow-origin" not in refused.headers
    assert (await site.http.options("/introspect", headers=asked)).status_code == 405


async def test_answers_are_shared_with_registered_origins_alone(site: SimpleNamespace) -> None:
    body = SIGN_IN | {"client_id": "page"}
    shared = await site.http.post("/session", json=body, headers={"origin": PAGE}, auth=None)
    assert shared.status_code == 200
    assert shared.headers["access-control-allow-origin"] == PAGE
    foreign = await site.http.post("/session", json=body, headers={"origin": "https://evil.example"}, auth=None)
    assert code_of(foreign) == (403, "origin_not_registered")
    assert "access-control-allow-origin" not in foreign.headers


async def test_a_page_can_read_why_it_was_refused_before_any_endpoint_was_asked(site: SimpleNamespace) -> None:
    for origin, shared in ((PAGE, PAGE), ("https://evil.example", None)):
        refusals = {
            "method_not_allowed": await site.http.get("/session", headers={"origin": origin}),
            "body_too_large": await site.http.post("/session", content=b"x" * 20_000, headers={"origin": origin}),
            "wrong_content_type": await site.http.post("/session", content=b"{}", headers={"origin": origin}),
            "wrong_host": await site.http.post("/session", headers={"origin": origin, "host": "evil.example"}),
        }
        for code, answer in refusals.items():
            assert answer.json()["code"] == code
            assert answer.headers.get("access-control-allow-origin") == shared
            assert answer.headers["vary"].lower() == "origin"
    refused = await site.http.post("/jwks", headers={"origin": PAGE})
    assert "access-control-allow-origin" not in refused.headers


async def test_forwarded_addresses_count_from_trusted_proxies_alone(open_site: Any) -> None:  # noqa: ANN401 -- a fixture
    async with open_site(trusted=("10.0.0.0/8",)) as site:
        for peer, network in (("10.0.0.2", "203.0.113.0/24"), ("192.0.2.1", "192.0.2.0/24")):
            http = site.client(peer, auth=("shop", "slc_shop"))
            headers = {"x-forwarded-for": "198.51.100.1, 203.0.113.9"}
            assert (await http.post("/session", json=SIGN_IN, headers=headers)).status_code == 200
            assert (await site.events())[-1].network == network


async def test_the_demo_refuses_forwarded_requests(open_site: Any) -> None:  # noqa: ANN401 -- a fixture
    async with open_site(refuse_forwarded=True) as site:
        for name in ("Forwarded", "X-Forwarded-For", "X-Real-IP"):
            assert code_of(await site.http.get("/jwks", headers={name: "x"})) == (400, "forwarded_request")


async def test_an_issuer_with_a_path_answers_below_it(open_site: Any) -> None:  # noqa: ANN401 -- a fixture
    async with open_site("https://example.com/auth") as site:
        root = httpx.AsyncClient(transport=httpx.ASGITransport(site.app), base_url="https://example.com")
        metadata = await root.get("/.well-known/oauth-authorization-server/auth")
        assert metadata.json()["issuer"] == "https://example.com/auth"
        assert (await root.get(metadata.json()["jwks_uri"])).status_code == 200
        assert (await root.get("/jwks")).status_code == 404
        signed_in = await site.sign_in()
        assert signed_in.status_code == 200
        assert (await site.refresh(signed_in.json()["refresh_token"])).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *JSON_ENDPOINTS[:3],
        ("POST", "/token"),
        ("POST", "/revoke"),
        ("POST", "/introspect"),
        ("GET", "/readyz"),
        ("OPTIONS", "/session"),
    ],
)
async def test_a_store_that_fails_is_503_with_retry_after(site: SimpleNamespace, method: str, path: str) -> None:
    site.rehouse(store=Failing(StoreUnavailable("disk full")))
    bodies: dict[str, dict[str, Any]] = {
        "/session": {"json": SIGN_IN if method == "POST" else {"refresh_token": "slr_x"}},
        "/session/refresh": {"json": {"refresh_token": "slr_x"}},
        "/introspect": {"data": {"token": "x"}},
        "/revoke": {"data": {"token": "x"}},
        "/token": {"data": {"grant_type": "refresh_token", "refresh_token": "slr_x"}},
    }
    with structlog.testing.capture_logs() as logs:
        answer = await site.http.request(method, path, headers={"origin": PAGE}, **bodies.get(path, {}))
    assert code_of(answer) == (503, "store_unavailable")
    assert answer.headers["retry-after"] == "1"
    assert {log["event"] for log in logs} == {"store_unavailable"}


@asynccontextmanager
async def captured_logs(site: SimpleNamespace) -> AsyncIterator[list[Any]]:
    site.rehouse(hashing=Failing(RuntimeError("a bug")))
    with structlog.testing.capture_logs() as logs:
        yield logs


async def test_a_bug_is_500_with_an_id_that_the_log_knows_too(site: SimpleNamespace) -> None:
    async with captured_logs(site) as logs:
        answer = await site.sign_in()
    assert code_of(answer) == (500, "internal_error")
    assert "a bug" not in answer.text
    (log,) = logs
    assert (log["event"], log["error_id"]) == ("internal_error", answer.json()["error_id"])
    assert SIGN_IN["password"] not in repr(log)
    assert "slc_shop" not in repr(log)


async def test_the_log_of_a_bug_renders_no_local_variable(
    site: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    from sealring.telemetry.logs import configure_logs

    before = structlog.get_config()
    configure_logs()
    try:
        site.rehouse(hashing=Failing(RuntimeError("a bug")))
        answer = await site.sign_in()
    finally:
        structlog.configure(**before)
    printed = capfd.readouterr().err
    assert answer.json()["error_id"] in printed
    for secret in (SIGN_IN["password"], "slc_shop", "c2hvcDpzbGNfc2hvcA"):
        assert secret not in printed


async def test_no_secret_of_a_whole_flow_reaches_a_log_line_or_the_database(
    site: SimpleNamespace, tmp_path: Path
) -> None:
    password, fresh = SIGN_IN["password"], "lamp-orbit-cedar-violin"
    secrets = [password, fresh, "guess-1", "slc_shop", "slc_wrong", "sla_orders"]
    with structlog.testing.capture_logs() as logs:
        first = (await site.sign_in()).json()
        await site.sign_in(password="guess-1")
        await site.http.post("/session", json=SIGN_IN, auth=("shop", "slc_wrong"))
        second = (await site.refresh(first["refresh_token"])).json()
        await site.inspect(second["access_token"])
        own, headers = await site.own_token()
        change = {"current_password": password, "new_password": fresh}
        third = (await site.http.put("/password", headers=headers, auth=None, json=change)).json()
        await site.http.request("DELETE", "/session", json={"refresh_token": third["refresh_token"]})
        site.pass_time(300)
        await site.refresh(third["refresh_token"])
        await site.refresh(first["refresh_token"])
    for answer in (first, second, third):
        secrets += [answer["refresh_token"], answer["access_token"], answer["access_token"].rpartition(".")[2]]
    robots = (await site.token(scope="orders:read")).json()["access_token"]
    posted = {"client_id": "poster", "client_secret": "slc_poster", "token": robots}
    with structlog.testing.capture_logs() as later_logs:
        await site.http.post("/revoke", data=posted, auth=None)
        await site.revoke(robots, auth=("robot", "slc_robot"))
        await site.revoke(own, auth=("other", "slc_other"))
        await site.revoke(own)
    logs += later_logs
    secrets += [own, headers["authorization"], robots, robots.rpartition(".")[2], "slc_poster", "slc_robot"]
    # Whatever is in the database, the audit rows among it; WAL included.
    stored = b"".join(file.read_bytes() for file in sorted((tmp_path / "data").iterdir()))
    assert b"password_changed" in stored
    written = repr(logs).encode() + repr(await site.events()).encode() + stored
    assert len(await site.events()) > 5
    assert [secret for secret in secrets if secret.encode() in written] == []


async def test_a_halted_house_issues_nothing_and_says_so(site: SimpleNamespace) -> None:
    body = (await site.sign_in()).json()
    _, headers = await site.own_token()
    site.rehouse(readiness=Readiness(halted=True))
    change = {"current_password": "a", "new_password": "b"}
    for answer in (
        await site.sign_in(),
        await site.refresh(body["refresh_token"]),
        await site.http.put("/password", headers=headers, auth=None, json=change),
        await site.http.get("/sessions", headers=headers, auth=None),
        await site.http.delete("/sessions", headers=headers, auth=None),
        await site.http.delete(f"/sessions/{body['sid']}", headers=headers, auth=None),
        await site.http.post("/subjects/u1/revoke", auth=("backend", "slc_backend")),
        await site.http.post("/introspect", data={"token": body["access_token"]}, auth=("orders", "sla_orders")),
        await site.token(scope="orders:read"),
        await site.token("refresh_token", auth=("shop", "slc_shop"), refresh_token=body["refresh_token"]),
        await site.revoke(body["refresh_token"]),
        await site.http.get("/readyz"),
    ):
        assert code_of(answer) == (503, "store_rolled_back")
    assert (await site.http.get("/healthz")).status_code == 200


async def test_an_encoded_slash_divides_no_path(site: SimpleNamespace) -> None:
    asserted = {"subject": "tenant/42", "auth_time": site.now // 1000, "amr": ["pwd"], "scope": "orders:read"}
    backend = ("backend", "slc_backend")
    await site.http.post("/session", json=asserted, auth=backend)
    assert (await site.http.post("/subjects/tenant/42/revoke", auth=backend)).status_code == 404
    answer = await site.http.post("/subjects/tenant%2F42/revoke", auth=backend)
    assert (answer.status_code, answer.json()) == (200, {"ended": 1})


class _SlowHashing:
    """Threads that never come free, and what became of the caller that waited for them."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()
        self.given_up = False

    async def hash(self, prepared: bytes, **_: bool) -> str:
        raise NotImplementedError

    async def verify(self, _password_hash: str | None, _prepared: bytes, **_: bool) -> NoMatch:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        return NoMatch()


async def test_nobodys_hash_is_computed_for_a_caller_that_went_away(site: SimpleNamespace) -> None:
    hashing = _SlowHashing()
    site.rehouse(hashing=hashing)
    body = json.dumps({"username": "ada", "password": "p" * 15, "scope": "orders:read"}).encode()
    messages = [{"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await hashing.waiting.wait()
        return {"type": "http.disconnect"}

    async def send(_message: dict[str, Any]) -> None: ...

    basic = b"Basic " + b64encode(b"shop:slc_shop")
    headers = [(b"host", b"localhost:8799"), (b"content-type", b"application/json"), (b"authorization", basic)]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/session",
        "raw_path": b"/session",
        "query_string": b"",
        "headers": headers,
    }
    async with asyncio.timeout(5):
        await site.app(scope, receive, send)
    assert hashing.given_up


def scope_of(path: str, *headers: tuple[bytes, bytes], method: str = "POST", query: bytes = b"") -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"host", b"localhost:8799"), *headers],
    }


ORDERS = (b"authorization", b"Basic " + b64encode(b"orders:sla_orders"))
FORM = (b"content-type", b"application/x-www-form-urlencoded")


@pytest.mark.parametrize(
    "scope",
    [
        scope_of("/session", FORM),
        scope_of("/nowhere", FORM),
        scope_of("/sessions/1", method="DELETE"),
        scope_of("/introspect", method="GET"),
        scope_of("/introspect", method="OPTIONS"),
        scope_of("/introspect", ORDERS, ORDERS, FORM),
        scope_of("/introspect", (b"host", b"localhost:8799"), FORM),
        {**scope_of("/introspect", FORM), "headers": [(b"host", b"elsewhere"), FORM]},
    ],
)
async def test_nothing_is_settled_beforehand_of_what_waits_or_is_refused_by_its_head(
    site: SimpleNamespace, scope: dict[str, Any]
) -> None:
    assert site.app.recognise(scope) is None


@pytest.mark.parametrize(
    ("path", "headers", "body"),
    [
        ("/introspect", (ORDERS, FORM), b"token=x"),
        ("/introspect", (ORDERS, FORM), b"token=x&token=y"),
        ("/introspect", (ORDERS, FORM), b"token=" + b"x" * 16384),
        ("/introspect", (ORDERS,), b"token=x"),
        ("/introspect", (FORM,), b"token=x"),
        ("/token", (FORM, (b"origin", b"https://page.example")), b"grant_type=client_credentials"),
        ("/token", (FORM, (b"origin", b"https://evil.example")), b"grant_type=client_credentials"),
        ("/token", (FORM,), b"grant_type=refresh_token&client_id=shop&refresh_token=slr_x"),
        ("/revoke", (ORDERS, FORM), b"token=x"),
        ("/session/refresh", ((b"content-type", b"application/json"),), b"{}"),
    ],
)
async def test_a_head_that_was_settled_is_answered_as_any_other(
    site: SimpleNamespace, path: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes
) -> None:
    respond = site.app.recognise(scope_of(path, *headers))
    sent = [(name.decode(), value.decode()) for name, value in headers]
    async with site.client() as http:
        ordinary = await http.post(path, content=body, headers=sent)
    for _ in range(2):
        answer = await respond(body, ("127.0.0.1", 1234))
        assert answer.status == ordinary.status_code
        # Without what httpx adds, and what the server does.
        assert set(answer.headers) == {pair for pair in ordinary.headers.raw if pair[0] != b"content-length"}
        assert answer.body == ordinary.content


async def test_a_settled_head_learns_nothing_of_the_store(site: SimpleNamespace) -> None:
    respond = site.app.recognise(scope_of("/introspect", ORDERS, FORM))
    token = (await site.sign_in()).json()["access_token"]
    told = json.loads((await respond(b"token=" + token.encode(), None)).body)
    assert told["active"]
    await site.store.sessions.end(told["sid"], reason="test", now=site.now, events=[])
    assert (await respond(b"token=" + token.encode(), None)).body == b'{"active":false}'
    await site.store.apis.delete("orders", events=[])
    assert (await respond(b"token=" + token.encode(), None)).status == 401
