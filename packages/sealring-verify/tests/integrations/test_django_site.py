"""What Django makes of sign-ins and sessions; tests/journeys/test_classic_site.py goes the whole way by real pages."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.test.utils import override_settings
from django.urls import path, re_path
from django.views.decorators.cache import cache_page

from sealring_verify.integrations import django_site

if TYPE_CHECKING:
    from conftest import SessionIssuer, Site

NOT_BELOW = ["/admin/"]


class Staff:
    """A user of Django's own."""

    is_authenticated = True

    def __str__(self) -> str:
        return "staff"


def around(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Stand for AuthenticationMiddleware, then Sealring's, then one of the site's own that looks at the user."""

    def looking(request: HttpRequest) -> HttpResponse:
        if request.path == "/looked-at":
            str(request.user)
        return get_response(request)

    from django.core.handlers.exception import convert_exception_to_response

    inner = django_site.SealringMiddleware(convert_exception_to_response(looking))

    def with_own_users(request: HttpRequest) -> HttpResponse:
        request.user = Staff()  # type: ignore[assignment] # as AuthenticationMiddleware does
        return inner(request)

    # Django looks for it on what `around` gives.
    with_own_users.process_exception = inner.process_exception  # type: ignore[attr-defined] # as above
    return with_own_users


def whoever(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{request.user} {request.user}")


@pytest.fixture
def browser(site: "Site", session_issuer: "SessionIssuer") -> Iterator[httpx.Client]:
    views: list[Any] = [
        path("open", lambda _request: HttpResponse("open")),
        path("whoever", whoever),
        path("looked-at", whoever),
        path("admin/", whoever),
        path("admin/orders", django_site.login_required(whoever)),
        path("cached", cache_page(60)(django_site.login_required(whoever))),
        *django_site.urlpatterns,
        re_path("", django_site.login_required(whoever)),
    ]
    with override_settings(SEALRING_LOGIN={**session_issuer.said, "not_below": NOT_BELOW}):
        django_site.site.cache_clear()
        site.open(*views, middleware=around)
        yield site.browser()
    django_site.site.cache_clear()


@pytest.mark.parametrize("address", ["/orders?of=2026", "/a%20b?q=%C3%A9&x=%26", "/a%2520b", "/a%3Fb%23c"])
def test_a_person_comes_back_to_the_very_address(
    browser: httpx.Client, session_issuer: "SessionIssuer", address: str
) -> None:
    answer = browser.get(address)
    assert answer.status_code == 303
    assert session_issuer.return_to(answer.headers["Set-Cookie"]) == address


@pytest.mark.parametrize("fetch_mode", ["no-cors", "cors", "same-origin"])
def test_what_is_no_page_load_is_refused_and_leaves_no_cookie(browser: httpx.Client, fetch_mode: str) -> None:
    for answer in (browser.get("/orders", headers={"Sec-Fetch-Mode": fetch_mode}), browser.post("/orders")):
        assert answer.status_code == 401
        assert "Set-Cookie" not in answer.headers


def test_the_issuer_is_asked_once_a_request_and_only_where_somebody_looks(
    browser: httpx.Client, session_issuer: "SessionIssuer"
) -> None:
    headers = {"Cookie": session_issuer.cookie()}
    assert browser.get("/open", headers=headers).text == "open"
    assert session_issuer.asked == 0
    assert browser.get("/looked-at", headers=headers).text == "Ada Ada"
    assert session_issuer.asked == 1
    session_issuer.lives = False
    assert browser.get("/orders", headers=headers).status_code == 303


def test_a_middleware_that_looks_while_the_issuer_cannot_be_asked_gets_a_503(
    browser: httpx.Client, session_issuer: "SessionIssuer"
) -> None:
    session_issuer.lives = None
    answer = browser.get("/looked-at", headers={"Cookie": session_issuer.cookie()})
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
    assert "issuer_unavailable" in answer.text


def test_a_page_for_one_person_is_kept_for_nobody_else(browser: httpx.Client, session_issuer: "SessionIssuer") -> None:
    headers = {"Cookie": session_issuer.cookie()}
    for address in ("/orders", "/whoever", "/cached"):
        answer = browser.get(address, headers=headers)
        assert (answer.headers["Cache-Control"].split(", ")[-1], answer.headers["Vary"]) == ("no-cache", "Cookie")
    session_issuer.lives = False
    assert browser.get("/cached", headers=headers).status_code == 303
    assert "Vary" not in browser.get("/open").headers


def test_djangos_own_users_stay_where_they_were_told_to_and_pass_no_view_of_ours(browser: httpx.Client) -> None:
    assert browser.get("/admin/").text == "staff staff"
    assert browser.get("/admin/orders").status_code == 303
    assert browser.get("/whoever").text == "nobody nobody"


def test_a_long_or_broken_return_is_refused_without_an_echo(browser: httpx.Client) -> None:
    for query in ("code=" + "x" * 60_000, "state=" + "x" * 60_000, "code=%FF%ED%A0%80&state=%ED%A0%80"):
        answer = browser.get(httpx.URL("/.sealring/callback", query=query.encode()))
        assert (answer.status_code, len(answer.content) < 1000) == (400, True)
        assert "xxx" not in answer.text


def test_a_setting_that_does_not_exist_is_refused_at_the_start(session_issuer: "SessionIssuer") -> None:
    assert settings.configured
    with override_settings(SEALRING_LOGIN={**session_issuer.said, "scopes": "openid"}):
        django_site.site.cache_clear()
        with pytest.raises(ValueError, match="scopes"):
            django_site.SealringMiddleware(lambda _request: HttpResponse())
    django_site.site.cache_clear()
