import asyncio
import base64
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import httpx
import pytest

from sealring_verify import ServiceToken, TokenUnavailable

if TYPE_CHECKING:
    from conftest import LocalIssuer

SECRET = "slc_geheim+1"
REFUSED = 'Bearer error="invalid_token", error_description="The token has expired."'


class Server(ThreadingHTTPServer):
    request_queue_size = 128  # a hundred come at once


class LocalApi:
    """An API that takes the tokens in `good`, and says of all others what `challenge` has; `moved` redirects all."""

    def __init__(self) -> None:
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer()

            def do_POST(self) -> None:
                api.bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
                self._answer()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
                pass

            def _answer(self) -> None:
                authorization = self.headers.get("Authorization")
                api.seen.append(authorization)
                good = authorization in {f"Bearer {token}" for token in api.good}
                moved = api.moved and self.path != "/done"
                self.send_response(303 if moved else 200 if good else api.refusal)
                if moved:
                    self.send_header("Location", api.moved)
                elif not good:
                    self.send_header("WWW-Authenticate", api.challenge)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.seen: list[str | None] = []
        self.bodies: list[bytes] = []
        self.good = {"t1", "t2"}
        self.refusal = 401
        self.challenge = REFUSED
        self.moved = ""
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def api() -> Iterator[LocalApi]:
    local = LocalApi()
    yield local
    local.stop()


@pytest.fixture
def elsewhere() -> Iterator[LocalApi]:
    local = LocalApi()
    yield local
    local.stop()


@pytest.fixture
def service_token(issuer: "LocalIssuer") -> ServiceToken:
    return ServiceToken(issuer.url, "reports", SECRET, "orders", "orders:read")


def test_a_call_carries_the_token_and_the_next_one_the_same(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi
) -> None:
    with httpx.Client(base_url=api.url, auth=service_token) as client:
        assert [client.get("/").status_code for _ in range(3)] == [200] * 3
    assert api.seen == ["Bearer t1"] * 3
    assert len(issuer.token_requests) == 1
    assert service_token.token() == "t1"


async def test_a_hundred_tasks_call_with_one_token(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi
) -> None:
    async with httpx.AsyncClient(base_url=api.url, auth=service_token) as client:
        answers = await asyncio.gather(*(client.get("/") for _ in range(100)))
    assert {answer.status_code for answer in answers} == {200}
    assert set(api.seen) == {"Bearer t1"}
    assert len(issuer.token_requests) == 1
    assert await service_token.token_async() == "t1"


def test_a_refused_token_is_replaced_and_the_request_sent_once_more(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi
) -> None:
    api.good = {"t2"}
    assert httpx.post(api.url, content=b"lamp", auth=service_token).status_code == 200
    assert api.seen == ["Bearer t1", "Bearer t2"]
    assert api.bodies == [b"lamp", b"lamp"]
    assert len(issuer.token_requests) == 2


async def test_a_coroutine_replaces_a_refused_token_too(service_token: ServiceToken, api: LocalApi) -> None:
    api.good = {"t2"}
    async with httpx.AsyncClient(auth=service_token) as client:
        assert (await client.post(api.url, json={"lamp": 1})).status_code == 200
    assert api.seen == ["Bearer t1", "Bearer t2"]


def test_an_api_that_refuses_every_token_makes_no_loop(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi
) -> None:
    api.good = set()
    for _ in range(5):
        assert httpx.get(api.url, auth=service_token).status_code == 401
    assert api.seen == ["Bearer t1"] + ["Bearer t2"] * 5
    assert len(issuer.token_requests) == 2


@pytest.mark.parametrize(
    ("status", "challenge"),
    [(401, "Bearer"), (401, 'Basic realm="orders"'), (403, 'Bearer error="insufficient_scope"'), (403, REFUSED)],
)
def test_another_refusal_is_the_callers(
    service_token: ServiceToken, api: LocalApi, status: int, challenge: str
) -> None:
    api.good, api.refusal, api.challenge = set(), status, challenge
    assert httpx.get(api.url, auth=service_token).status_code == status
    assert api.seen == ["Bearer t1"]
    assert service_token.token() == "t1"


def test_a_body_that_is_gone_is_not_sent_again(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi
) -> None:
    api.good = {"t2"}
    content = iter([b"la", b"mp"])
    answer = httpx.post(api.url, content=content, headers={"Content-Length": "4"}, auth=service_token)
    assert answer.status_code == 401
    assert len(api.seen) == len(issuer.token_requests) == 1
    assert httpx.get(api.url, auth=service_token).status_code == 200


def test_a_redirect_elsewhere_takes_no_token_along(
    service_token: ServiceToken, api: LocalApi, elsewhere: LocalApi
) -> None:
    api.moved = f"{elsewhere.url}/lamp"
    answer = httpx.get(api.url, auth=service_token, follow_redirects=True)
    # The other place asks for a token, and gets none; nor does its word cost the API's token anything.
    assert answer.status_code == 401
    assert (api.seen, elsewhere.seen) == (["Bearer t1"], [None])
    assert service_token.token() == "t1"


