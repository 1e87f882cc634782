"""The FastAPI door: `Depends(verifier.require("orders:read"))` gives the endpoint its AccessToken."""

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from typing import Annotated

from fastapi import FastAPI, HTTPException, Request, Security, WebSocketException, routing, status
from fastapi.requests import HTTPConnection
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from sealring_verify.bearer import refusal_body
from sealring_verify.claims import AccessToken
from sealring_verify.errors import TokenRefused
from sealring_verify.integrations import asgi
from sealring_verify.integrations.door import DEMANDS_TOKEN, Arrival, Door


class _Bearer(HTTPBearer):
    """Shows the scheme in the generated documentation, and does nothing else."""

    async def __call__(self, _connection: HTTPConnection) -> None:
        return None


_bearer = _Bearer(scheme_name="AccessToken", bearerFormat="JWT")


class RequestRefused(HTTPException):
    """The answer to a request whose token was refused; `refusal` says why.

    With `Verifier.install(app)` its body is the flat object of `refusal_body`; without, FastAPI's own handler puts the
    same object under `detail`, with the same status and headers.
    """

    def __init__(self, refusal: TokenRefused, headers: dict[str, str]) -> None:
        super().__init__(refusal.status, detail=refusal_body(refusal), headers=headers)
        self.refusal = refusal


class Verifier(Door):
    """A verifier for FastAPI endpoints."""

    def install(self, app: FastAPI) -> None:
        """Make the application answer refusals with a flat JSON object: `error`, `error_description`, `code`.

        Where the verifier was told its `resource`, the application also serves the metadata document of RFC 9728.
        """
        app.add_exception_handler(RequestRefused, _answer_refusal)
        if self.resource is not None:

            async def protected_resource(_request: Request) -> JSONResponse:
                return JSONResponse(self.metadata())

            setattr(protected_resource, asgi.SERVES_METADATA, True)
            app.add_route(self.metadata_path(), protected_resource, include_in_schema=False)

    def require(
        self, *scopes: str, acr: str | Sequence[str] = (), max_age: int | None = None
    ) -> Callable[..., Awaitable[AccessToken]]:
        """Make a dependency that demands a good token with all these scopes, and gives it to the endpoint.

        Without scopes any good token will do. `acr`, one or several with the preferred one first, and `max_age` in
        seconds demand a stronger or a more recent sign-in. The generated documentation shows a bearer scheme and the
        scopes. Answers: 401 for a missing or bad token and for a sign-in that is not enough (RFC 9470), 403 for a
        missing scope, 400 for a token in a forbidden place, 503 with Retry-After where the issuer cannot be asked; a
        WebSocket is refused before its handshake. ValueError for what is no scope, no acr, no number of seconds.
        """
        demand = self.demand(scopes, acr, max_age)

        async def authorize(
            connection: HTTPConnection, _shown_in_docs: Annotated[None, Security(_bearer, scopes=scopes)]
        ) -> AccessToken:
            arrival = Arrival(
                authorization=connection.headers.getlist("authorization"),
                in_query="access_token" in connection.query_params,
                client_address=None if connection.client is None else connection.client.host,
            )
            try:
                return await self.admit_async(arrival, demand)
            except TokenRefused as refusal:
                if connection.scope["type"] == "websocket":
                    raise WebSocketException(status.WS_1008_POLICY_VIOLATION, refusal.code) from None
                raise RequestRefused(refusal, self.refusal_headers(refusal)) from None

        setattr(authorize, DEMANDS_TOKEN, True)
        return authorize


def unprotected_routes(app: FastAPI) -> tuple[str, ...]:
    """List the routes that no requirement protects, as `GET /health`; `*` stands for any method.

    FastAPI's own pages are among them while they are on. The metadata document of RFC 9728 is not.
    """
    return asgi.unprotected_routes(app, routes_of=_routes_of, is_protected=_is_protected)


def _routes_of(routes: Iterable[object]) -> Iterator[object]:
    # Since it includes routers without copying their routes, FastAPI has this function; before, there was no need.
    iterate = getattr(routing, "iter_route_contexts", iter)
    yield from iterate(routes)


def _is_protected(route: object) -> bool:
    waiting = [getattr(route, "dependant", None)]
    while waiting:
        dependant = waiting.pop()
        if dependant is not None:
            if hasattr(dependant.call, DEMANDS_TOKEN):
                return True
            waiting += dependant.dependencies
    return False


async def _answer_refusal(_request: Request, refused: Exception) -> JSONResponse:
    if not isinstance(refused, RequestRefused):
        raise refused
    return JSONResponse(refused.detail, status_code=refused.status_code, headers=refused.headers)
