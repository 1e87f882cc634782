import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from flask import Flask
from flask.views import MethodView

from sealring_verify.integrations.flask import Verifier, access_token, unprotected_routes

if TYPE_CHECKING:
    from conftest import Case, LocalFeed, LocalIssuer


def _application(issuer: "LocalIssuer", **options: Any) -> Flask:  # noqa: ANN401 - passed on as they come
    verifier = Verifier(issuer.url, "orders", realm="orders", resource="https://api.example.com/orders", **options)
    app = Flask("orders", static_folder=None)
    verifier.serve_metadata(app)

    @app.get("/orders")
    @verifier.require("orders:read")
    def read() -> dict[str, str]:
        return {"sub": access_token().sub}

    @app.post("/orders")
    @verifier.require("orders:read", "orders:write")
    async def write() -> str:
        await asyncio.sleep(0)
        return access_token().client_id

    @app.get("/me")
    @verifier.require()
    def me() -> str:
        return "me"

    @app.post("/payments")
    @verifier.require("orders:write", acr=["gold", "silver"], max_age=300)
    def pay() -> str:
        return "paid"

    @app.get("/health")
    def health() -> str:
        return "well"

    return app


def _client(app: Flask) -> httpx.Client:
    transport = httpx.WSGITransport(app=app, remote_addr="203.0.113.9")
    return httpx.Client(transport=transport, base_url="http://api.example")


@pytest.fixture
def browser(issuer: "LocalIssuer") -> Iterator[httpx.Client]:
    with _client(_application(issuer)) as client:
        yield client


def test_the_answer_is_that_of_every_door(browser: httpx.Client, issuer: "LocalIssuer", case: "Case") -> None:
    case.check(case.send(browser, issuer))


def test_a_view_gets_the_token_and_a_refusal_is_not_kept(browser: httpx.Client, issuer: "LocalIssuer") -> None:
    headers = {"Authorization": f"Bearer {issuer.token(exp=1000)}"}
    assert browser.get("/orders", headers=headers).headers["Cache-Control"] == "no-store"
    headers = {"Authorization": f"Bearer {issuer.token()}"}
    assert browser.get("/orders", headers=headers).json() == {"sub": "u1"}
    assert browser.post("/orders", headers=headers).text == "web"


def test_the_metadata_document_is_served(browser: httpx.Client, metadata: dict[str, Any]) -> None:
    assert browser.get("/.well-known/oauth-protected-resource/orders").json() == metadata


def test_an_unreachable_issuer_is_a_503_that_says_when_to_ask_again(issuer: "LocalIssuer") -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    with _client(_application(issuer)) as browser:
        answer = browser.get("/orders", headers={"Authorization": f"Bearer {issuer.token()}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "WWW-Authenticate" not in answer.headers


def test_a_report_counts_each_request_once(issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    with _client(_application(issuer, api_key="sla_k")) as browser:
        narrow = {"Authorization": f"Bearer {issuer.token(scope='orders:read')}"}
        for method, headers in (("GET", narrow), ("GET", {}), ("POST", narrow)):
            browser.request(method, "/orders", headers=headers)
        feed.ack = True
        issuer.until(lambda: bool(feed.reports), 3)
    assert feed.reports[0]["counts"] == {"accepted": 1, "token_missing": 1, "insufficient_scope": 1}
    assert {use[3] for use in feed.reports[0]["uses"]} == {"203.0.113.0/24"}


def test_threads_do_not_see_one_anothers_tokens(browser: httpx.Client, issuer: "LocalIssuer") -> None:
    def asked(number: int) -> bool:
        answer = browser.get("/orders", headers={"Authorization": f"Bearer {issuer.token(sub=f'u{number}')}"})
        return bool(answer.json() == {"sub": f"u{number}"})

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(asked, range(200)))


def test_routes_that_nothing_protects_are_listed(issuer: "LocalIssuer") -> None:
    app = _application(issuer)
    assert unprotected_routes(app) == ("GET /health",)
    verifier = Verifier(issuer.url, "orders")

    class Guarded(MethodView):
        decorators = (verifier.require(),)

        def get(self) -> str:
            return "guarded"

    class Half(MethodView):
        @verifier.require()
        def get(self, number: int) -> str:
            return f"guarded {number}"

        def post(self, number: int) -> str:
            return f"open {number}"

    app.add_url_rule("/guarded", view_func=Guarded.as_view("guarded"))
    app.add_url_rule("/half/<int:number>", view_func=Half.as_view("half"))
    app.add_url_rule("/own", "own", lambda: "own", methods=["OPTIONS", "PUT"], provide_automatic_options=False)
    assert unprotected_routes(app) == ("GET /health", "POST /half/<int:number>", "OPTIONS /own", "PUT /own")
    with _client(app) as browser:
        assert browser.get("/guarded").status_code == 401
        assert browser.get("/half/1").status_code == 401
        assert browser.post("/half/1").text == "open 1"


def test_flasks_own_files_are_listed_too(issuer: "LocalIssuer") -> None:
    assert unprotected_routes(Flask("orders")) == ("GET /static/<path:filename>",)
    with pytest.raises(ValueError, match="resource"):
        Verifier(issuer.url, "orders").serve_metadata(Flask("orders"))


def test_a_token_does_not_outlive_its_request(issuer: "LocalIssuer") -> None:
    app = _application(issuer)
    app.add_url_rule("/leak", "leak", lambda: access_token().sub)
    with app.app_context(), _client(app) as browser:
        assert browser.get("/me", headers={"Authorization": f"Bearer {issuer.token()}"}).text == "me"
        assert browser.get("/leak").status_code == 500


def test_there_is_no_token_where_nothing_guards(issuer: "LocalIssuer") -> None:
    app = _application(issuer)
    with app.test_request_context(), pytest.raises(LookupError, match="require"):
        access_token()