def test_what_was_done_before_a_redirect_is_not_done_twice(service_token: ServiceToken, api: LocalApi) -> None:
    api.moved, api.good = f"{api.url}/done", {"t2"}
    answer = httpx.post(api.url, content=b"lamp", auth=service_token, follow_redirects=True)
    assert answer.status_code == 401
    assert api.bodies == [b"lamp"]
    # The next call has another token.
    assert httpx.get(f"{api.url}/done", auth=service_token).status_code == 200


def test_a_redirect_that_is_followed_by_hand_takes_no_token_along(
    service_token: ServiceToken, api: LocalApi, elsewhere: LocalApi
) -> None:
    api.moved = elsewhere.url
    with httpx.Client(auth=service_token) as client:
        answer = client.get(api.url)
        assert answer.next_request is not None
        with pytest.raises(TokenUnavailable, match="foreign_origin"):
            client.send(answer.next_request)
    assert elsewhere.seen == []


def test_the_first_place_that_is_called_is_the_only_one(
    service_token: ServiceToken, api: LocalApi, elsewhere: LocalApi
) -> None:
    assert httpx.get(api.url, auth=service_token).status_code == 200
    with pytest.raises(TokenUnavailable, match="foreign_origin"):
        httpx.get(elsewhere.url, auth=service_token)
    assert elsewhere.seen == []


def test_places_that_are_named_are_all_of_them(issuer: "LocalIssuer", api: LocalApi, elsewhere: LocalApi) -> None:
    both = ServiceToken(issuer.url, "reports", SECRET, "orders", "x", origins=[api.url, f"{elsewhere.url}/v1"])
    assert [httpx.get(url, auth=both).status_code for url in (api.url, elsewhere.url)] == [200, 200]
    by_audience = ServiceToken(issuer.url, "reports", SECRET, f"{api.url}/v1", "x")
    with pytest.raises(TokenUnavailable, match="foreign_origin"):
        httpx.get(elsewhere.url, auth=by_audience)


@pytest.mark.parametrize("url", ["http://orders.example.com/", "http://192.168.1.2/"])
def test_no_token_goes_where_somebody_listens_in(service_token: ServiceToken, url: str) -> None:
    with pytest.raises(TokenUnavailable, match="foreign_origin"):
        httpx.get(url, auth=service_token)
    with pytest.raises(ValueError, match="origins"):
        ServiceToken("https://id.example.com", "reports", SECRET, "orders", "x", origins=[url])


def test_origins_are_a_list() -> None:
    with pytest.raises(ValueError, match="list"):
        ServiceToken("https://id.example.com", "reports", SECRET, "orders", "x", origins="https://orders.example.com")


def test_the_secret_is_in_no_repr_message_log_or_exception_chain(
    service_token: ServiceToken, issuer: "LocalIssuer", api: LocalApi, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assert repr(service_token) == f"ServiceToken(issuer='{issuer.url}', client_id='reports', audience='orders')"
    body = json.dumps({"error": "invalid_client", "error_description": SECRET}).encode()
    issuer.faults["/token"] = lambda: (401, {}, body)
    reply, sent = issuer.reply, []
    issuer.reply = lambda path, authorization, form: (
        (  # type: ignore[method-assign] # to see what was sent
            sent.append(authorization) if path == "/token" else None
        )
        or reply(path, authorization, form)
    )
    with pytest.raises(TokenUnavailable, match="client_authentication_failed") as refused:
        httpx.get(api.url, auth=service_token)
    told, error = [caplog.text], refused.value
    while error is not None:
        told += [repr(error), str(error), repr(getattr(error, "request", None))]
        error = error.__cause__ or error.__context__  # type: ignore[assignment] # any exception
    told += [repr(service_token._supply), repr(service_token._supply.state), repr(service_token._supply._request)]
    credential = base64.b64encode(b"reports:slc_geheim%2B1").decode()
    assert sent == [f"Basic {credential}"]
    assert not any("geheim" in text or credential in text for text in told)
    assert api.seen == []


def test_a_swapped_secret_is_noticed_before_it_is_shown() -> None:
    with pytest.raises(ValueError, match="secret stands where") as refused:
        ServiceToken("https://id.example.com", "reports", "orders", SECRET, "x")
    assert "geheim" not in str(refused.value)


def test_from_environment_reads_who_the_service_is_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SEALRING_ISSUER", "SEALRING_CLIENT_ID", "SEALRING_CLIENT_SECRET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SEALRING_CLIENT_ID", "reports")
    with pytest.raises(ValueError, match="set SEALRING_ISSUER and SEALRING_CLIENT_SECRET in the environment"):
        ServiceToken.from_environment("orders", "orders:read")
    monkeypatch.setenv("SEALRING_ISSUER", "https://id.example.com")
    monkeypatch.setenv("SEALRING_CLIENT_SECRET", SECRET)
    monkeypatch.setenv("SEALRING_AUDIENCE", "reports-api")
    made = ServiceToken.from_environment("orders", "orders:read", origins=["https://orders.example.com"])
    assert (made.issuer, made.client_id, made.audience) == ("https://id.example.com", "reports", "orders")


def test_the_http_client_is_imported_by_whoever_asks_for_it_alone() -> None:
    program = (
        "import sys, sealring_verify; assert 'httpx' not in sys.modules; "
        "from sealring_verify import ServiceToken; assert 'httpx' in sys.modules; "
        "assert not hasattr(sealring_verify, 'Service')"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
