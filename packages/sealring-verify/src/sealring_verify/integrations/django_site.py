"""Sign-in for a site of Django: a middleware that fills `request.user`, three addresses, and `login_required`.

MIDDLEWARE = [..., "sealring_verify.integrations.django_site.SealringMiddleware"]
urlpatterns = [*sealring_verify.integrations.django_site.urlpatterns, ...]
"""

import functools
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.utils.cache import patch_vary_headers
from django.utils.functional import SimpleLazyObject

from sealring_verify.integrations.site_page import refusal_page
from sealring_verify.site.session import Anonymous, SessionUnknown, User
from sealring_verify.site.settings import CALLBACK_PATH, SIGN_IN_PATH, SIGN_OUT_PATH, settings_from_environment
from sealring_verify.site.sign_in import SignInRefused, is_page_load
from sealring_verify.site.site import Redirect, Site

View = Callable[..., Any]
_WRITTEN: Final = "SEALRING_LOGIN"
_NOT_BELOW: Final = "not_below"


@functools.cache
def site() -> Site:
    """Give the one site of this process: by the setting `SEALRING_LOGIN`, a dict, else by the environment.

    Its members are issuer, client_id, client_secret, site and scope, besides `not_below`. ValueError for what makes no
    sense.
    """
    written = dict(getattr(settings, _WRITTEN, {}))
    written.pop(_NOT_BELOW, None)
    return Site(settings_from_environment(**written))


class SealringMiddleware:
    """Fills `request.user` with who is signed in, a `User` or an `Anonymous`; the issuer is asked when it is looked at.

    It stands behind Django's own AuthenticationMiddleware, if that is used at all; `not_below` names the paths below
    which Django's own users stay, such as ["/admin/"]. Where the issuer cannot be asked, the answer is a 503. What
    makes no sense is a ValueError at the start.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        site()
        self._get_response = get_response
        self._not_below = tuple(getattr(settings, _WRITTEN, {}).get(_NOT_BELOW, ()))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a request."""
        if request.path_info.startswith(self._not_below):
            return self._get_response(request)
        asked = known = False

        def find_user() -> User | Anonymous:
            nonlocal asked, known
            asked = True
            user = site().find_user(request.COOKIES)
            known = True
            return user

        request.user = SimpleLazyObject(find_user)
        answer = self._get_response(request)
        if asked and not known and answer.status_code == 500:
            # A middleware looked: Django has made a 500 of it before it comes here.
            return _refuse(SessionUnknown.code)
        return _keep_to_this_person(answer) if asked else answer

    def process_exception(self, _request: HttpRequest, problem: Exception) -> HttpResponse | None:
        """Answer for a view that looked at a user who cannot be known."""
        return _refuse(problem.code) if isinstance(problem, SessionUnknown) else None


def login_required(view: View) -> View:
    """Let a view be seen by whoever is signed in; anybody else is sent to sign in first, and then back.

    Whatever is no page load, such as a form or a script's request, is answered 401: it could not come back.
    """

    @functools.wraps(view)
    def guarded(request: HttpRequest, *args: object, **kwargs: object) -> object:
        # Not by is_authenticated alone, which a user of Django's own has as well.
        if isinstance(request.user, User):
            answer = view(request, *args, **kwargs)
            return _keep_to_this_person(answer) if isinstance(answer, HttpResponse) else answer
        if not is_page_load(request.method or "", request.headers.get("Sec-Fetch-Mode")):
            return HttpResponse("Sign in first.", status=401, content_type="text/plain")
        return _send(site().send_to_sign_in(request.get_full_path(), request.COOKIES))

    return guarded


def sign_in(request: HttpRequest) -> HttpResponse:
    """Send a person to the log-in page, and back to `next`."""
    return _send(site().send_to_sign_in(request.GET.get("next"), request.COOKIES))


def callback(request: HttpRequest) -> HttpResponse:
    """Take back who comes from the log-in page."""
    outcome = site().finish_sign_in(dict(request.GET.lists()), request.COOKIES)
    return _refuse(outcome.code) if isinstance(outcome, SignInRefused) else _send(outcome)


def sign_out(request: HttpRequest) -> HttpResponse:
    """End the session, for a form of this site."""
    if request.method != "POST":
        return HttpResponse(status=405, headers={"Allow": "POST"})
    if not site().is_own_page(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")):
        return _refuse("foreign_form")
    return _send(site().sign_out(request.COOKIES))


# Whose form it is, the Origin says that browsers send with each, so that it needs no token of Django's.
sign_out.csrf_exempt = True  # type: ignore[attr-defined] # as django.views.decorators.csrf does

urlpatterns = [
    path(SIGN_IN_PATH.lstrip("/"), sign_in, name="sealring_sign_in"),
    path(CALLBACK_PATH.lstrip("/"), callback, name="sealring_callback"),
    path(SIGN_OUT_PATH.lstrip("/"), sign_out, name="sealring_sign_out"),
]


def _keep_to_this_person(answer: HttpResponse) -> HttpResponse:
    # A cache would give one person's page to another, a browser after the session has ended.
    patch_vary_headers(answer, ["Cookie"])
    answer.headers.setdefault("Cache-Control", "private, no-cache")
    return answer


def _send(outcome: Redirect) -> HttpResponse:
    answer = HttpResponseRedirect(outcome.location)
    answer.status_code = 303
    answer.headers["Cache-Control"] = "no-store"
    for cookie in outcome.cookies:
        answer.set_cookie(
            cookie.name, cookie.value, max_age=cookie.max_age, secure=cookie.secure, httponly=True, samesite="Lax"
        )
    return answer


def _refuse(code: str) -> HttpResponse:
    status, page, headers = refusal_page(code)
    return HttpResponse(page, status=status, headers=headers)
