from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from sealring_verify.integrations import django

if TYPE_CHECKING:
    from conftest import Case, LocalFeed, LocalIssuer, Site

    from sealring_verify.integrations.drf import Verifier


@pytest.fixture
def door(issuer: "LocalIssuer", site: "Site") -> Callable[..., "Verifier"]:
    # The framework reads the site's settings when it is imported.
    site.open()
    from sealring_verify.integrations.drf import Verifier

    resource = "https://api.example.com/orders"
    return lambda **options: Verifier(issuer.url, "orders", realm="orders", resource=resource, **options)


def _routes(verifier: "Verifier") -> list[URLPattern]:
    from rest_framework.decorators import api_view, authentication_classes, permission_classes
    from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    class Read(APIView):
        authentication_classes = (verifier.authentication,)
        permission_classes = (verifier.require("orders:read"),)

        def get(self, request: Request) -> Response:
            return Response({"sub": request.auth.sub, "user": request.user.pk})

    class Write(APIView):
        authentication_classes = (verifier.authentication,)
        permission_classes = (verifier.require("orders:read", "orders:write"),)

        def post(self, request: Request) -> Response:
            return Response(request.user.sub)

    read, write = Read.as_view(), Write.as_view()

    def orders(request: HttpRequest) -> Any:  # noqa: ANN401 - as the chosen one has it
        return (read if request.method in SAFE_METHODS else write)(request)

    orders.csrf_exempt = True  # type: ignore[attr-defined] # as of the views behind it

    @api_view(["POST"])
    @authentication_classes([verifier.authentication])
    @permission_classes([IsAuthenticated & verifier.require("orders:write", acr=["gold", "silver"], max_age=300)])
    def combined(request: Request) -> Response:
        return Response(request.auth.sub)

    @api_view(["POST"])
    @authentication_classes([verifier.authentication])
    @permission_classes([verifier.require("orders:write", acr=["gold", "silver"], max_age=300)])
    def payments(request: Request) -> Response:
        return Response(request.auth.sub)

    @api_view(["GET"])
    @authentication_classes([verifier.authentication])
    @permission_classes([verifier.require()])
    def me(request: Request) -> Response:
        return Response(request.auth.sub)

    return [
        path("orders", orders),
        path("read", read),
        path("payments", payments),
        path("combined", combined),
        path("me", me),
        path("health", lambda _request: HttpResponse("well")),
        verifier.metadata_url(),
    ]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_the_answer_is_that_of_every_door(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"], case: "Case"
) -> None:
    site.open(*_routes(door()))
    case.check(case.send(site.browser(), issuer))


def test_a_view_knows_the_token_and_its_subject(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"], metadata: dict[str, Any]
) -> None:
    site.open(*_routes(door()))
    browser = site.browser()
    assert browser.get("/orders", headers=_bearer(issuer.token())).json() == {"sub": "u1", "user": "u1"}
    assert browser.get("/.well-known/oauth-protected-resource/orders").json() == metadata


def test_an_unreachable_issuer_is_a_503_that_says_when_to_ask_again(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"]
) -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    site.open(*_routes(door()))
    answer = site.browser().get("/orders", headers=_bearer(issuer.token()))
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert "WWW-Authenticate" not in answer.headers


def test_another_permission_of_the_framework_asks_for_a_token_too(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"]
) -> None:
    from rest_framework.permissions import IsAuthenticated
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    verifier = door()

    class Mine(APIView):
        authentication_classes = (verifier.authentication,)
        permission_classes = (IsAuthenticated,)

        def get(self, request: Request) -> Response:
            return Response(request.user.sub)

    site.open(*_routes(verifier), path("mine", Mine.as_view()))
    browser = site.browser()
    refused = browser.get("/mine")
    assert (refused.status_code, refused.headers["WWW-Authenticate"]) == (401, verifier.bare_challenge())
    assert browser.get("/mine", headers=_bearer(issuer.token())).json() == "u1"
    assert browser.get("/mine", headers=_bearer(issuer.token(exp=1000))).json()["code"] == "token_expired"
    # A combination is judged after authentication; the answer is the same.
    assert browser.post("/combined").json()["detail"]
    weak = browser.post("/combined", headers=_bearer(issuer.token()))
    assert (weak.status_code, weak.json()["code"]) == (401, "insufficient_user_authentication")


def test_a_view_that_authenticates_by_nothing_of_ours_is_a_mistake_told_at_once(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"]
) -> None:
    from rest_framework.request import Request
    from rest_framework.test import APIRequestFactory
    from rest_framework.views import APIView

    class Forgotten(APIView):
        authentication_classes = ()
        permission_classes = (door().require(),)

        def get(self, _request: Request) -> None:
            raise AssertionError

    site.open()
    request = APIRequestFactory().get("/", headers=_bearer(issuer.token()))
    with pytest.raises(ImproperlyConfigured, match="authentication_classes"):
        Forgotten.as_view()(request)


