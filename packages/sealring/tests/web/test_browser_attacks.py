"""What is tried against people who sign in: each attack under its name (SECURITY D1, D3, D6, E1-E3)."""

import re
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import httpx
import msgspec
import pytest

CALLBACK = "https://app.example/callback"
SCRIPT = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


async def change_client(site: SimpleNamespace, **changes: object) -> None:
    app = await site.store.clients.find("app")
    assert await site.store.clients.replace(msgspec.structs.replace(app, **changes), read=app, events=[])


def interaction_of(page: httpx.Response) -> str:
    return re.findall(r'name="interaction" value="([^"]+)"', page.text)[0]


async def test_mix_up_every_answer_names_its_issuer(site: SimpleNamespace, person: SimpleNamespace) -> None:
    issuer = site.opened.house.issuer
    assert (await person.arrive(prompt="none"))["iss"] == issuer
    assert (await person.arrive(response_type="token"))["iss"] == issuer
    assert (await person.arrive())["iss"] == issuer


async def test_code_injection_a_code_is_worth_nothing_under_another_verifier(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    code = (await person.arrive())["code"]
    assert (await site.redeem_code(code, code_verifier="x" * 43)).json()["error"] == "invalid_grant"
    assert (await site.redeem_code(code, code_verifier=None)).json()["error"] == "invalid_grant"


async def test_pkce_downgrade_no_challenge_and_no_plain_one(person: SimpleNamespace) -> None:
    for changes in (
        {"code_challenge": None, "code_challenge_method": None},
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
    ):
        assert (await person.arrive(**changes))["error"] == "invalid_request"


async def test_pkce_downgrade_a_verifier_without_a_challenge_is_refused(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    app = await site.store.clients.find("app")
    await change_client(site, code_flow=msgspec.structs.replace(app.code_flow, require_pkce=False))
    code = (await person.arrive(code_challenge=None, code_challenge_method=None))["code"]
    assert (await site.redeem_code(code)).json()["error"] == "invalid_grant"


@pytest.mark.parametrize("path", ["/login", "/consent", "/authorize"])
async def test_clickjacking_no_page_sits_in_a_frame(person: SimpleNamespace, path: str) -> None:
    if path == "/login":
        page = await person.authorize()
    elif path == "/consent":
        await person.authorize()
        page = await person.sign_in()
    else:
        page = await person.authorize(client_id="nobody")
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert page.headers["cross-origin-opener-policy"] == "same-origin"
    assert page.headers["cache-control"] == "no-store"


async def test_open_redirect_no_part_of_a_request_leads_elsewhere(person: SimpleNamespace) -> None:
    for changes in (
        {"redirect_uri": "https://evil.example/"},
        {"redirect_uri": "//evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"interaction": "https://evil.example/"},
    ):
        answer = await person.authorize(**changes)
        assert "evil.example" not in answer.headers.get("location", "")
    for query in ("interaction=https://evil.example/", "interaction=", "interaction=x.y&redirect_uri=//evil"):
        for path in ("/authorize", "/login", "/consent"):
            answer = await person.http.get(f"{path}?{query}")
            assert answer.status_code == 400
            assert 'id="oauth-error"' in answer.text


async def test_a_redirect_tells_nobody_where_it_came_from_and_is_not_kept(person: SimpleNamespace) -> None:
    await person.arrive()
    for answer in (person.page, await person.http.get("/authorize", params={"client_id": "app"})):
        assert answer.headers["cache-control"] == "no-store"
    assert person.page.headers["referrer-policy"] == "no-referrer"


async def test_log_in_csrf_another_browsers_form_signs_nobody_in(person: SimpleNamespace) -> None:
    """The attacker begins a request of their own, and lets the victim's browser send its form."""
    attacker = person.another()
    await attacker.authorize()
    planted = {
        "interaction": interaction_of(attacker.page),
        "username": "bob",
        "password": "correct horse battery staple",
    }
    await person.authorize()  # the victim's browser has an interaction cookie of its own
    for browser in (person, person.another()):
        answer = await browser.http.post("/login", data=planted)
        assert "interaction_expired" in answer.text
        assert "set-cookie" not in answer.headers
    for missing in ({}, {"interaction": ""}, {"interaction": "x"}):
        answer = await person.http.post("/login", data={**planted, **missing} if missing else {"username": "bob"})
        assert "interaction_expired" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:8799.evil.example"},
        {"origin": "http://localhost"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "cross-site", "origin": "http://localhost:8799"},
    ],
)
async def test_log_in_csrf_and_consent_csrf_another_sites_form_is_refused(
    person: SimpleNamespace, headers: dict[str, str]
) -> None:
    await person.authorize()
    refused = await person.submit("/login", headers, username="ada", password="correct horse battery staple")
    assert refused.status_code == 403
    assert "cross_site_form" in refused.text
    await person.authorize()
    await person.sign_in()
    refused = await person.submit("/consent", headers, decision="allow")
    assert refused.status_code == 403
    assert "location" not in refused.headers


async def test_consent_csrf_nobody_allows_for_somebody_else(site: SimpleNamespace, person: SimpleNamespace) -> None:
    attacker = person.another()
    await attacker.authorize()
    await attacker.sign_in("bob")
    await person.authorize()
    await person.sign_in()
    forms = [{"interaction": interaction_of(attacker.page), "decision": "allow"}, {"decision": "allow"}]
    for form in forms:
        answer = await person.http.post("/consent", data=form)
        assert "interaction_expired" in answer.text
    assert await site.store.consents.find("u1", "app", CALLBACK) is None


async def test_consent_by_address_alone_allows_nothing(person: SimpleNamespace) -> None:
    await person.authorize()
    await person.sign_in()
    answer = await person.http.get("/consent", params={"interaction": interaction_of(person.page), "decision": "allow"})
    assert answer.status_code in {200, 400}
    assert "location" not in answer.headers


async def test_a_consent_page_without_a_session_asks_nobody(person: SimpleNamespace) -> None:
    await person.authorize()
    await person.sign_in()
    interaction = interaction_of(person.page)
    del person.http.cookies["sealring-sso"]
    for answer in (
        await person.http.post("/consent", data={"interaction": interaction, "decision": "allow"}),
        await person.http.get(f"/consent?interaction={interaction}"),
    ):
        assert answer.status_code == 303
        assert urlsplit(answer.headers["location"]).path == "/authorize"


async def test_session_fixation_a_planted_cookie_is_nobodys_after_the_log_in(person: SimpleNamespace) -> None:
    """The attacker gives the victim's browser their own session, and waits for the victim to sign in under it."""
    attacker = person.another()
    await attacker.authorize()
    await attacker.sign_in("bob")
    await attacker.decide()
    planted = attacker.http.cookies["sealring-sso"]
    person.http.cookies.set("sealring-sso", planted, domain="localhost.local", path="/")
    await person.authorize(prompt="login")
    await person.sign_in()
    assert "<strong>ada</strong>" in person.page.text
    # The attacker's session is still bob's alone.
    await attacker.authorize(prompt="consent")
    assert "<strong>bob</strong>" in attacker.page.text


async def test_cookie_tossing_two_cookies_of_one_name_open_nothing(person: SimpleNamespace) -> None:
    await person.arrive()
    own = person.http.cookies["sealring-sso"]
    for path in ("/authorize?client_id=app", "/login", "/consent"):
        for header in (f"sealring-sso=planted; sealring-sso={own}", f'sealring-sso="x y"; sealring-sso={own}'):
            answer = await person.site.client().get(path, headers={"cookie": header})
            assert answer.status_code == 400
            assert "duplicate_cookie" in answer.text


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:8799.evil.example", "localhost", "LOCALHOST:8799@evil", ""]
)
async def test_host_tricks_no_address_is_built_from_what_the_browser_says(person: SimpleNamespace, host: str) -> None:
    answer = await person.http.get("/authorize", params={"client_id": "app"}, headers={"host": host})
    assert answer.status_code == 421
    assert "evil" not in answer.text
    await person.authorize()
    forwarded = {"x-forwarded-host": "evil.example", "x-forwarded-proto": "https", "forwarded": "host=evil.example"}
    answer = await person.http.get("/authorize", params={"client_id": "nobody"}, headers=forwarded)
    assert "evil.example" not in answer.text


