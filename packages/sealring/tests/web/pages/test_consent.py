from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def asking(app: SimpleNamespace, browser: httpx.AsyncClient, **changes: str) -> httpx.Response:
    answer = await app.log_in(browser, await app.visit(browser, **changes))
    assert isinstance(answer, httpx.Response)
    return answer


async def test_the_person_is_told_what_is_asked_in_words(app: SimpleNamespace) -> None:
    browser = app.client()
    page = await browser.get((await asking(app, browser, scope="openid email orders:read")).headers["location"])
    for element in ("consent-allow", "consent-deny"):
        assert f'id="{element}"' in page.text
    assert "Read orders" in page.text
    assert "See your e-mail address" in page.text
    assert "<strong>ada</strong>" in page.text


async def test_who_says_no_goes_back_with_that_and_nothing_is_remembered(app: SimpleNamespace) -> None:
    browser = app.client()
    answer = await app.consent(browser, await asking(app, browser), "deny")
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert (told["error"], told["state"], told["iss"]) == (["access_denied"], ["state-1"], ["http://localhost:8799"])
    assert await app.store.consents.list_of("u1") == ()


async def test_neither_yes_nor_no_is_asked_again(app: SimpleNamespace) -> None:
    browser = app.client()
    page = await app.consent(browser, await asking(app, browser), "maybe")
    assert (page.status_code, 'id="consent-allow"' in page.text) == (200, True)


async def test_a_forged_consent_is_refused(app: SimpleNamespace) -> None:
    """Consent CSRF: a form of another site, and one with another browser's interaction."""
    browser, attacker = app.client(), app.client()
    page = await browser.get((await asking(app, browser)).headers["location"])
    form = {"interaction": page.text.split('value="')[1].split('"')[0], "decision": "allow"}
    foreign = await browser.post("/consent", data=form, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    theirs = await attacker.get((await app.visit(attacker)).headers["location"])
    form["interaction"] = theirs.text.split('value="')[1].split('"')[0]
    assert (await browser.post("/consent", data=form)).status_code == 400
    assert await app.store.consents.list_of("u1") == ()


async def test_who_is_signed_in_no_more_signs_in_first(app: SimpleNamespace) -> None:
    browser = app.client()
    waiting = await asking(app, browser)
    (session,) = [
        each for each in await app.store.sso_sessions.list_live("u1", now=app.now, limit=9) if each.id != "sso-1"
    ]
    page = await browser.get(waiting.headers["location"])
    await app.store.sso_sessions.end(session.id, reason="logged_out", now=app.now, events=[])
    form = {"interaction": page.text.split('value="')[1].split('"')[0], "decision": "allow"}
    answer = await browser.post("/consent", data=form)
    assert "/authorize?interaction=" in answer.headers["location"]
    assert "/login?" in (await browser.get(answer.headers["location"])).headers["location"]


async def test_somebody_else_may_sign_in_before_anything_is_allowed(app: SimpleNamespace) -> None:
    browser = app.client()
    page = await browser.get((await asking(app, browser)).headers["location"])
    switch = page.text.split('id="consent-switch" href="')[1].split('"')[0]
    form = {"username": "bob", "password": "correct horse battery staple"}
    form["interaction"] = switch.split("interaction=")[1]
    assert (await browser.get(switch)).status_code == 200
    onward = await browser.post("/login", data=form)
    page = await browser.get((await browser.get(onward.headers["location"])).headers["location"])
    assert "<strong>bob</strong>" in page.text
