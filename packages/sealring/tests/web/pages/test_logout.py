from types import SimpleNamespace

import httpx
import msgspec
import pytest

from sealring.protocol.client import ClientLogout

ISSUER = "http://localhost:8799"
HOME = "https://app.example/bye"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    client = await site.store.clients.find("app")
    logout = ClientLogout(post_logout_redirect_uris=(HOME,))
    await site.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
    return site


async def signed_in(app: SimpleNamespace) -> tuple[httpx.AsyncClient, str]:
    browser: httpx.AsyncClient = app.client()
    answer = await app.consent(browser, await app.log_in(browser, await app.visit(browser)))
    code = answer.headers["location"].split("code=")[1].split("&")[0]
    return browser, (await app.redeem_code(code)).json()["id_token"]


async def is_signed_in(app: SimpleNamespace, browser: httpx.AsyncClient) -> bool:
    return "code=" in (await app.visit(browser, prompt="none")).headers["location"]


async def test_a_client_with_its_id_token_logs_the_person_out_and_gets_them_back(app: SimpleNamespace) -> None:
    browser, hint = await signed_in(app)
    asked = {"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "s"}
    answer = await browser.get("/logout", params=asked)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME + "?state=s")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert not await is_signed_in(app, browser)


async def test_by_form_it_is_asked_again_where_the_cookies_come_along(app: SimpleNamespace) -> None:
    browser, hint = await signed_in(app)
    answer = await browser.post("/logout", data={"id_token_hint": hint}, headers={"origin": "https://app.example"})
    assert answer.headers["location"].startswith(f"{ISSUER}/logout?id_token_hint=")
    done = await browser.get(answer.headers["location"])
    assert done.headers["location"] == f"{ISSUER}/logged-out"
    assert 'id="logged-out"' in (await browser.get("/logged-out")).text


@pytest.mark.parametrize("asked", [{}, {"state": "s"}, {"client_id": "app"}])
async def test_without_an_id_token_the_person_is_asked(app: SimpleNamespace, asked: dict[str, str]) -> None:
    browser, _ = await signed_in(app)
    page = await browser.get("/logout", params=asked)
    assert (page.status_code, 'id="logout-confirm"' in page.text) == (200, True)
    assert await is_signed_in(app, browser)
    form = {"interaction": page.text.split('value="')[1].split('"')[0]}
    assert (await browser.post("/logout", data=form)).headers["location"] == f"{ISSUER}/logged-out"
    assert not await is_signed_in(app, browser)


@pytest.mark.parametrize(
    "asked",
    [
        {"post_logout_redirect_uri": HOME},
        {"post_logout_redirect_uri": HOME + "?x=1", "hint": "good"},
        {"post_logout_redirect_uri": "https://evil.example", "hint": "good"},
        {"post_logout_redirect_uri": HOME, "id_token_hint": "eyJhbGciOiJub25lIn0.e30."},
        {"id_token_hint": "x", "state": "s"},
        {"client_id": "shop", "hint": "good"},
    ],
)
async def test_what_does_not_fit_is_shown_and_redirects_nobody(app: SimpleNamespace, asked: dict[str, str]) -> None:
    browser, hint = await signed_in(app)
    if asked.pop("hint", None):
        asked = asked | {"id_token_hint": hint}
    page = await browser.get("/logout", params=asked)
    assert (page.status_code, 'id="oauth-error"' in page.text) == (400, True)
    assert await is_signed_in(app, browser)


async def test_a_forged_confirmation_logs_nobody_out(app: SimpleNamespace) -> None:
    browser, _ = await signed_in(app)
    attacker = app.client()
    theirs = await attacker.get((await app.visit(attacker)).headers["location"])
    form = {"interaction": theirs.text.split('value="')[1].split('"')[0]}
    assert (await browser.post("/logout", data=form)).status_code == 400
    foreign = await browser.post("/logout", data=form, headers={"sec-fetch-site": "cross-site"})
    assert foreign.status_code == 403
    assert await is_signed_in(app, browser)


async def test_whoever_is_not_signed_in_is_told_that_it_is_done(app: SimpleNamespace) -> None:
    assert (await app.client().get("/logout")).headers["location"] == f"{ISSUER}/logged-out"