def test_permissions_of_the_moment_are_the_ones_that_count(
    site: "Site", issuer: "LocalIssuer", door: Callable[..., "Verifier"]
) -> None:
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.views import APIView

    verifier = door()

    class Choosy(APIView):
        authentication_classes = (verifier.authentication,)
        permission_classes = (verifier.require("orders:write"),)

        def get_permissions(self) -> list[Any]:
            return [] if self.request.method == "GET" else super().get_permissions()

        def get(self, _request: Request) -> Response:
            return Response("open")

        post = get

    site.open(path("choosy", Choosy.as_view()))
    browser = site.browser()
    narrow = _bearer(issuer.token(scope="orders:read"))
    assert browser.get("/choosy", headers=narrow).json() == "open"
    assert browser.get("/choosy").json() == "open"
    assert browser.post("/choosy", headers=narrow).json()["code"] == "insufficient_scope"
    assert browser.post("/choosy", headers=_bearer(issuer.token())).json() == "open"


def test_a_report_counts_each_request_once(
    site: "Site", issuer: "LocalIssuer", feed: "LocalFeed", door: Callable[..., "Verifier"]
) -> None:
    site.open(*_routes(door(api_key="sla_k")))
    browser = site.browser()
    narrow = _bearer(issuer.token(scope="orders:read"))
    for method, headers in (("GET", narrow), ("GET", {}), ("POST", narrow)):
        browser.request(method, "/orders", headers=headers)
    feed.ack = True
    issuer.until(lambda: bool(feed.reports), 3)
    assert feed.reports[0]["counts"] == {"accepted": 1, "token_missing": 1, "insufficient_scope": 1}
    assert {use[3] for use in feed.reports[0]["uses"]} == {"203.0.113.0/24"}


def test_routes_that_nothing_protects_are_listed(site: "Site", door: Callable[..., "Verifier"]) -> None:
    from rest_framework.decorators import action
    from rest_framework.permissions import AllowAny, IsAuthenticated
    from rest_framework.request import Request
    from rest_framework.response import Response
    from rest_framework.routers import SimpleRouter
    from rest_framework.views import APIView
    from rest_framework.viewsets import ViewSet

    from sealring_verify.integrations.drf import unprotected_routes

    verifier = door()

    def view(*permissions: Any) -> Callable[..., Any]:  # noqa: ANN401 - classes and their combinations
        made = type("Made", (APIView,), {"permission_classes": permissions})
        as_view: Callable[..., Any] = made.as_view()  # type: ignore[attr-defined] # of APIView, which has no types
        return as_view

    class Own(APIView):
        permission_classes = (verifier.require(),)

        def get_permissions(self) -> list[Any]:
            return []

    class NeedsRequest(Own):
        def get_permissions(self) -> list[Any]:
            return [token()] if self.request.method == "GET" else []

    class ByAction(ViewSet):
        def get_permissions(self) -> list[Any]:
            return [] if self.action == "retrieve" else [token()]

        def retrieve(self, _request: Request) -> Response:
            return Response([])

        create = retrieve

    class Letters(ViewSet):
        permission_classes = (verifier.require("orders:read"),)

        def list(self, _request: Request) -> Response:
            return Response([])

        @action(detail=False, permission_classes=[AllowAny])
        def latest(self, _request: Request) -> Response:
            return Response([])

    token = verifier.require()
    router = SimpleRouter()
    router.register("letters", Letters, basename="letters")
    site.open(
        *_routes(verifier)[1:],
        *router.urls,
        path("open", view(AllowAny)),
        path("signed-in", view(IsAuthenticated)),
        path("both", view(IsAuthenticated, token)),
        path("and", view(IsAuthenticated & token)),
        path("or", view(IsAuthenticated | token)),
        path("or-both", view((token & IsAuthenticated) | verifier.require("orders:read"))),
        path("not", view(~token)),
        path("own", Own.as_view()),
        path("needs-request", NeedsRequest.as_view()),
        path("by-action", ByAction.as_view({"post": "create"})),
        path("by-action/1", ByAction.as_view({"post": "create", "get": "retrieve"})),
    )
    assert unprotected_routes() == (
        "/health",
        "/^letters/latest/$",
        "/open",
        "/signed-in",
        "/or",
        "/not",
        "/own",
        "/needs-request",
        "/by-action/1",
    )
    assert "/read" in django.unprotected_routes()
