import re
from types import SimpleNamespace

import httpx
import pytest

ISSUER = "http://localhost:8799"
PASSWORD = "correct horse battery staple"
NEW = "five other words nobody guesses"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def open_account(app: SimpleNamespace) -> tuple[httpx.AsyncClient, httpx.Response]:
    """Sign in for the page itself: who is not signed in is asked first, and comes back to it."""
    browser: httpx.AsyncClient = app.client()
    waiting = await browser.get("/account")
    assert waiting.headers["location"].startswith(f"{ISSUER}/login?interaction=")
    page = await app.log_in(browser, waiting)
    assert (page.status_code, 'id="account-page"' in page.text) == (200, True)
    return browser, page


async def act(
    browser: httpx.AsyncClient, page: httpx.Response, act: str, name: str = "", **form: str
) -> httpx.Response:
    interaction = page.text.split('name="interaction" value="')[1].split('"')[0]
    return await browser.post("/account", data={"interaction": interaction, "act": act, "name": name, **form})


async def test_people_see_what_is_theirs(app: SimpleNamespace) -> None:
    browser, _ = await open_account(app)
    answer = await app.consent(browser, await app.visit(browser))
    await app.redeem_code(answer.headers["location"].split("code=")[1].split("&")[0])
    page = await browser.get("/account")
    assert page.text.count("this one") == 1
    assert "<strong>App</strong>" in page.text
    assert "email, openid" in page.text
    ids = await app.store.sso_sessions.list_live("u1", now=app.now, limit=9)
    assert not any(each.id in page.text for each in ids if each.id != "sso-1")


async def test_what_is_ended_on_the_page_has_ended(app: SimpleNamespace) -> None:
    browser, _ = await open_account(app)
    answer = await app.consent(browser, await app.visit(browser))
    body = (await app.redeem_code(answer.headers["location"].split("code=")[1].split("&")[0])).json()
    page = await browser.get("/account")
    assert (await act(browser, page, "end_session", body["sid"])).status_code == 303
    assert await app.store.sessions.find(body["sid"], now=app.now) is None
    assert (await act(browser, page, "withdraw", "app")).status_code == 303
    assert await app.store.consents.list_of("u1") == ()


async def test_signing_out_everywhere_ends_this_browser_too(app: SimpleNamespace) -> None:
    browser, page = await open_account(app)
    assert (await act(browser, page, "end_all")).headers["location"] == f"{ISSUER}/logged-out"
    assert "/login?" in (await browser.get("/account")).headers["location"]


async def test_one_browser_is_signed_out_from_another(app: SimpleNamespace) -> None:
    mine, _ = await open_account(app)
    other, _ = await open_account(app)
    page = await mine.get("/account")
    rows = re.findall(r"<li>.*?</li>", page.text, re.DOTALL)
    # Its own would end what it may do after that.
    others = [row for row in rows if 'value="end_browser"' in row and "this one" not in row]
    assert len(others) == 2
    for row in others:
        await act(mine, page, "end_browser", re.findall(r'name="name" value="([^"]+)"', row)[0])
    assert "/login?" in (await other.get("/account")).headers["location"]


async def test_a_new_password_keeps_this_browser_signed_in(app: SimpleNamespace) -> None:
    browser, page = await open_account(app)
    other, _ = await open_account(app)
    changed = await act(browser, page, "password", current_password=PASSWORD, new_password=NEW)
    assert changed.headers["location"] == f"{ISSUER}/account"
    assert (await browser.get("/account")).status_code == 200
    assert "/login?" in (await other.get("/account")).headers["location"]


async def test_a_refusal_is_told_on_the_page(app: SimpleNamespace) -> None:
    browser, page = await open_account(app)
    refused = await act(browser, page, "password", current_password="wrong wrong wrong", new_password=NEW)
    assert (refused.status_code, "wrong_credentials" in refused.text) == (400, True)
    weak = await act(browser, page, "password", current_password=PASSWORD, new_password="short")
    assert "password_refused" in weak.text
    assert "invalid_parameter" in (await act(browser, page, "dance")).text
    app.pass_time(700)
    assert "interaction_expired" in (await act(browser, page, "end_all")).text


async def test_a_forged_form_ends_nothing(app: SimpleNamespace) -> None:
    browser, page = await open_account(app)
    interaction = page.text.split('name="interaction" value="')[1].split('"')[0]
    form = {"interaction": interaction, "act": "end_all", "name": ""}
    assert (await browser.post("/account", data=form, headers={"sec-fetch-site": "cross-site"})).status_code == 403
    assert (await browser.post("/account", data=form | {"interaction": "x.y"})).status_code == 400
    assert (await browser.get("/account")).status_code == 200


async def test_a_signed_out_browser_does_nothing_but_sign_in(app: SimpleNamespace) -> None:
    answer = await app.client().post("/account", data={"act": "end_all"})
    assert answer.headers["location"] == f"{ISSUER}/account"
