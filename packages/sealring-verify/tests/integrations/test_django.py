import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, include, path, re_path
from django.utils.decorators import method_decorator
from django.views import View

from sealring_verify.integrations.django import Verifier, access_token, token_not_required, unprotected_routes

if TYPE_CHECKING:
    from conftest import Case, LocalFeed, LocalIssuer, Site


def _door(issuer: "LocalIssuer", **options: Any) -> Verifier:  # noqa: ANN401 - passed on as they come
    return Verifier(issuer.url, "orders", realm="orders", resource="https://api.example.com/orders", **options)


def _subject(request: HttpRequest) -> JsonResponse:
    return JsonResponse({"sub": access_token(request).sub})


async def _subject_async(request: HttpRequest) -> JsonResponse:
    await asyncio.sleep(0)
    return JsonResponse({"sub": access_token(request).sub})


def _well(_request: HttpRequest) -> HttpResponse:
    return HttpResponse("well")


def _of_functions(verifier: Verifier, view: Callable[..., Any]) -> list[URLPattern]:
    read = verifier.require("orders:read")(view)
    write = verifier.require("orders:read", "orders:write")(view)

    async def orders(request: HttpRequest) -> HttpResponse:
        # Django has no routes by method: a view chooses.
        chosen: Any = write if request.method == "POST" else read
        return await chosen(request)

    def plain_orders(request: HttpRequest) -> Any:  # noqa: ANN401 - as the chosen one has it
        return (write if request.method == "POST" else read)(request)

    both = orders if asyncio.iscoroutinefunction(view) else plain_orders
    both.csrf_exempt = True  # type: ignore[attr-defined] # as of the views behind it
    return [
        path("orders", both),
        path("me", verifier.require()(view)),
        path("payments", verifier.require("orders:write", acr=["gold", "silver"], max_age=300)(view)),
        path("health", _well),
        verifier.metadata_url(),
    ]


def _of_classes(verifier: Verifier) -> list[URLPattern]:
    class Orders(View):
        @method_decorator(verifier.require("orders:read"))
        def get(self, request: HttpRequest) -> JsonResponse:
            return _subject(request)

        @method_decorator(verifier.require("orders:read", "orders:write"))
        def post(self, request: HttpRequest) -> JsonResponse:
            return _subject(request)

    @method_decorator(verifier.require("orders:write", acr=["gold", "silver"], max_age=300), name="dispatch")
    class Payments(View):
        async def post(self, request: HttpRequest) -> JsonResponse:
            return await _subject_async(request)

    class Me(View):
        async def get(self, request: HttpRequest) -> JsonResponse:
            return await _subject_async(request)

    orders = Orders.as_view()
    orders.csrf_exempt = True
    return [
        path("orders", orders),
        path("me", verifier.require()(Me.as_view())),
        path("payments", Payments.as_view()),
        path("health", _well),
    ]


def test_the_answer_is_that_of_every_door(site: "Site", issuer: "LocalIssuer", case: "Case") -> None:
    site.open(*_of_functions(_door(issuer), _subject))
    case.check(case.send(site.browser(), issuer))


def test_async_views_give_the_same_answers_under_wsgi(site: "Site", issuer: "LocalIssuer", case: "Case") -> None:
    site.open(*_of_functions(_door(issuer), _subject_async))
    case.check(case.send(site.browser(), issuer))


@pytest.mark.parametrize("view", [_subject, _subject_async])
async def test_both_give_the_same_answers_under_asgi(
    site: "Site", issuer: "LocalIssuer", case: "Case", view: Callable[..., Any]
) -> None:
    site.open(*_of_functions(_door(issuer), view))
    async with site.async_browser() as browser:
        case.check(await browser.send(case.request(browser, issuer)))


async def test_classes_of_views_give_the_same_answers(site: "Site", issuer: "LocalIssuer", case: "Case") -> None:
    site.open(*_of_classes(_door(issuer)))
    case.check(await asyncio.to_thread(case.send, site.browser(), issuer))
    async with site.async_browser() as browser:
        case.check(await browser.send(case.request(browser, issuer)))


def test_the_metadata_document_is_served(site: "Site", issuer: "LocalIssuer", metadata: dict[str, Any]) -> None:
    verifier = _door(issuer)
    site.open(*_of_functions(verifier, _subject), middleware=verifier.require_everywhere())
    assert site.browser().get("/.well-known/oauth-protected-resource/orders").json() == metadata
    with pytest.raises(ValueError, match="resource"):
        Verifier(issuer.url, "orders").metadata_url()


class _Odd(View):
    def dispatch(self, request: HttpRequest, *_args: object, **_kwargs: object) -> HttpResponse:
        return self.put(request)

    def put(self, _request: HttpRequest) -> HttpResponse:
        return HttpResponse("put")


def _everywhere(verifier: Verifier) -> list[URLPattern]:
    own = verifier.require("orders:write")

    class Handlers(View):
        @method_decorator(own)
        def get(self, request: HttpRequest) -> JsonResponse:
            return _subject(request)

        def post(self, request: HttpRequest) -> JsonResponse:
            return _subject(request)

    class Odd(_Odd):
        get = method_decorator(own)(_Odd.put)

    return [
        path("plain", _subject),
        path("async", _subject_async),
        path("own", own(_subject)),
        path("handlers", Handlers.as_view()),
        path("odd", Odd.as_view()),
        path("health", token_not_required(lambda _request: HttpResponse("well"))),
    ]


