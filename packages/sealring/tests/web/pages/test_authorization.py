import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import httpx
import msgspec
import pytest

CALLBACK = "https://app.example/callback"
DOUBLED = ("response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "prompt", "max_age")
DOUBLED += ("claims", "display")


async def change_client(site: SimpleNamespace, **changes: object) -> None:
    app = await site.store.clients.find("app")
    assert await site.store.clients.replace(msgspec.structs.replace(app, **changes), read=app, events=[])


def shown(answer: httpx.Response) -> str:
    """Read the code of an error page, which stays at the endpoint's own address."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "location" not in answer.headers
    assert 'id="oauth-error"' in answer.text
    return re.findall(r"<code>(\w+)</code>", answer.text)[1]


async def test_a_person_signs_in_allows_and_the_client_gets_a_code(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await person.authorize()
    await person.sign_in()
    await person.decide()
    told = person.told()
    assert told.keys() == {"code", "iss", "state"}
    assert (told["iss"], told["state"]) == (site.opened.house.issuer, "the-state")
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", told["code"])
    answer = await site.redeem_code(told["code"])
    assert answer.status_code == 200
    assert answer.json()["scope"] == "openid"


async def test_a_silent_request_succeeds_once_somebody_has_signed_in_and_allowed_it(person: SimpleNamespace) -> None:
    assert (await person.arrive(prompt="none"))["error"] == "login_required"
    await person.arrive()
    assert "code" in await person.arrive(prompt="none")
    assert (await person.arrive(prompt="none", scope="openid email"))["error"] == "consent_required"


async def test_a_code_is_good_for_a_minute_and_once(site: SimpleNamespace, person: SimpleNamespace) -> None:
    code = (await person.arrive())["code"]
    site.pass_time(60)
    assert (await site.redeem_code(code)).json()["error"] == "invalid_grant"
    code = (await person.arrive())["code"]
    site.pass_time(59)
    assert (await site.redeem_code(code)).status_code == 200
    assert (await site.redeem_code(code)).status_code == 400


async def test_a_log_in_is_demanded_again_by_prompt_and_by_age(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.arrive()
    site.pass_time(10)
    for changes in ({"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "5"}, {"max_age": "0"}):
        await person.authorize(**changes)
        assert 'id="login-page"' in person.page.text
        await person.sign_in()
        assert "code" in person.told()
        site.pass_time(10)
    assert "code" in await person.arrive(max_age="10000")


async def test_consent_is_demanded_again_by_prompt(person: SimpleNamespace) -> None:
    await person.arrive()
    assert 'id="consent-page"' in (await person.authorize(prompt="consent")).text


async def test_a_request_by_form_is_asked_for_again_by_get(person: SimpleNamespace) -> None:
    await person.arrive()
    from_another_site = {"origin": "https://app.example", "sec-fetch-site": "cross-site"}
    fields = {"client_id": "app", "redirect_uri": CALLBACK, "response_type": "token", "state": "a b&c=d"}
    answer = await person.http.post("/authorize", data=fields, headers=from_another_site)
    assert answer.status_code == 303
    await person.open(answer.headers["location"])
    assert person.told()["error"] == "unsupported_response_type"
    assert person.told()["state"] == "a b&c=d"
    assert shown(await person.http.post("/authorize", json=fields)) == "wrong_content_type"


async def test_the_answer_comes_by_form_where_that_is_asked_for(site: SimpleNamespace, person: SimpleNamespace) -> None:
    state = '"><script>alert(1)</script>'
    await person.authorize(response_mode="form_post", state=state)
    await person.sign_in()
    page = await person.decide()
    assert page.status_code == 200
    assert f'action="{CALLBACK}"' in page.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))
    assert unescape(fields["state"]) == state
    assert "<script>alert" not in page.text
    assert (await site.redeem_code(fields["code"])).status_code == 200
    assert "form-action 'self' https://app.example;" in page.headers["content-security-policy"]
    denied = await person.authorize(response_mode="form_post", prompt="none", max_age="0")
    assert 'name="error" value="login_required"' in denied.text


async def test_whoever_says_no_is_taken_at_their_word(person: SimpleNamespace) -> None:
    await person.authorize()
    await person.sign_in()
    await person.decide("deny")
    assert person.told().keys() == {"error", "error_description", "iss", "state"}
    assert person.told()["error"] == "access_denied"
    assert (await person.arrive(prompt="none"))["error"] == "consent_required"


async def test_nobody_is_asked_about_a_client_that_the_operator_vouches_for(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await change_client(site, first_party=True)
    await person.authorize()
    await person.sign_in()
    assert "code" in person.told()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"client_id": None}, "missing_parameter"),
        ({"client_id": "nobody"}, "client_not_registered"),
        ({"client_id": "shop"}, "client_not_registered"),  # no client of the code flow
        ({"client_id": "a\x00b"}, "client_not_registered"),
        ({"client_id": ["app", "app"]}, "duplicate_parameter"),
        ({"client_id": ["app", "evil"]}, "duplicate_parameter"),
        ({"redirect_uri": None}, "missing_parameter"),
        ({"redirect_uri": [CALLBACK, CALLBACK]}, "duplicate_parameter"),
        ({"redirect_uri": "https://evil.example/"}, "redirect_uri_not_registered"),
        ({"redirect_uri": CALLBACK + "/../evil"}, "redirect_uri_not_registered"),
        ({"redirect_uri": "https://app.example@evil.example/callback"}, "redirect_uri_not_registered"),
        ({"redirect_uri": "https://app.example\\.evil.example/callback"}, "redirect_uri_not_registered"),
        ({"redirect_uri": CALLBACK.upper()}, "redirect_uri_not_registered"),
        ({"redirect_uri": "https://app.example%2fcallback"}, "redirect_uri_not_registered"),
        ({"redirect_uri": CALLBACK + "\r\nset-cookie: x=y"}, "redirect_uri_not_registered"),
        ({"state": "x" * 6000}, "request_too_long"),
    ],
)
async def test_until_client_and_redirect_uri_fit_nothing_is_redirected(
    person: SimpleNamespace, changes: dict[str, Any], code: str
) -> None:
    answer = await person.authorize(**changes)
    assert answer.status_code == 400
    assert shown(answer) == code


@pytest.mark.parametrize("name", DOUBLED)
@pytest.mark.parametrize("value", [["a", "b"], "\x00\x1f\n", "", "é" * 300])
async def test_every_other_parameter_in_turn_is_answered_by_redirect_or_page(
    person: SimpleNamespace, name: str, value: str | list[str]
) -> None:
    answer = await person.authorize(**{name: value})
    if answer.status_code == 303:
        told = person.told()
        assert told["iss"] == person.site.opened.house.issuer
        assert told["error_description"].isascii()
        assert told.get("state", "the-state") == "the-state"
    else:
        assert 'id="login-page"' in answer.text


async def test_what_is_far_too_long_is_refused_in_the_address_and_in_the_body(person: SimpleNamespace) -> None:
    assert shown(await person.authorize(claims="x" * 50_000)) == "request_too_long"
    posted = await person.http.post("/authorize", data={"claims": "x" * 1_000_000})
    assert posted.status_code == 413


async def test_a_client_that_registered_itself_sends_nobody_anywhere_before_they_acted(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await change_client(site, self_registered=True)
    assert shown(await person.authorize(response_type="token")) == "unsupported_response_type"
    assert shown(await person.authorize(scope="admin")) == "invalid_scope"
    assert shown(await person.authorize(id_token_hint="a.b.c")) == "invalid_id_token_hint"
    # A silent request has no other end (RFC 9700 §4.11.2).
    assert (await person.arrive(prompt="none"))["error"] == "login_required"
    await person.authorize()
    assert "not verified" in person.page.text
    assert "app.example" in person.page.text
    await person.sign_in()
    await person.decide("deny")
    assert person.told()["error"] == "access_denied"


async def test_a_client_that_registered_itself_is_asked_about_twice(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await change_client(site, self_registered=True)
    await person.arrive()
    await person.authorize()
    await person.decide()
    assert "code" in person.told()
    assert "code" in await person.arrive(prompt="none")


async def test_an_id_token_names_the_person_also_when_it_has_expired(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    tokens = (await site.redeem_code((await person.arrive())["code"])).json()
    site.pass_time(4000)
    assert "code" in await person.arrive(prompt="none", id_token_hint=tokens["id_token"])
    another = person.another()
    assert (await another.arrive(prompt="none", id_token_hint=tokens["id_token"]))["error"] == "login_required"
    await another.authorize(id_token_hint=tokens["id_token"])
    await another.sign_in("bob")
    assert another.told()["error"] == "login_required"
    # An access token is no ID token, and a token with another signature is nobody's.
    for forged in (tokens["access_token"], tokens["id_token"][:-4] + "AAAA", "x" * 3000):
        assert (await person.arrive(prompt="none", id_token_hint=forged))["error"] == "invalid_request"


async def test_ending_a_browser_session_ends_what_was_silent(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.arrive()
    await site.store.users.set_disabled("u1", disabled=True, now=site.now, events=[])
    assert (await person.arrive(prompt="none"))["error"] == "login_required"


async def test_a_browser_stays_signed_in_while_it_is_used_and_at_all(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    await person.arrive()
    for _ in range(59):  # 59 times 12 hours, under the 30 days
        site.pass_time(12 * 3600 - 1)
        assert "code" in await person.arrive(prompt="none")
    site.pass_time(12 * 3600)
    assert (await person.arrive(prompt="none"))["error"] == "login_required"


async def test_a_request_without_openid_is_plain_oauth(site: SimpleNamespace, person: SimpleNamespace) -> None:
    answer = (await site.redeem_code((await person.arrive(scope="orders:read"))["code"])).json()
    assert answer["scope"] == "orders:read"
    assert "id_token" not in answer


async def test_a_store_that_was_rolled_back_grants_nothing(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.arrive()
    site.opened.house.readiness.halted = True
    assert shown(await person.authorize()) == "store_rolled_back"


async def test_several_tabs_of_one_browser_share_its_cookie(person: SimpleNamespace) -> None:
    await person.authorize(state="first")
    first = person.page
    assert "set-cookie" not in (await person.http.get(str(first.request.url))).headers
    await person.authorize(state="second")
    person.page = first
    await person.sign_in()
    await person.decide()
    assert person.told()["state"] == "first"


async def test_who_is_signed_in_is_so_for_every_client(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.arrive()
    app = await site.store.clients.find("app")
    assert await site.store.clients.add(msgspec.structs.replace(app, client_id="other-app"), events=[])
    await person.authorize(client_id="other-app")
    await person.decide()
    assert "code" in person.told()
