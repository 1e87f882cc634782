"""What Flask makes of sign-ins and sessions; tests/journeys/test_classic_site.py goes the whole way by real pages."""

from typing import TYPE_CHECKING

import httpx
import pytest
from flask import Flask

from sealring_verify.integrations.flask_site import SealringLogin, current_user, login_required

if TYPE_CHECKING:
    from conftest import SessionIssuer


@pytest.fixture
def app(session_issuer: "SessionIssuer") -> Flask:
    app = Flask(__name__)
    SealringLogin(app, **session_issuer.said)
    app.add_url_rule("/open", view_func=lambda: "open", endpoint="open")
    app.add_url_rule("/whoever", view_func=lambda: f"{current_user} {current_user}", endpoint="whoever")

    @app.route("/<path:_path>", methods=["GET", "POST"])
    @login_required
    def guarded(_path: str) -> str:
        return str(current_user)

    return app


@pytest.fixture
def browser(app: Flask) -> httpx.Client:
    return httpx.Client(transport=httpx.WSGITransport(app=app), base_url="https://shop.example")


@pytest.mark.parametrize(
    "address", ["/orders?of=2026", "/caf%C3%A9", "/a%20b?q=%C3%A9&x=%26", "/a%2520b", "/a%3Fb%23c", "/a;b,c:d@e"]
)
def test_a_person_comes_back_to_the_very_address(app: Flask, session_issuer: "SessionIssuer", address: str) -> None:
    answer = app.test_client().get(address)
    assert answer.status_code == 303
    assert session_issuer.return_to(answer.headers["Set-Cookie"]) == address


@pytest.mark.parametrize("fetch_mode", ["no-cors", "cors", "same-origin"])
def test_what_is_no_page_load_is_refused_and_leaves_no_cookie(browser: httpx.Client, fetch_mode: str) -> None:
    for answer in (browser.get("/orders", headers={"Sec-Fetch-Mode": fetch_mode}), browser.post("/orders")):
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers


def test_the_issuer_is_asked_once_a_request_and_only_where_a_view_looks(
    browser: httpx.Client, session_issuer: "SessionIssuer"
) -> None:
    headers = {"Cookie": session_issuer.cookie()}
    assert browser.get("/open", headers=headers).text == "open"
    assert session_issuer.asked == 0
    assert browser.get("/whoever", headers=headers).text == "Ada Ada"
    assert session_issuer.asked == 1
    session_issuer.lives = False
    assert browser.get("/orders", headers=headers).status_code == 303
    session_issuer.lives = None
    assert browser.get("/whoever", headers=headers).status_code == 503


def test_a_page_for_one_person_is_kept_for_nobody_else(browser: httpx.Client, session_issuer: "SessionIssuer") -> None:
    for path in ("/orders", "/whoever"):
        answer = browser.get(path, headers={"Cookie": session_issuer.cookie()})
        assert (answer.headers["Cache-Control"], answer.headers["Vary"]) == ("private, no-cache", "Cookie")
    assert "Vary" not in browser.get("/open").headers


def test_a_long_or_broken_return_is_refused_without_an_echo(browser: httpx.Client) -> None:
    for query in ("code=" + "x" * 60_000, "state=" + "x" * 60_000, "code=%FF%ED%A0%80&state=%ED%A0%80"):
        answer = browser.get(httpx.URL("/.sealring/callback", query=query.encode()))
        assert (answer.status_code, len(answer.content) < 1000) == (400, True)
        assert "xxx" not in answer.text


def test_a_setting_that_does_not_exist_is_refused_at_the_start(session_issuer: "SessionIssuer") -> None:
    with pytest.raises(ValueError, match="scopes"):
        SealringLogin(scopes="openid email", **session_issuer.said)
