import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

from sealring.protocol.client import ClientPages

PASSWORD = "correct horse battery staple"


def alert(answer: httpx.Response) -> str:
    found = re.search(r'id="login-error" role="alert"[^>]*>(.*?)</p>', answer.text, re.DOTALL)
    assert found, answer.text
    return found[1]


async def test_the_page_has_what_a_person_and_a_password_manager_need(person: SimpleNamespace) -> None:
    page = (await person.authorize(login_hint="ada@home.example")).text
    for mark in ('id="login-page"', 'id="login-submit"', 'for="username"', 'for="password"'):
        assert mark in page
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page
    assert 'value="ada@home.example"' in page
    assert "<script" not in page


async def test_the_page_shows_who_sent_the_person(site: SimpleNamespace, person: SimpleNamespace) -> None:
    app = await site.store.clients.find("app")
    pages = ClientPages(
        logo_uri="https://app.example/logo.png", policy_uri="https://app.example/p", tos_uri="https://app.example/t"
    )
    assert await site.store.clients.replace(msgspec.structs.replace(app, pages=pages), read=app, events=[])
    page = (await person.authorize()).text
    assert "App" in page
    assert "app.example" in page
    for name in ("client-policy", "client-tos"):
        assert re.search(rf'<a id="{name}" href="https://app.example/[^"]+" rel="noopener noreferrer"', page)
    # Nothing is fetched from anywhere else: who signs in is nobody's business.
    assert re.findall(r'<img id="client-logo" src="([^"]+)"', page) == ["http://localhost:8799/client-logo/app"]
    assert page.count("<img") == 1


async def test_a_wrong_password_and_an_unknown_name_get_the_same_words(person: SimpleNamespace) -> None:
    await person.authorize()
    wrong = await person.sign_in(password="not this one at all")
    words = alert(wrong)
    assert "wrong_credentials" in words
    assert 'value="ada"' in wrong.text
    assert 'aria-describedby="login-error"' in wrong.text
    assert "not this one" not in wrong.text
    unknown = await person.sign_in("nobody", "not this one at all")
    assert alert(unknown) == words
    assert unknown.status_code == wrong.status_code
    assert 'id="consent-page"' in (await person.sign_in()).text


@pytest.mark.parametrize("fields", [{"username": "ada"}, {"password": PASSWORD}, {"username": "", "password": ""}])
async def test_a_form_that_is_half_empty_is_shown_again(person: SimpleNamespace, fields: dict[str, str]) -> None:
    await person.authorize()
    assert "wrong_credentials" in alert(await person.submit("/login", **fields))


