from types import SimpleNamespace

import httpx
import msgspec
import pytest

from sealring.protocol.client import ClientPages

ISSUER = "http://localhost:8799"


@pytest.fixture
async def app(site: SimpleNamespace) -> SimpleNamespace:
    await site.add_app()
    return site


async def login_page(app: SimpleNamespace, browser: httpx.AsyncClient, **changes: str) -> httpx.Response:
    return await browser.get((await app.visit(browser, **changes)).headers["location"])


async def test_the_page_has_what_a_person_and_a_password_manager_look_for(app: SimpleNamespace) -> None:
    page = await login_page(app, app.client(), login_hint='ada"><b>')
    assert page.status_code == 200
    for element in ("login-page", "username", "password", "login-submit"):
        assert f'id="{element}"' in page.text
    assert 'autocomplete="current-password"' in page.text
    assert "<b>" not in page.text
    assert "ada&#34;&gt;&lt;b&gt;" in page.text


async def test_a_client_is_shown_with_its_pages_and_its_name_is_text(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    pages = ClientPages(
        logo_uri="https://app.example/logo.png",
        policy_uri="https://app.example/policy",
        tos_uri="https://app.example/tos",
    )
    named = msgspec.structs.replace(client, name="<script>x</script>", pages=pages)
    await app.store.clients.replace(named, read=client, events=[])
    page = await login_page(app, app.client())
    for element in ("client-logo", "client-policy", "client-tos"):
        assert f'id="{element}"' in page.text
    assert "<script>x" not in page.text


async def test_a_client_that_registered_itself_is_shown_by_its_host_as_unverified(app: SimpleNamespace) -> None:
    client = await app.store.clients.find("app")
    await app.store.clients.replace(msgspec.structs.replace(client, self_registered=True), read=client, events=[])
    page = await login_page(app, app.client())
    assert "<strong>app.example</strong>" in page.text
    assert "not verified" in page.text


async def test_a_wrong_password_is_told_on_the_page_in_the_words_of_an_unknown_name(app: SimpleNamespace) -> None:
    browser = app.client()
    wrong = await app.log_in(browser, await app.visit(browser), password="wrong wrong wrong")
    unknown = await app.log_in(browser, await app.visit(browser), name="nobody")
    for page in (wrong, unknown):
        assert page.status_code == 400
        assert 'role="alert"' in page.text
        assert "wrong_credentials" in page.text
        assert "wrong wrong" not in page.text
        assert "sealring-sso" not in page.headers.get("set-cookie", "")


async def test_an_empty_form_is_asked_for_again(app: SimpleNamespace) -> None:
    browser = app.client()
    page = await app.log_in(browser, await app.visit(browser), password="")
    assert (page.status_code, 'id="login-submit"' in page.text) == (400, True)


async def test_too_many_failures_say_how_long_to_wait(app: SimpleNamespace) -> None:
    browser = app.client()
    for _ in range(11):
        page = await app.log_in(browser, await app.visit(browser), password="wrong wrong wrong")
    assert (page.status_code, "too_many_attempts" in page.text) == (429, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8799.evil.example"},
    ],
)
async def test_a_form_of_another_site_signs_nobody_in(app: SimpleNamespace, headers: dict[str, str]) -> None:
    browser = app.client()
    page = await login_page(app, browser)
    form = {"interaction": page.text.split('value="')[1].split('"')[0], "username": "ada", "password": "x"}
    refused = await browser.post("/login", data=form, headers=headers)
    assert (refused.status_code, "cross_site_form" in refused.text) == (403, True)


async def test_a_form_without_the_browsers_own_interaction_signs_nobody_in(app: SimpleNamespace) -> None:
    """Log-in CSRF: whoever has an interaction of their own cannot plant it in another browser."""
    attacker, victim = app.client(), app.client()
    page = await login_page(app, attacker)
    await app.visit(victim)
    form = {
        "interaction": page.text.split('value="')[1].split('"')[0],
        "username": "bob",
        "password": "correct horse battery staple",
    }
    refused = await victim.post("/login", data=form)
    assert (refused.status_code, "interaction_expired" in refused.text) == (400, True)
    assert (await victim.post("/login", data={"username": "bob", "password": "x"})).status_code == 400


async def test_a_planted_session_cookie_is_not_the_one_that_signs_in(app: SimpleNamespace) -> None:
    """Session fixation: the cookie is new after each log-in."""
    browser = app.client()
    browser.cookies.set("sealring-sso", "A" * 43, domain="localhost.local")
    await app.log_in(browser, await app.visit(browser))
    kept = {cookie.value for cookie in browser.cookies.jar if cookie.name == "sealring-sso"}
    assert any(value != "A" * 43 for value in kept)
    assert await app.store.sso_sessions.list_live("u1", now=app.now, limit=10)


async def test_an_address_without_an_interaction_leads_nowhere(app: SimpleNamespace) -> None:
    for query in ("", "?interaction=", "?interaction=x.y", "?x=y"):
        page = await app.client().get("/login" + query)
        assert (page.status_code, "interaction_expired" in page.text) == (400, True)
