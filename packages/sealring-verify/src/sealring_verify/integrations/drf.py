"""The door of Django REST framework: `permission_classes = [verifier.require("orders:read")]`."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException
from rest_framework.permissions import AND, OR, BasePermission
from rest_framework.request import Request

from sealring_verify.bearer import bearer_token, refusal_body
from sealring_verify.claims import AccessToken
from sealring_verify.errors import InvalidToken, IssuerUnavailable, TokenRefused
from sealring_verify.integrations import django
from sealring_verify.integrations.door import DEMANDS_TOKEN, Arrival, Demand, Door

if TYPE_CHECKING:
    from rest_framework.views import APIView

_NO_DEMAND = Demand(scopes=frozenset(), step_up=None)


class RequestRefused(APIException):
    """The answer to a request whose token was refused; `refusal` says why. Its body is the object of `refusal_body`."""

    def __init__(self, refusal: TokenRefused, headers: dict[str, str]) -> None:
        super().__init__(refusal_body(refusal))
        self.refusal = refusal
        self.status_code = refusal.status
        # The framework's own handler makes WWW-Authenticate and Retry-After of these.
        self.auth_header = headers.get("WWW-Authenticate")
        self.wait = refusal.retry_after if isinstance(refusal, IssuerUnavailable) else None


class TokenSubject(msgspec.Struct, frozen=True):
    """`request.user` of a request with a good token: whom the token is about. It is no row of a table."""

    sub: str

    @property
    def pk(self) -> str:
        """The subject, by which the framework's throttles count."""
        return self.sub

    @property
    def is_authenticated(self) -> bool:
        """True, as `IsAuthenticated` asks."""
        return True


class AccessTokenAuthentication(BaseAuthentication):
    """Gives `request.user` and `request.auth`, a TokenSubject and an AccessToken; `Verifier.authentication` has one."""

    door: ClassVar[Door]

    def authenticate(self, request: Request) -> tuple[TokenSubject, AccessToken] | None:
        """Judge the request's token; None where there is none, so that another way of authenticating has its turn."""
        arrival = django.arrival(request)
        if _brings_none(arrival):
            return None
        try:
            token = self.door.admit(arrival, _demand_of(request.parser_context.get("view"), self.door))
        except TokenRefused as refusal:
            raise RequestRefused(refusal, self.door.refusal_headers(refusal)) from None
        return TokenSubject(token.sub), token

    def authenticate_header(self, _request: Request) -> str:
        """Give the challenge for requests that some other permission refuses for want of authentication."""
        return self.door.bare_challenge()


class TokenPermission(BasePermission):
    """Demands a token that is enough; `Verifier.require` makes one with its demand."""

    door: ClassVar[Door]
    demand: ClassVar[Demand]

    def has_permission(self, request: Request, _view: "APIView") -> bool:
        """Judge what authentication found. RequestRefused where that is not enough.

        ImproperlyConfigured where `verifier.authentication` is not among the view's `authentication_classes`.
        """
        if not any(getattr(each, "door", None) is self.door for each in request.authenticators):
            raise ImproperlyConfigured(
                "put verifier.authentication into authentication_classes, beside verifier.require"
            )
        try:
            if not isinstance(request.auth, AccessToken):
                raise InvalidToken("token_missing")
            self.door.core.check_demands(request.auth, self.demand.scopes, self.demand.step_up)
        except TokenRefused as refusal:
            self.door.core.count_refusal(refusal, client_address=request.META.get("REMOTE_ADDR"))
            raise RequestRefused(refusal, self.door.refusal_headers(refusal)) from None
        return True


setattr(TokenPermission, DEMANDS_TOKEN, True)


class Verifier(Door):
    """A verifier for the views of Django REST framework; any number of threads share one."""

    @property
    def authentication(self) -> type[AccessTokenAuthentication]:
        """The class for `authentication_classes`, or by a dotted name for `DEFAULT_AUTHENTICATION_CLASSES`."""
        return type("AccessTokenAuthentication", (AccessTokenAuthentication,), {"door": self})

    def require(self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None) -> type[TokenPermission]:
        """Make the class for `permission_classes` that demands a good token with all these scopes.

        `authentication` must stand in `authentication_classes`; then `request.auth` is the AccessToken. Without scopes
        any good token will do. `acr`, one or several with the preferred one first, and `max_age` in seconds demand a
        stronger or a more recent sign-in. Answers: 401 for a missing or bad token and for a sign-in that is not enough
        (RFC 9470), 403 for a missing scope, 400 for a token in a forbidden place, 503 with Retry-After where the issuer
        cannot be asked. Combined by `|`, the first to refuse decides. ValueError for what is no scope, no acr, no
        number of seconds.
        """
        members = {"door": self, "demand": self.demand(scopes, acr, max_age)}
        return type("TokenPermission", (TokenPermission,), members)

    def metadata_url(self) -> URLPattern:
        """Make the entry of `urlpatterns` that serves the metadata document of RFC 9728, to everybody.

        ValueError where the verifier was told no `resource`.
        """
        return django.metadata_url(self)


def unprotected_routes(urlconf: str | None = None) -> tuple[str, ...]:
    """List the routes that no requirement protects, as `/health`, those of plain Django views among them.

    A view's own `get_permissions` is asked for each action. One that needs the request to answer cannot be known here,
    so such a view is listed.
    """
    return django.unprotected_routes(urlconf, is_protected=_is_protected)


def _is_protected(view: Callable[..., Any]) -> bool:
    view_class = getattr(view, "cls", None)
    if view_class is None:
        return False
    for action in (getattr(view, "actions", None) or {"": ""}).values():
        made = view_class(**getattr(view, "initkwargs", {}))
        made.action, made.request = action, None
        try:
            permissions = made.get_permissions()
        except AttributeError:
            return False
        if not any(_demands_token(permission) for permission in permissions):
            return False
    return True


def _demands_token(permission: object) -> bool:
    if isinstance(permission, AND):
        return _demands_token(permission.op1) or _demands_token(permission.op2)
    if isinstance(permission, OR):
        return _demands_token(permission.op1) and _demands_token(permission.op2)
    return hasattr(permission, DEMANDS_TOKEN)


def _brings_none(arrival: Arrival) -> bool:
    try:
        bearer_token(arrival.authorization, other_transport=arrival.in_query)
    except TokenRefused as refusal:
        return refusal.code == "token_missing"
    return False


def _demand_of(view: "APIView | None", door: Door) -> Demand:
    """Find what the view demands by itself, so that a token that is not enough is judged, and counted, once."""
    # It imports what the site's defaults name, which may be classes that are made by this module.
    from rest_framework.views import APIView  # noqa: PLC0415 - see above

    # What get_permissions of its own gives for this request is known when the framework asks for it, not before.
    if view is not None and type(view).get_permissions is APIView.get_permissions:
        for permission in view.permission_classes:
            if isinstance(permission, type) and issubclass(permission, TokenPermission) and permission.door is door:
                return permission.demand
    return _NO_DEMAND
