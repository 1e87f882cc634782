import html
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from urllib.parse import urlencode

import httpx
import jwt
import msgspec
import pytest

from sealring.protocol.client import ClientLogout

OpenSite = Callable[..., AbstractAsyncContextManager[SimpleNamespace]]
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


@pytest.fixture
async def front(
    open_site: Callable[..., AbstractAsyncContextManager[SimpleNamespace]],
) -> AsyncIterator[SimpleNamespace]:
    async with open_site(logout={"front_channel": True}) as site:
        await site.add_app()
        client = await site.store.clients.find("app")
        logout = ClientLogout(post_logout_redirect_uris=(HOME,), frontchannel_logout_uri="https://app.example/front")
        await site.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
        yield site


async def test_clients_pages_are_loaded_in_frames_before_the_browser_goes_on(front: SimpleNamespace) -> None:
    document = (await front.http.get("/.well-known/openid-configuration")).json()
    assert (document["frontchannel_logout_supported"], document["frontchannel_logout_session_supported"]) == (
        True,
        True,
    )
    browser, hint = await signed_in(front)
    page = await browser.get(
        "/logout", params={"id_token_hint": hint, "post_logout_redirect_uri": HOME, "state": "a&b"}
    )
    assert page.status_code == 200
    assert "Max-Age=0" in page.headers["set-cookie"]
    sid = jwt.decode(hint, options={"verify_signature": False})["sid"]
    address = f"https://app.example/front?{urlencode({'iss': ISSUER, 'sid': sid})}"
    assert html.escape(address) in page.text
    assert f'content="3;url={HOME}?state=a%26b"' in page.text
    assert f'id="logged-out-continue" href="{HOME}?state=a%26b"' in page.text
    assert "frame-src https://app.example;" in page.headers["content-security-policy"]
    assert not await is_signed_in(front, browser)


async def test_without_a_place_to_go_on_to_the_page_stays(front: SimpleNamespace) -> None:
    browser, hint = await signed_in(front)
    page = await browser.get("/logout", params={"id_token_hint": hint})
    assert 'id="logged-out"' in page.text
    assert "<iframe" in page.text
    assert "refresh" not in page.text
    again = await browser.get("/logout", params={"id_token_hint": hint})
    assert again.headers["location"] == f"{ISSUER}/logged-out"


async def test_where_it_is_off_a_clients_page_is_never_loaded(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    logout = ClientLogout(frontchannel_logout_uri="https://app.example/front")
    await app.store.clients.replace(msgspec.structs.replace(client, logout=logout), read=client, events=[])
    browser, hint = await signed_in(app)
    answer = await browser.get("/logout", params={"id_token_hint": hint})
    assert answer.headers["location"] == f"{ISSUER}/logged-out"


async def test_a_client_that_registered_itself_is_named_by_where_it_leads(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    own = msgspec.structs.replace(client, self_registered=True, name="Your bank")
    await app.store.clients.replace(own, read=client, events=[])
    browser, _ = await signed_in(app)
    page = await browser.get("/logout", params={"client_id": "app"})
    assert "app.example" in page.text
    assert "not verified" in page.text
    assert "Your bank" not in page.text


async def test_a_form_that_is_too_long_as_an_address_is_refused_by_a_page(app: SimpleNamespace) -> None:
    for page in ("/logout", "/authorize"):
        answer = await app.client().post(
            page, content="state=" + "!" * 4000, headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert (answer.status_code, "request_too_long" in answer.text) == (400, True)
