"""A browser before the cookie endpoints: one cookie jar, whose clock and requests the tests hold."""

import asyncio
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest

from sealring.protocol.client import Client, CodeFlow

if TYPE_CHECKING:
    from conftest import OpenSite, Site

PAGE = "https://page.example"
REFRESH, BINDING, DEVICE = "sealring-refresh-jar", "sealring-binding-jar", "sealring-device"


class Page:
    """A page of the client `jar` in a browser: it sends the cookies that it was given, and never sees them."""

    def __init__(self, site: "Site") -> None:
        self.site = site
        self.jar: dict[str, str] = {}
        self.written: list[str] = []

    async def send(self, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        answer = await self.ask(method, path, {"client_id": "jar"} | (body or {}), **headers)
        self.keep(answer)
        return answer

    async def ask(self, method: str, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        named = {"origin": PAGE, "sealring-request": "1", "cookie": self.cookies()}
        named |= {name.replace("_", "-"): value for name, value in headers.items()}
        sent = {name: value for name, value in named.items() if value}
        return await self.site.client().request(method, path, json=body, headers=sent)

    def cookies(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.jar.items())

    def keep(self, answer: httpx.Response) -> None:
        self.written = answer.headers.get_list("set-cookie")
        for line in self.written:
            for name, morsel in SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.jar.pop(name, None)
                else:
                    self.jar[name] = morsel.value

    async def sign_in(self) -> httpx.Response:
        body = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read sessions"}
        return await self.send("POST", "/session", body | {"resource": self.site.opened.house.issuer})

    async def refresh(self, **headers: str) -> httpx.Response:
        return await self.send("POST", "/session/refresh", **headers)


@pytest.fixture
async def page(site: "Site") -> Page:
    made = Page(site)
    assert (await made.sign_in()).status_code == 200
    return made


def code_of(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_log_in_writes_two_cookies_that_no_script_sees_and_the_body_has_no_refresh_token(site: "Site") -> None:
    page = Page(site)
    answer = await page.sign_in()
    assert answer.json().keys() == {"access_token", "token_type", "expires_in", "scope", "sid"}
    assert "slr_" not in answer.text
    assert page.jar.keys() == {REFRESH, BINDING, DEVICE}
    for line in page.written[:2]:
        assert "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" in line
        assert "domain" not in line.lower()
    assert len(page.jar[BINDING]) == 43


async def test_over_tls_the_cookies_are_for_the_host_alone(open_site: "OpenSite") -> None:
    async with open_site("https://id.example.com") as site:
        page = Page(site)
        await page.sign_in()
        assert page.jar.keys() == {f"__Host-{name}" for name in (REFRESH, BINDING, DEVICE)}
        assert all("; Secure" in line and "; Path=/;" in line for line in page.written)
        assert (await page.refresh()).status_code == 200
        # Without the prefix, a neighbour might have set it.
        page.jar = {name.removeprefix("__Host-"): value for name, value in page.jar.items()}
        assert code_of(await page.refresh()) == (400, "refresh_refused")


async def test_a_refresh_rotates_the_cookie_and_leaves_the_binding(page: Page) -> None:
    before = dict(page.jar)
    answer = await page.refresh()
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    assert page.jar[REFRESH] != before[REFRESH]
    assert page.jar[BINDING] == before[BINDING]
    assert [line.partition("=")[0] for line in page.written] == [REFRESH]


async def test_a_laptop_that_slept_an_hour_over_a_lost_answer_stays_signed_in(page: Page) -> None:
    lost = await page.ask("POST", "/session/refresh", {"client_id": "jar"})
    assert lost.status_code == 200
    page.site.pass_time(3600)
    assert (await page.refresh()).status_code == 200
    page.site.pass_time(3600)
    assert (await page.refresh()).status_code == 200


async def test_eleven_lost_answers_in_a_row_end_nothing(page: Page) -> None:
    for _ in range(12):
        assert (await page.ask("POST", "/session/refresh", {"client_id": "jar"})).status_code == 200
        page.site.pass_time(60)
    assert (await page.refresh()).status_code == 200


async def test_ten_tabs_that_wake_at_once_rotate_once_and_live_on(page: Page) -> None:
    answers = await asyncio.gather(*(page.ask("POST", "/session/refresh", {"client_id": "jar"}) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len({answer.headers.get_list("set-cookie")[0] for answer in answers}) == 1
    page.keep(answers[-1])
    assert (await page.refresh()).status_code == 200


async def test_a_tab_four_rotations_behind_gets_the_current_token_and_one_five_behind_is_theft(page: Page) -> None:
    jars = [dict(page.jar)]
    for _ in range(5):
        assert (await page.refresh()).status_code == 200
        jars.append(dict(page.jar))
    page.jar = jars[1]
    assert (await page.refresh()).status_code == 200
    assert page.jar[REFRESH] == jars[-1][REFRESH]
    page.jar = jars[0]
    assert code_of(await page.refresh()) == (400, "refresh_refused")
    page.jar = jars[-1]
    assert code_of(await page.refresh()) == (400, "refresh_refused")


@pytest.mark.parametrize("stolen", [REFRESH, BINDING])
async def test_one_cookie_without_the_other_is_worth_nothing_and_harms_nobody(page: Page, stolen: str) -> None:
    thief = Page(page.site)
    thief.jar = {stolen: page.jar[stolen]}
    assert code_of(await thief.refresh()) == (400, "refresh_refused")
    assert (await thief.send("DELETE", "/session")).status_code == 204
    assert (await page.refresh()).status_code == 200


async def test_the_binding_of_another_log_in_does_not_fit(page: Page) -> None:
    other = Page(page.site)
    await other.sign_in()
    other.jar[REFRESH] = page.jar[REFRESH]
    assert code_of(await other.refresh()) == (400, "refresh_refused")


@pytest.mark.parametrize(
    ("headers", "refusal"),
    [
        ({"origin": ""}, (403, "origin_required")),
        ({"origin": "null"}, (403, "origin_not_registered")),
        ({"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, (403, "origin_not_registered")),
        ({"origin": "https://evil.page.example", "sec_fetch_site": "same-site"}, (403, "origin_not_registered")),
        ({"sealring_request": ""}, (403, "request_header_required")),
        ({"sealring_request": "0"}, (403, "request_header_required")),
        ({"content_type": "text/plain"}, (415, "wrong_content_type")),
        ({"content_type": "application/x-www-form-urlencoded"}, (415, "wrong_content_type")),
    ],
)
async def test_a_forged_request_neither_logs_in_nor_refreshes_nor_logs_out_and_writes_no_cookie(
    page: Page, headers: dict[str, str], refusal: tuple[int, str]
) -> None:
    body = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
    for method, path, members in (
        ("POST", "/session", body),
        ("POST", "/session/refresh", {}),
        ("DELETE", "/session", {}),
    ):
        answer = await page.send(method, path, members, **headers)
        assert code_of(answer) == refusal
        assert page.written == []
    assert (await page.refresh()).status_code == 200


async def test_a_refused_refresh_writes_no_cookie(page: Page) -> None:
    page.jar[REFRESH] = "slr_x"
    assert code_of(await page.refresh()) == (400, "refresh_refused")
    assert page.written == []
    assert code_of(await Page(page.site).refresh()) == (400, "refresh_refused")


async def test_two_cookies_of_one_name_are_refused(page: Page) -> None:
    for cookie in (f"{page.cookies()}; {REFRESH}=tossed", f"{BINDING}=tossed; {page.cookies()}"):
        for method, path in (("POST", "/session/refresh"), ("DELETE", "/session")):
            assert code_of(await page.send(method, path, cookie=cookie)) == (400, "duplicate_cookie")
            assert page.written == []


async def test_a_refresh_token_in_the_body_is_not_taken_and_none_is_given_for_it(page: Page) -> None:
    answer = await page.send("POST", "/session/refresh", {"refresh_token": page.jar[REFRESH]})
    assert code_of(answer) == (400, "invalid_parameter")
    form = {"grant_type": "refresh_token", "refresh_token": page.jar[REFRESH], "client_id": "jar"}
    at_token = await page.site.client().post("/token", data=form, headers={"origin": PAGE, "sealring-request": "1"})
    assert code_of(at_token) == (400, "grant_not_registered")


async def test_a_log_out_ends_the_session_and_clears_the_cookies(page: Page) -> None:
    kept = dict(page.jar)
    assert (await page.send("DELETE", "/session")).status_code == 204
    assert page.jar.keys() == {DEVICE}
    page.jar = kept
    assert code_of(await page.refresh()) == (400, "refresh_refused")


@pytest.mark.parametrize("jar", [{}, {REFRESH: "garbled", BINDING: "garbled"}, {REFRESH: "slr_x"}])
async def test_a_browser_that_is_signed_out_already_may_log_out(site: "Site", jar: dict[str, str]) -> None:
    page = Page(site)
    page.jar = jar
    assert (await page.send("DELETE", "/session")).status_code == 204
    assert page.jar == {}


async def test_each_client_has_cookies_of_its_own(page: Page) -> None:
    jar = await page.site.store.clients.find("jar")
    assert jar is not None
    twin = msgspec.structs.replace(jar, client_id="A.b_c~d-e")
    assert await page.site.store.clients.add(twin, events=[])
    assert code_of(await page.send("POST", "/session/refresh", {"client_id": "A.b_c~d-e"})) == (400, "refresh_refused")
    await page.send(
        "POST",
        "/session",
        {
            "client_id": "A.b_c~d-e",
            "username": "bob",
            "password": "correct horse battery staple",
            "scope": "orders:read",
        },
    )
    assert {"sealring-refresh-A.b_c~d-e", REFRESH} <= page.jar.keys()
    assert (await page.refresh()).json()["sid"] != (
        await page.send("POST", "/session/refresh", {"client_id": "A.b_c~d-e"})
    ).json()["sid"]


async def test_a_changed_password_renews_both_cookies(page: Page) -> None:
    token = (await page.refresh()).json()["access_token"]
    before = dict(page.jar)
    change = {"current_password": "correct horse battery staple", "new_password": "another passphrase nobody guesses"}
    bearer = f"Bearer {token}"
    forged = await page.ask("PUT", "/password", change, authorization=bearer, origin="https://evil.example")
    assert code_of(forged) == (403, "origin_not_registered")
    answer = await page.ask("PUT", "/password", change, authorization=bearer)
    page.keep(answer)
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    assert page.jar[REFRESH] != before[REFRESH]
    assert page.jar[BINDING] != before[BINDING]
    assert (await page.refresh()).status_code == 200
    page.jar = before
    assert code_of(await page.refresh()) == (400, "refresh_refused")


async def test_a_code_becomes_cookies_and_refreshes_by_them(site: "Site") -> None:
    await site.add_app()
    await add_browser_app(site)
    page = Page(site)
    await site.issue_code(client_id="spa", redirect_uri=f"{PAGE}/callback")
    form = {
        "grant_type": "authorization_code",
        "client_id": "spa",
        "code": "code-1",
        "redirect_uri": f"{PAGE}/callback",
        "code_verifier": "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    }
    for headers, refusal in (
        ({}, (403, "origin_required")),
        ({"origin": PAGE}, (403, "request_header_required")),
        ({"origin": "https://evil.example", "sealring-request": "1"}, (403, "origin_not_registered")),
    ):
        refused = await site.client().post("/token", data=form, headers=headers)
        assert code_of(refused) == refusal
        assert "set-cookie" not in refused.headers
    answer = await site.client().post("/token", data=form, headers={"origin": PAGE, "sealring-request": "1"})
    page.keep(answer)
    assert answer.status_code == 200, answer.text
    assert {"access_token", "id_token"} <= answer.json().keys()
    assert "refresh_token" not in answer.json()
    assert page.jar.keys() == {"sealring-refresh-spa", "sealring-binding-spa"}
    assert (await page.send("POST", "/session/refresh", {"client_id": "spa"})).status_code == 200
    # It is no first-party client: people sign in at Sealring's own pages alone.
    password = {"username": "ada", "password": "correct horse battery staple", "scope": "orders:read"}
    assert code_of(await page.send("POST", "/session", password | {"client_id": "spa"})) == (
        403,
        "client_not_first_party",
    )
    assert (await page.send("DELETE", "/session", {"client_id": "spa"})).status_code == 204
    assert page.jar == {}


async def add_browser_app(site: "Site") -> None:
    app = Client(
        client_id="spa",
        name="Browser app",
        type="public",
        allowed={"orders": frozenset({"orders:read"})},
        token_delivery="cookie",
        origins=frozenset({PAGE}),
        code_flow=CodeFlow(redirect_uris=(f"{PAGE}/callback",), id_token_signed_response_alg="ES256"),
        epoch=1,
        created_at=site.now,
    )
    assert await site.store.clients.add(app, events=[])


async def test_credentials_are_for_origins_of_cookie_clients_alone(site: "Site") -> None:
    jar = await site.store.clients.find("jar")
    assert jar is not None
    moved = msgspec.structs.replace(jar, origins=frozenset({"https://jar.example"}))
    assert await site.store.clients.replace(moved, read=jar, events=[])
    for method in ("OPTIONS", "POST"):
        for origin, credentials in (("https://jar.example", "true"), (PAGE, None), ("https://evil.example", None)):
            answer = await site.client().request(method, "/session/refresh", headers={"origin": origin})
            assert answer.headers.get("access-control-allow-credentials") == credentials
            assert answer.headers["vary"] == "Origin"
            allowed = None if "evil" in origin else origin
            assert answer.headers.get("access-control-allow-origin") == allowed
            if method == "OPTIONS" and credentials:
                assert "Sealring-Request" in answer.headers["access-control-allow-headers"]
                assert "DELETE" not in answer.headers["access-control-allow-methods"]


@pytest.mark.parametrize("cookie", [";", "=", "\x7f", "sealring-refresh-jar", "sealring-refresh-jar=" + "x" * 8000])
async def test_no_cookie_is_an_error_of_ours(site: "Site", cookie: str) -> None:
    assert code_of(await Page(site).refresh(cookie=cookie)) == (400, "refresh_refused")
