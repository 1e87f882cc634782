"""Each folder below examples/ as its README starts it: a real process, a real server, a client's own bytes."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

if TYPE_CHECKING:
    from conftest import LocalFeed, LocalIssuer, Start

_EXAMPLES = Path(__file__).parents[4] / "examples"
_UVICORN = "-m uvicorn main:app --port {port} --log-level warning"
_RUNSERVER = "-m django runserver {port} --settings settings --noreload"
_COMMANDS = {
    "fastapi_api": _UVICORN,
    "starlette_api": _UVICORN,
    "flask_api": "-m flask --app main run --port {port}",
    "django_api": _RUNSERVER,
    "drf_api": _RUNSERVER,
}
_FORGOTTEN = {
    "fastapi_api": ("main.py", ', dependencies=[Depends(verifier.require("orders:read"))]', ""),
    "starlette_api": ("main.py", ", middleware=[reads]", ""),
    "flask_api": ("main.py", '@verifier.require("orders:read")\n', ""),
    "django_api": ("views.py", '@verifier.require("orders:write", max_age=300)', "@token_not_required"),
    "drf_api": ("views.py", 'verifier.require("orders:read")', "AllowAny"),
}
pytestmark = pytest.mark.parametrize("example", _COMMANDS)


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _started(start: "Start", example: str, issuer: "LocalIssuer", **environment: str) -> httpx.Client:
    told = {"SEALRING_ISSUER": issuer.url, "SEALRING_AUDIENCE": "orders", **environment}
    return start(example, *shlex.split(_COMMANDS[example]), **told)


def test_orders_are_listed_added_and_cancelled_by_scope(start: "Start", issuer: "LocalIssuer", example: str) -> None:
    api = _started(start, example, issuer)
    reader, writer = _bearer(issuer.token(scope="orders:read")), _bearer(issuer.token(scope="orders:write"))
    assert api.get("/health").json() == "well"
    assert api.get("/orders", headers=reader).json() == [{"id": 1, "item": "lamp"}]
    added = api.post("/orders", headers=writer, json={"item": "desk"})
    assert (added.status_code, added.json()["id"]) == (201, 2)
    assert api.get("/orders", headers=reader).json()[1]["item"] == "desk"
    for answer in (api.post("/orders", headers=reader, json={"item": "x"}), api.get("/orders", headers=writer)):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    old = api.delete("/orders/2", headers=writer)
    assert (old.status_code, old.json()["code"]) == (401, "insufficient_user_authentication")
    assert 'max_age="300"' in old.headers["WWW-Authenticate"]
    recent = _bearer(issuer.token(auth_time=int(time.time())))
    assert api.delete("/orders/2", headers=recent).json()["item"] == "desk"
    assert api.delete("/orders/2", headers=recent).status_code == 404


def test_what_is_no_token_is_answered_by_a_challenge(start: "Start", issuer: "LocalIssuer", example: str) -> None:
    api = _started(start, example, issuer)
    refused = api.get("/orders")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, "Bearer")
    assert refused.text.strip() in (_EXAMPLES / example / "README.md").read_text()
    assert api.post("/orders", data={"access_token": issuer.token()}).json()["code"] == "token_missing"
    for value in (b"Bearer garbage", b"Bearer", b"Bearer \xff\xfe"):
        garbled = api.get("/orders", headers=[(b"Authorization", value)])
        assert (garbled.status_code, garbled.json()["code"]) == (401, "token_malformed")
    good = f"Bearer {issuer.token()}"
    for answer in (
        api.get("/orders", headers=[("Authorization", good), ("Authorization", good)]),
        api.get("/orders", params={"access_token": issuer.token()}),
        api.get("/orders", params={"access_token": issuer.token()}, headers={"Authorization": good}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "token_transport")


def test_the_metadata_document_is_where_the_challenge_says(start: "Start", issuer: "LocalIssuer", example: str) -> None:
    resource = "http://localhost:8702/orders"
    api = _started(start, example, issuer, ORDERS_RESOURCE=resource)
    named = re.search(r'resource_metadata="http://localhost:8702(.+?)"', api.get("/orders").headers["WWW-Authenticate"])
    assert named is not None
    assert api.get(named[1]).json() == {
        "resource": resource,
        "authorization_servers": [issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["orders:read", "orders:write"],
    }


def test_an_unreachable_issuer_and_an_ended_session_are_told_apart(
    start: "Start", issuer: "LocalIssuer", feed: "LocalFeed", example: str
) -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    api = _started(start, example, issuer, SEALRING_API_KEY="sla_x")
    headers = _bearer(issuer.token(sid="s1"))
    unknown = api.get("/orders", headers=headers)
    assert (unknown.status_code, unknown.headers["Retry-After"]) == (503, "5")
    issuer.faults.clear()
    issuer.until(lambda: api.get("/orders", headers=headers).status_code == 200)
    feed.end("sid", "s1")
    issuer.until(lambda: api.get("/orders", headers=headers).status_code == 401)
    refused = api.get("/orders", headers=headers)
    assert refused.json()["code"] == "session_ended"
    assert 'error_description="session_ended: ' in refused.headers["WWW-Authenticate"]


def test_it_does_not_start_without_its_configuration(example: str) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SEALRING_")}
    module = "tokens" if (_EXAMPLES / example / "tokens.py").exists() else "main"
    command = [sys.executable, "-c", f"import {module}"]
    started = subprocess.run(
        command,
        cwd=_EXAMPLES / example,
        env={**kept, "DJANGO_SETTINGS_MODULE": "settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode != 0
    assert "set SEALRING_ISSUER and SEALRING_AUDIENCE in the environment" in started.stderr


def test_it_does_not_start_where_a_requirement_was_forgotten(
    issuer: "LocalIssuer", tmp_path: Path, example: str
) -> None:
    folder = shutil.copytree(_EXAMPLES / example, tmp_path / example)
    told = {"SEALRING_ISSUER": issuer.url, "SEALRING_AUDIENCE": "orders", "DJANGO_SETTINGS_MODULE": "settings"}
    module = "urls" if (folder / "urls.py").exists() else "main"

    def start() -> str:
        command = [sys.executable, "-c", f"import {module}"]
        environment = {**os.environ, **told}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stderr

    assert "Error" not in start()
    file, demand, nothing = _FORGOTTEN[example]
    text = (folder / file).read_text()
    assert demand in text
    (folder / file).write_text(text.replace(demand, nothing))
    place = "/orders/<int:number>" if example == "django_api" else "/orders"
    assert re.search(rf"nothing protects (GET )?{re.escape(place)}$", start(), re.MULTILINE)


def test_the_readme_starts_it_so(example: str) -> None:
    page = (_EXAMPLES / example / "README.md").read_text()
    command = _COMMANDS[example].replace("-m ", "", 1).replace("{port}", "8702").replace(" --log-level warning", "")
    command = command.replace("django runserver", "python -m django runserver").replace(" --noreload", "")
    assert f"$ {command}\n" in page
    assert f"sealring-verify[{example.removesuffix('_api')}]" in page or example == "starlette_api"
