"""The FastAPI door: `Depends(verifier.require("orders:read"))` gives the endpoint its AccessToken."""

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Self, Unpack

from fastapi import FastAPI, HTTPException, Request, Security
from fastapi.responses import JSONResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from sealring_verify import verifier
from sealring_verify.bearer import bearer_token, refusal_body, refusal_headers
from sealring_verify.claims import AccessToken
from sealring_verify.errors import TokenRefused
from sealring_verify.several_issuers import SeveralIssuers
from sealring_verify.verifier_options import VerifierOptions, options_from_environment
from sealring_verify.verifier_status import VerifierStatus

# RFC 6749 §3.3
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+")
_bearer = HTTPBearer(scheme_name="AccessToken", bearerFormat="JWT", auto_error=False)


class RequestRefused(HTTPException):
    """The answer to a request whose token was refused; `refusal` says why.

    With `Verifier.install(app)` its body is the flat object of `refusal_body`; without, FastAPI's own handler puts the
    same object under `detail`, with the same status and headers.
    """

    def __init__(self, refusal: TokenRefused) -> None:
        super().__init__(refusal.status, detail=refusal_body(refusal), headers=refusal_headers(refusal))
        self.refusal = refusal


class Verifier:
    """A verifier for FastAPI endpoints: takes what `sealring_verify.Verifier` takes, and holds one."""

    def __init__(self, issuer: str, audience: str, **options: Unpack[VerifierOptions]) -> None:
        self._core: verifier.Verifier | SeveralIssuers = verifier.Verifier(issuer, audience, **options)

    @classmethod
    def around(cls, core: verifier.Verifier | SeveralIssuers) -> Self:
        """Make one around a verifier that exists already: of another provider, or of several issuers."""
        made = cls.__new__(cls)
        made._core = core  # noqa: SLF001 - what __init__ would do, with a verifier at hand
        return made

    @classmethod
    def from_environment(cls) -> Self:
        """Make one from the environment, as `sealring_verify.Verifier.from_environment` does."""
        issuer, audience, options = options_from_environment()
        return cls(issuer, audience, **options)

    def install(self, app: FastAPI) -> None:
        """Make the application answer refusals with a flat JSON object: `error`, `error_description`, `code`."""
        app.add_exception_handler(RequestRefused, _answer_refusal)

    def require(self, *scopes: str) -> Callable[..., Awaitable[AccessToken]]:
        """Make a dependency that demands a good token with all these scopes, and gives it to the endpoint.

        Without scopes any good token will do. The generated documentation shows a bearer scheme and the scopes.
        Answers: 401 for a missing or bad token, 403 for a missing scope, 400 for a token in a forbidden place, 503 with
        Retry-After where the issuer cannot be asked. ValueError for what is no scope.
        """
        if not all(_SCOPE.fullmatch(scope) for scope in scopes):
            raise ValueError(f"these are not all scopes (RFC 6749 section 3.3): {scopes!r}")
        required = frozenset(scopes)

        async def authorize(
            request: Request,
            _shown_in_docs: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer, scopes=scopes)],
        ) -> AccessToken:
            client_address = None if request.client is None else request.client.host
            try:
                token = bearer_token(
                    request.headers.getlist("authorization"), other_transport="access_token" in request.query_params
                )
            except TokenRefused as refusal:
                self._core.count_refusal(refusal, client_address=client_address)
                raise RequestRefused(refusal) from None
            try:
                return await self._core.verify_async(token, scopes=required, client_address=client_address)
            except TokenRefused as refusal:
                raise RequestRefused(refusal) from None

        return authorize

    def status(self) -> VerifierStatus:
        """Say what this verifier knows, for a health page; it fetches nothing."""
        return self._core.status()


async def _answer_refusal(_request: Request, refused: Exception) -> JSONResponse:
    if not isinstance(refused, RequestRefused):
        raise refused
    return JSONResponse(refused.detail, status_code=refused.status_code, headers=refused.headers)
