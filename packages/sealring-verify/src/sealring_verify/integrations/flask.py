"""The Flask door: `@verifier.require("orders:read")` below the route's own decorator."""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from flask import Flask, Response, current_app, jsonify, request
from werkzeug.routing import Rule

from sealring_verify.bearer import refusal_body
from sealring_verify.claims import AccessToken
from sealring_verify.errors import TokenRefused
from sealring_verify.integrations.door import DEMANDS_TOKEN, Arrival, Door

View = Callable[..., Any]
_METADATA_ENDPOINT: Final = "sealring_protected_resource"
# Kept in the request's own environment: Flask's `g` outlives a request where somebody pushed an application context.
_ACCESS_TOKEN: Final = "sealring.access_token"


class Verifier(Door):
    """A verifier for Flask's views; any number of threads share one."""

    def require(
        self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None
    ) -> Callable[[View], View]:
        """Make a decorator that demands a good token with all these scopes; `access_token()` gives it.

        It stands below `@app.get(…)`, and in `decorators` of a `MethodView`. Without scopes any good token will do.
        `acr`, one or several with the preferred one first, and `max_age` in seconds demand a stronger or a more recent
        sign-in. Answers: 401 for a missing or bad token and for a sign-in that is not enough (RFC 9470), 403 for a
        missing scope, 400 for a token in a forbidden place, 503 with Retry-After where the issuer cannot be asked.
        ValueError for what is no scope, no acr, no number of seconds.
        """
        demand = self.demand(scopes, acr, max_age)

        def guard(view: View) -> View:
            @functools.wraps(view)
            def guarded(*args: object, **kwargs: object) -> object:
                try:
                    request.environ[_ACCESS_TOKEN] = self.admit(_arrival(), demand)
                except TokenRefused as refusal:
                    answer = jsonify(refusal_body(refusal))
                    return answer, refusal.status, self.refusal_headers(refusal)
                # Flask runs a coroutine in a loop of its own.
                return current_app.ensure_sync(view)(*args, **kwargs)

            setattr(guarded, DEMANDS_TOKEN, True)
            return guarded

        return guard

    def serve_metadata(self, app: Flask) -> None:
        """Make the application serve the metadata document of RFC 9728, to everybody.

        ValueError where the verifier was told no `resource`.
        """

        def protected_resource() -> Response:
            return jsonify(self.metadata())

        app.add_url_rule(self.metadata_path(), _METADATA_ENDPOINT, protected_resource)


def access_token() -> AccessToken:
    """Give the token of the request that `require` let pass. LookupError in a view that nothing guards."""
    token: AccessToken | None = request.environ.get(_ACCESS_TOKEN)
    if token is None:
        raise LookupError("no requirement guards this view: put @verifier.require(…) above it")
    return token


def unprotected_routes(app: Flask) -> tuple[str, ...]:
    """List the routes that no requirement protects, as `GET /health`; Flask's own for static files is among them.

    The metadata document of RFC 9728 is not, nor the answers to OPTIONS that Flask gives by itself.
    """
    return tuple(_unprotected(app))


def _unprotected(app: Flask) -> Iterator[str]:
    for rule in app.url_map.iter_rules():
        view = app.view_functions.get(rule.endpoint)
        if view is not None and rule.endpoint != _METADATA_ENDPOINT and not hasattr(view, DEMANDS_TOKEN):
            view_class = getattr(view, "view_class", None)
            for method in _methods(rule):
                if not hasattr(getattr(view_class, method.lower(), None), DEMANDS_TOKEN):
                    yield f"{method} {rule.rule}"


def _methods(rule: Rule) -> list[str]:
    methods = set(rule.methods or ()) - {"HEAD"}
    if getattr(rule, "provide_automatic_options", False):  # Flask adds it to werkzeug's rule
        methods -= {"OPTIONS"}
    return sorted(methods)


def _arrival() -> Arrival:
    return Arrival(
        authorization=request.headers.getlist("Authorization"),
        in_query="access_token" in request.args,
        client_address=request.remote_addr,
    )
