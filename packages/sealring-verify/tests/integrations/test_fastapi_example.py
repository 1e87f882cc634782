"""examples/fastapi_api as its README starts it: a real process, a real port, curl's own bytes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer

_EXAMPLE = Path(__file__).parents[4] / "examples" / "fastapi_api"
Start = Callable[..., httpx.Client]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda **environment: _started(stack, environment)


def _started(stack: ExitStack, environment: dict[str, str]) -> httpx.Client:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SEALRING_", "ORDERS_"))}
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "main:app", "--port", str(port), "--log-level", "warning"],
        cwd=_EXAMPLE,
        env={**kept, **environment},
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    client = stack.enter_context(httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False))
    deadline = time.monotonic() + 20
    while True:
        try:
            client.get("/openapi.json")
        except httpx.ConnectError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        else:
            return client


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_example_lists_and_adds_orders_by_scope(start: Start, issuer: "LocalIssuer") -> None:
    api = start(SEALRING_ISSUER=issuer.url, SEALRING_AUDIENCE="orders", ORDERS_PAGE_ORIGIN="http://localhost:8700")
    reader, writer = _bearer(issuer.token(scope="orders:read")), _bearer(issuer.token(scope="orders:write"))
    assert api.get("/orders", headers=reader).text == '[{"id":1,"item":"lamp"}]'
    assert api.post("/orders", headers=writer, json={"item": "desk"}).text == '{"id":2,"item":"desk"}'
    assert api.get("/orders", headers=reader).json()[1]["item"] == "desk"
    assert api.post("/orders", headers=reader, json={"item": "x"}).status_code == 403
    assert api.get("/orders", headers=writer).status_code == 403
    refused = api.get("/orders")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    told = (
        '"error_description":"The request carries no access token in its Authorization header.","code":"token_missing"'
    )
    assert refused.text == '{"error":"invalid_token",' + told + "}"
    assert refused.text in (_EXAMPLE / "README.md").read_text()
    assert api.get("/orders", headers=_bearer("garbage")).json()["code"] == "token_malformed"
    assert issuer.introspections == []


def test_a_page_of_the_named_origin_may_call_the_example(start: Start, issuer: "LocalIssuer") -> None:
    api = start(SEALRING_ISSUER=issuer.url, SEALRING_AUDIENCE="orders", ORDERS_PAGE_ORIGIN="http://localhost:8700")

    def preflight(origin: str) -> httpx.Response:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        return api.options("/orders", headers={"Origin": origin, **asked})

    allowed = preflight("http://localhost:8700")
    assert allowed.headers["Access-Control-Allow-Origin"] == "http://localhost:8700"
    assert "Access-Control-Allow-Credentials" not in allowed.headers
    assert "Access-Control-Allow-Origin" not in preflight("http://evil.example").headers


def test_with_an_api_key_the_example_knows_of_ended_sessions(
    start: Start, issuer: "LocalIssuer", feed: "LocalFeed"
) -> None:
    api = start(SEALRING_ISSUER=issuer.url, SEALRING_AUDIENCE="orders", SEALRING_API_KEY="sla_x")
    headers = _bearer(issuer.token(sid="s1"))
    assert api.get("/orders", headers=headers).status_code == 200
    feed.end("sid", "s1")
    deadline = time.monotonic() + 4
    while api.get("/orders", headers=headers).status_code == 200:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    refused = api.get("/orders", headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (401, "session_ended")
    told = refused.json()["error_description"]
    assert told.startswith("session_ended: ")
    assert f'error_description="{told}"' in refused.headers["WWW-Authenticate"]


def test_the_example_does_not_start_without_its_configuration() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALRING_")}
    started = subprocess.run(
        [sys.executable, "-c", "import main"], cwd=_EXAMPLE, env=kept, capture_output=True, text=True, check=False
    )
    assert started.returncode != 0
    assert "set SEALRING_ISSUER and SEALRING_AUDIENCE in the environment" in started.stderr