async def test_a_disabled_account_is_told_only_to_who_knows_the_password(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await site.store.users.set_disabled("u1", disabled=True, now=site.now, events=[])
    await person.authorize()
    assert "wrong_credentials" in alert(await person.sign_in(password="not this one at all"))
    assert "account_disabled" in alert(await person.sign_in())


async def test_guessing_is_limited(person: SimpleNamespace) -> None:
    await person.authorize()
    for _ in range(10):
        await person.sign_in(password="not this one at all")
    answer = await person.sign_in()
    assert answer.status_code == 429
    assert "too_many_attempts" in alert(answer)


async def test_a_known_device_keeps_its_place_while_others_guess(person: SimpleNamespace) -> None:
    await person.arrive()
    guesser = person.another()
    await guesser.authorize()
    for _ in range(11):
        await guesser.sign_in(password="not this one at all")
    await person.authorize(prompt="login")
    await person.sign_in()
    assert "code" in person.told()


async def test_a_log_in_is_recorded_done_or_refused(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.authorize()
    await person.sign_in(password="not this one at all")
    await person.sign_in()
    await person.decide()
    done, refused = [event for event in await site.events() if event.event == "sign_in"][::-1][:2]
    assert (refused.outcome, refused.code, refused.sub, refused.personal["name"]) == (
        "refused",
        "wrong_credentials",
        None,
        "ada",
    )
    assert (done.outcome, done.sub, done.client_id) == ("done", "u1", "app")
    assert "consent_given" in [event.event for event in await site.events()]


async def test_the_cookie_is_another_after_each_log_in(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.arrive()
    before = person.http.cookies["sealring-sso"]
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", before)
    await person.arrive(prompt="login")
    assert person.http.cookies["sealring-sso"] != before
    # It is the same session, and the cookie from before opens nothing.
    thief = person.another()
    thief.http.cookies.set("sealring-sso", before)
    assert (await thief.arrive(prompt="none"))["error"] == "login_required"
    assert len(await site.store.sso_sessions.list_live("u1", now=site.now, limit=10)) == 2  # and the one of add_app


async def test_another_person_in_the_same_browser_has_a_session_of_their_own(person: SimpleNamespace) -> None:
    await person.arrive()
    await person.authorize(prompt="login")
    await person.sign_in("bob")
    assert "bob" in person.page.text
    await person.decide()
    assert "code" in person.told()


async def test_a_page_that_waited_too_long_says_so(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.authorize()
    site.pass_time(600)
    assert "interaction_expired" in (await person.sign_in()).text


async def test_cookies_over_tls_are_bound_to_the_host(open_site: Callable[..., Any]) -> None:
    async with open_site("https://auth.example") as site:
        await site.add_app()
        answer = await site.client().get("/authorize?client_id=app&redirect_uri=https://app.example/callback")
        assert answer.status_code == 303  # a fault: nothing is set
        assert "set-cookie" not in answer.headers
        query = "client_id=app&redirect_uri=https://app.example/callback&response_type=code&scope=openid"
        query += "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256"
        async with site.client() as browser:
            kept = [(await browser.get(f"/authorize?{query}")).headers["set-cookie"]]
            page = await browser.get(f"/authorize?{query}", follow_redirects=True)
            interaction = re.findall(r'name="interaction" value="([^"]+)"', page.text)[0]
            fields = {"interaction": interaction, "username": "ada", "password": PASSWORD}
            kept += (await browser.post("/login", data=fields)).headers.get_list("set-cookie")
        assert [cookie.partition("=")[0] for cookie in kept] == [
            "__Host-sealring-interaction",
            "__Host-sealring-sso",
            "__Host-sealring-device",
        ]
        for cookie in kept:
            assert "; Path=/; HttpOnly; SameSite=Lax; Secure" in cookie
            assert "domain" not in cookie.lower()


async def test_whoever_is_signed_in_goes_on_without_a_password_where_an_account_is_to_be_chosen(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await person.arrive()
    site.pass_time(10)
    page = await person.authorize(prompt="select_account")
    assert 'id="login-continue"' in page.text
    assert "Continue as ada" in page.text
    await person.submit("/login", act="continue")
    assert "code" in person.told()
    await person.authorize(prompt="select_account consent")
    await person.submit("/login", act="continue")
    await person.decide()
    assert "code" in person.told()


async def test_another_account_is_chosen_by_its_password(person: SimpleNamespace) -> None:
    await person.arrive()
    await person.authorize(prompt="select_account")
    await person.sign_in("bob")
    await person.decide()
    assert "code" in person.told()
    assert "bob" in (await person.open("/account")).text


@pytest.mark.parametrize("prompt", ["login", "login select_account", None])
async def test_to_go_on_is_offered_and_taken_only_where_a_choice_is_all_that_is_asked(
    site: SimpleNamespace, person: SimpleNamespace, prompt: str | None
) -> None:
    await person.arrive()
    site.pass_time(10)
    page = await person.authorize(prompt=prompt, max_age=None if prompt else "0")
    assert 'id="login-continue"' not in page.text
    again = await person.submit("/login", act="continue")
    assert 'id="login-page"' in again.text


async def test_a_choice_is_of_one_session(person: SimpleNamespace) -> None:
    await person.arrive()
    chosen = await person.authorize(prompt="select_account consent")
    await person.submit("/login", act="continue")
    interaction = re.search(r'name="interaction" value="([^"]+)"', person.page.text)
    assert interaction
    person.page = chosen
    await person.sign_in("bob")
    page = await person.open(f"/authorize?interaction={interaction[1]}")
    # Bob is signed in since this request began; he, too, is asked.
    assert "bob" in page.text


async def test_nobody_signed_in_chooses_by_signing_in(person: SimpleNamespace) -> None:
    page = await person.authorize(prompt="select_account")
    assert 'id="login-continue"' not in page.text
    again = await person.submit("/login", act="continue")
    assert 'id="login-page"' in again.text
    await person.sign_in()
    assert 'id="consent-page"' in person.page.text