async def test_xss_nothing_that_a_stranger_wrote_becomes_markup(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await change_client(site, name=SCRIPT, self_registered=False)
    pages = [
        await person.authorize(login_hint=SCRIPT, state=SCRIPT, nonce=SCRIPT, ui_locales=SCRIPT),
        await person.sign_in(SCRIPT, "wrong, quite wrong"),
        await person.authorize(client_id=SCRIPT),
        await person.authorize(redirect_uri=SCRIPT),
    ]
    await person.authorize()
    pages.append(await person.sign_in())
    await change_client(site, self_registered=True)
    pages.append(await person.authorize(scope=SCRIPT))
    for page in pages:
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert "<script>alert" not in page.text
        assert "<img" not in page.text
        assert "'unsafe" not in page.headers["content-security-policy"]


async def test_xss_an_error_description_holds_no_text_of_a_stranger(person: SimpleNamespace) -> None:
    for name in ("scope", "prompt", "max_age", "claims", "response_type", "response_mode", "resource"):
        told = await person.arrive(**{name: SCRIPT})
        assert "script" not in told["error_description"]


async def test_a_link_of_a_client_is_a_web_address_or_none(site: SimpleNamespace, person: SimpleNamespace) -> None:
    app = await site.store.clients.find("app")
    pages = msgspec.structs.replace(app.pages, policy_uri="javascript:alert(1)", tos_uri="https://app.example/tos")
    await change_client(site, pages=pages)
    page = await person.authorize()
    assert "javascript:" not in page.text
    assert 'href="https://app.example/tos"' in page.text


async def test_a_stolen_address_of_a_page_is_worth_nothing_elsewhere(person: SimpleNamespace) -> None:
    await person.http.get("/authorize", params={})
    await person.authorize()
    address = str(person.page.url)
    assert parse_qs(urlsplit(address).query).keys() == {"interaction"}
    thief = person.another()
    assert "interaction_expired" in (await thief.open(address)).text


async def test_a_password_change_ends_what_was_proven_by_the_old_one(
    site: SimpleNamespace, person: SimpleNamespace
) -> None:
    code = (await person.arrive())["code"]
    await site.store.users.set_password("u1", password_hash="x", proven_epoch=None, keep=None, now=site.now, events=[])
    assert (await person.arrive(prompt="none"))["error"] == "login_required"
    assert (await site.redeem_code(code)).json()["error"] == "invalid_grant"


async def test_an_answer_counts_for_the_person_who_was_asked(site: SimpleNamespace, person: SimpleNamespace) -> None:
    """Somebody else signs in in another tab before the first one is answered."""
    await person.authorize()
    asked = await person.sign_in()
    await person.authorize(prompt="login")
    await person.sign_in("bob")
    person.page = asked
    again = await person.decide()
    assert 'id="consent-page"' in again.text
    assert "<strong>bob</strong>" in again.text
    assert await site.store.consents.list_of("u2") == ()


async def test_an_answer_counts_for_the_client_that_was_shown(site: SimpleNamespace, person: SimpleNamespace) -> None:
    await person.authorize()
    await person.sign_in()
    await change_client(site, name="Your bank")
    again = await person.decide()
    assert "Your bank" in again.text
    await person.decide()
    assert "code" in person.told()
