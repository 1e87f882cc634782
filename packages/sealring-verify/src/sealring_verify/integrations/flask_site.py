"""Sign-in for a site of Flask: `SealringLogin(app)`, then `@login_required` and `current_user`."""

import functools
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from flask import Flask, Response, current_app, redirect, request
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.local import LocalProxy

from sealring_verify.integrations.site_page import refusal_page
from sealring_verify.site.session import Anonymous, SessionUnknown, User
from sealring_verify.site.settings import CALLBACK_PATH, SIGN_IN_PATH, SIGN_OUT_PATH, settings_from_environment
from sealring_verify.site.sign_in import SignInRefused, is_page_load
from sealring_verify.site.site import Redirect, SetCookie, Site

View = Callable[..., Any]
_NAME: Final = "sealring"
# Kept in the request's own environment, so that a request asks once and none sees another's answer.
_USER: Final = "sealring.user"


class SealringLogin:
    """Signs people in to an application and out again, at `/.sealring/sign-in` and `/.sealring/sign-out`.

    Told nothing, it reads SEALRING_ISSUER, SEALRING_CLIENT_ID, SEALRING_CLIENT_SECRET and SEALRING_SITE, the site's own
    origin. `scope` has openid, and `email` and `profile` where the site shows them. ValueError for what makes no sense.
    """

    def __init__(self, app: Flask | None = None, **said: str) -> None:
        self.site = Site(settings_from_environment(**said))
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Give an application its three addresses, and its templates `current_user`."""
        app.extensions[_NAME] = self
        app.add_url_rule(SIGN_IN_PATH, "sealring_sign_in", self._sign_in)
        app.add_url_rule(CALLBACK_PATH, "sealring_callback", self._callback)
        app.add_url_rule(SIGN_OUT_PATH, "sealring_sign_out", self._sign_out, methods=["POST"])
        app.after_request(_keep_to_this_person)
        app.context_processor(lambda: {"current_user": current_user})

    def _sign_in(self) -> Response:
        return _send(self.site.send_to_sign_in(request.args.get("next"), request.cookies))

    def _callback(self) -> Response:
        outcome = self.site.finish_sign_in(dict(request.args.lists()), request.cookies)
        if isinstance(outcome, SignInRefused):
            status, page, headers = refusal_page(outcome.code)
            return Response(page, status, headers)
        return _send(outcome)

    def _sign_out(self) -> Response:
        if not self.site.is_own_page(request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")):
            status, page, headers = refusal_page("foreign_form")
            return Response(page, status, headers)
        return _send(self.site.sign_out(request.cookies))


def login_required(view: View) -> View:
    """Let a view be seen by whoever is signed in; anybody else is sent to sign in first, and then back.

    It stands below `@app.get(…)`. Whatever is no page load, such as a form or a script's request, is answered 401: it
    could not come back.
    """

    @functools.wraps(view)
    def guarded(*args: object, **kwargs: object) -> object:
        if not current_user.is_authenticated:
            if not is_page_load(request.method, request.headers.get("Sec-Fetch-Mode")):
                return Response("Sign in first.", 401, {"Content-Type": "text/plain"})
            return _send(_login().site.send_to_sign_in(_address(), request.cookies))
        return current_app.ensure_sync(view)(*args, **kwargs)

    return guarded


def _find_user() -> User | Anonymous:
    user: User | Anonymous | None = request.environ.get(_USER)
    if user is None:
        try:
            user = _login().site.find_user(request.cookies)
        except SessionUnknown as unknown:
            raise ServiceUnavailable(retry_after=unknown.retry_after) from None
        request.environ[_USER] = user
    return user


current_user: Any = LocalProxy(_find_user)
"""Who is signed in: a `User` or an `Anonymous`. The issuer is asked once a request; a 503 where it cannot be."""


def _keep_to_this_person(answer: Response) -> Response:
    # A cache before the site would give one person's page to another, a browser after the session has ended.
    if _USER in request.environ:
        answer.vary.add("Cookie")
        answer.headers.setdefault("Cache-Control", "private, no-cache")
    return answer


def _address() -> str:
    # As it stood in the request: Flask's `full_path` is decoded, and leads elsewhere where a path has a %3F or %25.
    query = request.query_string.decode("latin-1")
    return quote(request.path, safe="/:@!$&'()*+,;=~") + (f"?{query}" if query else "")


def _login() -> SealringLogin:
    login: SealringLogin | None = current_app.extensions.get(_NAME)
    if login is None:
        raise LookupError("this application has no sign-in: make a SealringLogin(app)")
    return login


def _send(outcome: Redirect) -> Response:
    answer = redirect(outcome.location, 303)
    answer.headers["Cache-Control"] = "no-store"
    for cookie in outcome.cookies:
        _write(answer, cookie)
    return answer  # type: ignore[return-value] # werkzeug's Response is Flask's here


def _write(answer: Any, cookie: SetCookie) -> None:  # noqa: ANN401 - werkzeug's
    answer.set_cookie(
        cookie.name, cookie.value, max_age=cookie.max_age, secure=cookie.secure, httponly=True, samesite="Lax", path="/"
    )
