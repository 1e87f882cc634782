"""The Django door: a decorator for views, a middleware for whole sites; both for plain and for async ones."""

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern, get_resolver, path
from django.utils.module_loading import import_string
from django.views import View as ViewClass

from sealring_verify.bearer import refusal_body
from sealring_verify.claims import AccessToken
from sealring_verify.errors import TokenRefused
from sealring_verify.integrations.door import DEMANDS_TOKEN, Arrival, Demand, Door

View = Callable[..., Any]
_NOT_REQUIRED: Final = "sealring_token_not_required"
_METADATA_NAME: Final = "sealring_protected_resource"


class Verifier(Door):
    """A verifier for Django's views; any number of threads and event loops share one."""

    def require(
        self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None
    ) -> Callable[[View], View]:
        """Make a decorator that demands a good token with all these scopes; `access_token(request)` gives it.

        It takes functions, coroutines, what `as_view()` gave, and by `method_decorator(…, name="dispatch")` classes.
        Without scopes any good token will do. `acr`, one or several with the preferred one first, and `max_age` in
        seconds demand a stronger or a more recent sign-in. Answers: 401 for a missing or bad token and for a sign-in
        that is not enough (RFC 9470), 403 for a missing scope, 400 for a token in a forbidden place, 503 with
        Retry-After where the issuer cannot be asked. ValueError for what is no scope, no acr, no number of seconds.
        """
        demand = self.demand(scopes, acr, max_age)

        def guard(view: View) -> View:
            async def guarded_async(request: HttpRequest, *args: object, **kwargs: object) -> object:
                try:
                    request.sealring_access_token = await self.admit_async(arrival(request), demand)
                except TokenRefused as refusal:
                    return _answer(self, refusal)
                answer = view(request, *args, **kwargs)
                return await answer if inspect.isawaitable(answer) else answer

            def guarded(request: HttpRequest, *args: object, **kwargs: object) -> object:
                try:
                    request.sealring_access_token = self.admit(arrival(request), demand)
                except TokenRefused as refusal:
                    return _answer(self, refusal)
                return view(request, *args, **kwargs)

            made = functools.wraps(view)(guarded_async if _is_awaited(view) else guarded)
            setattr(made, DEMANDS_TOKEN, True)
            # A browser adds no Authorization header to another site's form, so there is nothing to forge.
            made.csrf_exempt = True  # type: ignore[attr-defined] # as django.views.decorators.csrf does
            return made

        return guard

    def require_everywhere(
        self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None
    ) -> "Requirement":
        """Make a middleware that demands of each view what `require` would, unless it is marked.

        It is given a name in a module and stands by that in `MIDDLEWARE`. A view, or a handler of a class, that has a
        `require` of its own is left to that; `@token_not_required` opens a view to everybody. A site that takes nothing
        but tokens has no use for Django's `CsrfViewMiddleware`, which would refuse what a program posts.
        """
        return Requirement(self, self.demand(scopes, acr, max_age))

    def metadata_url(self) -> URLPattern:
        """Make the entry of `urlpatterns` that serves the metadata document of RFC 9728, to everybody.

        ValueError where the verifier was told no `resource`.
        """
        return metadata_url(self)


class Requirement:
    """What stands in `MIDDLEWARE` by its dotted name: a middleware's factory."""

    sync_capable = True
    async_capable = True

    def __init__(self, door: Door, demand: Demand) -> None:
        self._door = door
        self._demand = demand

    def __call__(self, get_response: Callable[[HttpRequest], Any]) -> "_Middleware":
        """Make the middleware, plain or async as what is behind it."""
        return _Middleware(get_response, self._door, self._demand)


class _Middleware:
    def __init__(self, get_response: Callable[[HttpRequest], Any], door: Door, demand: Demand) -> None:
        self._get_response = get_response
        self._door = door
        self._demand = demand
        self.process_view: Callable[..., Any] = self._judge
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)
            self.process_view = self._judge_async

    def __call__(self, request: HttpRequest) -> HttpResponse | Awaitable[HttpResponse]:
        return self._get_response(request)

    def _judge(self, request: HttpRequest, view: View, _args: object, _kwargs: object) -> HttpResponse | None:
        if not _judges_itself(view, request.method):
            try:
                request.sealring_access_token = self._door.admit(arrival(request), self._demand)
            except TokenRefused as refusal:
                return _answer(self._door, refusal)
        return None

    async def _judge_async(
        self, request: HttpRequest, view: View, _args: object, _kwargs: object
    ) -> HttpResponse | None:
        if not _judges_itself(view, request.method):
            try:
                request.sealring_access_token = await self._door.admit_async(arrival(request), self._demand)
            except TokenRefused as refusal:
                return _answer(self._door, refusal)
        return None