async def test_a_middleware_demands_a_token_of_each_view_but_marked_ones(site: "Site", issuer: "LocalIssuer") -> None:
    verifier = _door(issuer)
    site.open(*_everywhere(verifier), middleware=verifier.require_everywhere("orders:read"))
    narrow = {"Authorization": f"Bearer {issuer.token(scope='orders:read')}"}
    wide = {"Authorization": f"Bearer {issuer.token(scope='orders:write')}"}
    asked = [
        ("/plain", narrow, 200),
        ("/plain", wide, 403),
        ("/plain", {}, 401),
        ("/async", narrow, 200),
        ("/async", wide, 403),
        ("/own", narrow, 403),
        ("/own", wide, 200),
        ("/handlers", narrow, 403),
        ("/handlers", wide, 200),
        # What runs is another handler than the one that demands a token.
        ("/odd", {}, 401),
        ("/health", {}, 200),
        ("/nowhere", {}, 404),
    ]
    browser = site.browser()
    async with site.async_browser() as async_browser:
        for place, headers, status in asked:
            for answer in (
                await asyncio.to_thread(browser.get, place, headers=headers),
                await async_browser.get(place, headers=headers),
            ):
                assert (place, answer.status_code) == (place, status)
                if status == 200 and place != "/health":
                    assert answer.json() == {"sub": "u1"}
    for method, status in (("POST", 200), ("OPTIONS", 200), ("HEAD", 403)):
        asked_for = await asyncio.to_thread(browser.request, method, "/handlers", headers=narrow)
        assert (method, asked_for.status_code) == (method, status)
        unasked = await asyncio.to_thread(browser.request, method, "/handlers")
        assert (method, unasked.status_code) == (method, 401)
    assert unprotected_routes() == ("/health",)


async def test_a_slow_issuer_does_not_stop_the_loop(site: "Site", issuer: "LocalIssuer") -> None:
    for patterns in (_of_functions(_door(issuer), _subject_async), _of_classes(_door(issuer))):
        site.open(*patterns)
        issuer.delay_once(issuer.metadata_path, 0.5)
        async with site.async_browser() as browser:
            token = issuer.token(acr="gold", auth_time=issuer.claims()["iat"])
            waiting = asyncio.create_task(browser.post("/payments", headers={"Authorization": f"Bearer {token}"}))
            longest, last = 0.0, asyncio.get_running_loop().time()
            while not waiting.done():
                await asyncio.sleep(0.005)
                now = asyncio.get_running_loop().time()
                longest, last = max(longest, now - last), now
            assert (await waiting).json() == {"sub": "u1"}
        assert longest < 0.4


def test_an_unreachable_issuer_is_a_503_that_says_when_to_ask_again(site: "Site", issuer: "LocalIssuer") -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    site.open(*_of_functions(_door(issuer), _subject))
    answer = site.browser().get("/orders", headers={"Authorization": f"Bearer {issuer.token()}"})
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "WWW-Authenticate" not in answer.headers


def test_a_report_counts_each_request_once(site: "Site", issuer: "LocalIssuer", feed: "LocalFeed") -> None:
    verifier = _door(issuer, api_key="sla_k")
    site.open(*_everywhere(verifier), middleware=verifier.require_everywhere("orders:read"))
    browser = site.browser()
    narrow = {"Authorization": f"Bearer {issuer.token(scope='orders:read')}"}
    for place, headers in (
        ("/plain", narrow),
        ("/plain", {}),
        ("/own", narrow),
        ("/handlers", narrow),
        ("/health", {}),
    ):
        browser.get(place, headers=headers)
    feed.ack = True
    issuer.until(lambda: bool(feed.reports), 3)
    assert feed.reports[0]["counts"] == {"accepted": 1, "token_missing": 1, "insufficient_scope": 2}
    assert {use[3] for use in feed.reports[0]["uses"]} == {"203.0.113.0/24"}


def test_threads_do_not_see_one_anothers_tokens(site: "Site", issuer: "LocalIssuer") -> None:
    site.open(*_of_functions(_door(issuer), _subject))
    browser = site.browser()

    def asked(number: int) -> bool:
        answer = browser.get("/orders", headers={"Authorization": f"Bearer {issuer.token(sub=f'u{number}')}"})
        return bool(answer.json() == {"sub": f"u{number}"})

    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(asked, range(200)))


def test_routes_that_nothing_protects_are_listed(site: "Site", issuer: "LocalIssuer") -> None:
    verifier = _door(issuer)

    @method_decorator(verifier.require(), name="dispatch")
    class Shut(View):
        def get(self, _request: HttpRequest) -> HttpResponse:
            return HttpResponse()

    class Half(View):
        def get(self, _request: HttpRequest) -> HttpResponse:
            return HttpResponse()

        @method_decorator(verifier.require())
        def post(self, _request: HttpRequest) -> HttpResponse:
            return HttpResponse()

    site.open(
        path("shut", Shut.as_view()),
        path("half", Half.as_view()),
        path("below/", include([path("<int:number>", _well), re_path(r"^x/$", verifier.require()(_well))])),
        *_of_classes(verifier),
        verifier.metadata_url(),
    )
    assert unprotected_routes() == ("/half", "/below/<int:number>", "/health")


def test_there_is_no_token_where_nothing_guards(site: "Site") -> None:
    site.open()
    with pytest.raises(LookupError, match="require"):
        access_token(HttpRequest())
