import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

from sealring_verify.jose.base64url import decode

ISSUER = "http://localhost:8799"
CALLBACK = "https://app.example/callback"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


def told(answer: httpx.Response) -> dict[str, str]:
    """Read what an answer tells the client, which must be the registered one."""
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert f"{location.scheme}://{location.netloc}{location.path}" == CALLBACK
    return {name: values[0] for name, values in parse_qs(location.query).items()}


async def signed_in(app: SimpleNamespace) -> httpx.AsyncClient:
    browser: httpx.AsyncClient = app.client()
    await app.consent(browser, await app.log_in(browser, await app.visit(browser)))
    return browser


async def test_a_person_signs_in_allows_and_comes_back_with_a_code(app: SimpleNamespace) -> None:
    browser = app.client()
    waiting = await app.visit(browser)
    assert waiting.headers["location"].startswith(f"{ISSUER}/login?interaction=")
    asking = await app.log_in(browser, waiting)
    assert asking.headers["location"].startswith(f"{ISSUER}/consent?interaction=")
    answer = await app.consent(browser, asking)
    assert told(answer).keys() == {"code", "iss", "state"}
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    body = (await app.redeem_code(told(answer)["code"])).json()
    assert await app.userinfo(body["access_token"]) == {"sub": "u1"}


async def test_then_the_browser_is_signed_in_for_every_client_and_nobody_is_asked(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    assert "code" in told(await app.visit(browser))
    assert "code" in told(await app.visit(browser, prompt="none"))


async def test_prompt_none_never_shows_a_page(app: SimpleNamespace) -> None:
    assert told(await app.visit(app.client(), prompt="none"))["error"] == "login_required"
    browser = await signed_in(app)
    assert told(await app.visit(browser, prompt="none", scope="openid phone"))["error"] == "consent_required"


async def test_prompt_login_asks_for_the_password_again_and_once(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    app.pass_time(5)
    waiting = await app.visit(browser, prompt="login")
    assert "/login?" in waiting.headers["location"]
    assert "code" in told(await app.log_in(browser, waiting))


async def test_max_age_asks_again_and_the_new_time_is_told(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    app.pass_time(5)
    assert "code" in told(await app.visit(browser, max_age="10000"))
    answer = await app.log_in(browser, await app.visit(browser, max_age="1"))
    body = (await app.redeem_code(told(answer)["code"])).json()
    claims = msgspec.json.decode(decode(body["id_token"].split(".")[1].encode()))
    assert claims["auth_time"] == app.now // 1000


async def test_a_request_may_come_by_form_and_is_asked_again_by_get(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    form = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "code", "scope": "openid"}
    answer = await browser.post("/authorize", data=form, headers={"origin": "https://app.example"})
    assert answer.status_code == 303
    location = urlsplit(answer.headers["location"])
    assert (location.path, parse_qs(location.query)["client_id"]) == ("/authorize", ["app"])
    other = await browser.post("/authorize", json=form)
    assert (other.status_code, 'id="oauth-error"' in other.text) == (415, True)


async def test_an_answer_by_form_post_is_a_page_that_works_without_scripts(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    page = await app.visit(browser, response_mode="form_post")
    assert page.status_code == 200
    assert f'action="{CALLBACK}"' in page.text
    for name in ("code", "iss", "state"):
        assert f'name="{name}"' in page.text
    assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
    assert "<button" in page.text
    refused = await app.visit(app.client(), response_mode="form_post", prompt="none")
    assert 'name="error" value="login_required"' in refused.text


@pytest.mark.parametrize(
    "uri",
    [
        "https://evil.example/callback",
        CALLBACK + ".evil.example",
        CALLBACK + "/../../x",
        "https://app.example@evil.example/callback",
        "https://app.example\\@evil.example/callback",
        "https://APP.example/callback",
        "https://app.example/callback%2f..",
        "javascript:alert(1)",
        "//app.example/callback",
    ],
)
async def test_no_other_redirect_uri_is_ever_followed(app: SimpleNamespace, uri: str) -> None:
    page = await app.visit(app.client(), redirect_uri=uri)
    assert page.status_code == 400
    assert 'id="oauth-error"' in page.text
    assert "location" not in page.headers
    assert "evil" not in page.text


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": None},
        {"client_id": "x" * 5000},
        {"client_id": "<script>alert(1)</script>"},
        {"redirect_uri": None},
        {"redirect_uri": "x" * 5000},
        {"state": "x" * 15_000},
    ],
)
async def test_what_may_not_be_redirected_is_a_page(app: SimpleNamespace, changes: dict[str, Any]) -> None:
    page = await app.visit(app.client(), **changes)
    assert page.status_code in {400, 431}
    assert "<script>" not in page.text


async def test_no_code_goes_anywhere_without_its_challenge(app: SimpleNamespace) -> None:
    browser = await signed_in(app)
    bare = await app.visit(browser, code_challenge=None, code_challenge_method=None)
    assert told(bare)["error"] == "invalid_request"
    plain = await app.visit(browser, code_challenge_method="plain")
    assert told(plain)["error"] == "invalid_request"


async def test_two_cookies_of_one_name_are_refused(app: SimpleNamespace) -> None:
    planted = {"cookie": "sealring-sso=planted; sealring-sso=other"}
    page = await app.client().get("/authorize", params={"client_id": "app"}, headers=planted)
    assert (page.status_code, "duplicate_cookie" in page.text) == (400, True)


async def test_an_interaction_of_another_browser_is_worth_nothing(app: SimpleNamespace) -> None:
    mine, other = app.client(), app.client()
    await app.visit(other)
    location = (await app.visit(mine)).headers["location"].replace("/login?", "/authorize?")
    page = await other.get(location)
    assert (page.status_code, "interaction_expired" in page.text) == (400, True)
    app.pass_time(601)
    assert (await mine.get(location)).status_code == 400


async def test_several_tabs_of_one_browser_share_its_cookie(app: SimpleNamespace) -> None:
    browser = app.client()
    first = await app.visit(browser)
    second = await app.visit(browser)
    assert "set-cookie" not in second.headers
    assert "/consent?" in (await app.log_in(browser, first)).headers["location"]


async def test_pages_cannot_be_framed_and_keep_their_address_to_themselves(app: SimpleNamespace) -> None:
    browser = app.client()
    page = await browser.get((await app.visit(browser)).headers["location"])
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert not re.search(r"<script|style=|onload=", page.text)


async def test_a_host_that_is_not_ours_is_answered_by_no_page(app: SimpleNamespace) -> None:
    answer = await app.client().get("/authorize", headers={"host": "evil.example"})
    assert answer.json()["code"] == "wrong_host"