def token_not_required(view: View) -> View:
    """Mark a view that `require_everywhere` leaves open to everybody, and give it back."""
    setattr(view, _NOT_REQUIRED, True)
    return view


def access_token(request: HttpRequest) -> AccessToken:
    """Give the token of a request that was let pass. LookupError in a view that nothing guards."""
    token: AccessToken | None = getattr(request, "sealring_access_token", None)
    if token is None:
        raise LookupError("no requirement guards this view: put @verifier.require(…) above it")
    return token


def arrival(request: HttpRequest) -> Arrival:
    """Read what a request shows of a token. The server has joined headers of one name by a comma."""
    authorization = request.META.get("HTTP_AUTHORIZATION")
    return Arrival(
        authorization=[] if authorization is None else [authorization],
        in_query="access_token" in request.GET,
        client_address=request.META.get("REMOTE_ADDR"),
    )


def metadata_url(door: Door) -> URLPattern:
    """Make the entry of `urlpatterns` for a door's metadata document. ValueError where it was told no `resource`."""

    @token_not_required
    def protected_resource(_request: HttpRequest) -> HttpResponse:
        return JsonResponse(door.metadata())

    return path(door.metadata_path().removeprefix("/"), protected_resource, name=_METADATA_NAME)


def unprotected_routes(
    urlconf: str | None = None, *, is_protected: Callable[[View], bool] = lambda _view: False
) -> tuple[str, ...]:
    """List the routes that no requirement protects, as `/health`; `urlconf` is the site's own where it is None.

    A class counts as protected where its `dispatch` is, or each of its handlers. The metadata document of RFC 9728 is
    not listed. Another framework says by `is_protected` what it knows better.
    """
    everywhere = any(isinstance(import_string(name), Requirement) for name in settings.MIDDLEWARE)

    def walk(patterns: Iterable[Any], prefix: str) -> Iterator[str]:
        for pattern in patterns:
            route = prefix + str(pattern.pattern)
            if not isinstance(pattern, URLPattern):
                yield from walk(pattern.url_patterns, route)
            elif pattern.name == _METADATA_NAME:
                continue
            elif not (_demands_token(pattern.callback) or is_protected(pattern.callback)) and (
                not everywhere or hasattr(pattern.callback, _NOT_REQUIRED)
            ):
                yield f"/{route}"

    return tuple(walk(get_resolver(urlconf).url_patterns, ""))


def _demands_token(view: View) -> bool:
    if hasattr(view, DEMANDS_TOKEN):
        return True
    view_class = getattr(view, "view_class", None)
    handlers = [
        getattr(view_class, name)
        for name in getattr(view_class, "http_method_names", ())
        if name != "options" and hasattr(view_class, name)
    ]
    return bool(handlers) and all(hasattr(handler, DEMANDS_TOKEN) for handler in handlers)


def _judges_itself(view: View, method: str) -> bool:
    if hasattr(view, _NOT_REQUIRED) or hasattr(view, DEMANDS_TOKEN):
        return True
    view_class = getattr(view, "view_class", None)
    if view_class is None or view_class.dispatch is not ViewClass.dispatch:
        return False
    handler = "get" if method == "HEAD" and not hasattr(view_class, "head") else method.lower()
    return hasattr(getattr(view_class, handler, None), DEMANDS_TOKEN)


def _answer(door: Door, refusal: TokenRefused) -> HttpResponse:
    return JsonResponse(refusal_body(refusal), status=refusal.status, headers=door.refusal_headers(refusal))


def _is_awaited(view: View) -> bool:
    if iscoroutinefunction(view):
        return True
    # By `method_decorator`: `dispatch` of a class with async handlers is no coroutine, but what it returns is awaited.
    inner: object = view
    while inner is not None:
        owner = getattr(getattr(inner, "func", None), "__self__", None)
        if getattr(owner, "view_is_async", False):
            return True
        inner = getattr(inner, "__wrapped__", None)
    return False
