"""A service that calls an API in its own name: its token as httpx authentication, and bare for every other client."""

import os
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Generator
from typing import Self

import httpx

from sealring_verify.bearer import asks_for_another_token
from sealring_verify.client_credentials import client_credentials_request
from sealring_verify.errors import TokenUnavailable
from sealring_verify.issuer_metadata import parse_issuer
from sealring_verify.token_supply import TokenSupply
from sealring_verify.verifier import seconds_awake_or_asleep

Origin = tuple[str, str, int | None]


class ServiceToken(httpx.Auth):
    """The access token of a client for one API (RFC 6749 §4.4): fetched, cached, renewed ahead, by one flight for all.

    `issuer` is its identifier, exactly; `audience` the identifier of the API that is called; `scope` what the calls
    need, single spaces between. It goes to the API's `origins` alone: by default that of the audience where it is a
    URL, else the first that it is used for. Any number of threads, event loops and forked workers share one. What
    cannot work is a ValueError here.
    """

    def __init__(  # noqa: PLR0917 - who asks whom for what; no two of them make a pair
        self,
        issuer: str,
        client_id: str,
        client_secret: str,
        audience: str,
        scope: str,
        *,
        origins: Collection[str] = (),
        monotonic: Callable[[], float] = seconds_awake_or_asleep,
    ) -> None:
        self.issuer = parse_issuer(issuer)
        self.client_id = client_id
        self.audience = audience
        request = client_credentials_request(
            client_id=client_id, client_secret=client_secret, audience=audience, scope=scope
        )
        self._supply = TokenSupply(self.issuer, request, monotonic=monotonic)
        self._origins = _checked_origins(origins, audience)

    def __repr__(self) -> str:
        return f"ServiceToken(issuer={self.issuer!r}, client_id={self.client_id!r}, audience={self.audience!r})"

    @classmethod
    def from_environment(cls, audience: str, scope: str, *, origins: Collection[str] = ()) -> Self:
        """Make one from SEALRING_ISSUER, SEALRING_CLIENT_ID and SEALRING_CLIENT_SECRET; the code says what it calls.

        SEALRING_AUDIENCE has no say: it names what the service itself is.
        """
        names = ("SEALRING_ISSUER", "SEALRING_CLIENT_ID", "SEALRING_CLIENT_SECRET")
        missing = [name for name in names if not os.environ.get(name)]
        if missing:
            raise ValueError(f"set {' and '.join(missing)} in the environment")
        issuer, client_id, client_secret = (os.environ[name] for name in names)
        return cls(issuer, client_id, client_secret, audience, scope, origins=origins)

    def token(self) -> str:
        """Give a living token, for a client that is not httpx. Raises TokenUnavailable.

        It may wait for the network, so a coroutine awaits `token_async`.
        """
        return self._supply.obtain()

    async def token_async(self) -> str:
        """Give a living token as `token` does, without ever blocking the event loop."""
        return await self._supply.obtain_async()

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send a request with the token, and once more with another one where the API refuses the first."""
        self._refuse_foreign_origin(request.url)
        token = self._supply.obtain()
        response = yield _with_token(request, token)
        if _refuses(response, token):
            self._supply.drop(token)
            another = self._supply.obtain() if _can_repeat(request, response) else token
            if another != token:
                yield _with_token(request, another)

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Do what `sync_auth_flow` does, without blocking the event loop."""
        self._refuse_foreign_origin(request.url)
        token = await self._supply.obtain_async()
        response = yield _with_token(request, token)
        if _refuses(response, token):
            self._supply.drop(token)
            another = await self._supply.obtain_async() if _can_repeat(request, response) else token
            if another != token:
                yield _with_token(request, another)

    def _refuse_foreign_origin(self, url: httpx.URL) -> None:
        if not self._origins:
            with _pinning:
                self._origins = self._origins or frozenset({_checked_origin(url)})
        if _origin(url) not in self._origins:
            raise TokenUnavailable(
                "foreign_origin", f"The token is for {self.audience}, and does not go to {url.scheme}://{url.host}."
            )


# Held for a moment, until a token has its origin.
_pinning = threading.Lock()


def _after_fork() -> None:
    global _pinning  # noqa: PLW0603 - whoever held it stayed in the parent
    _pinning = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def _refuses(response: httpx.Response, token: str) -> bool:
    # After a redirect elsewhere, where the token did not go, a 401 says nothing about it.
    carried = response.request.headers.get("Authorization") == f"Bearer {token}"
    challenges = response.headers.get_list("www-authenticate")
    return carried and response.status_code == 401 and asks_for_another_token(challenges)


def _can_repeat(request: httpx.Request, response: httpx.Response) -> bool:
    # A body from a file or a generator is gone. And what was answered by a redirect may have been done (303): only the
    # request that was itself refused is sent again. Otherwise the caller sees the 401, and the next call does better.
    return response.request is request and isinstance(request.stream, httpx.ByteStream)


def _with_token(request: httpx.Request, token: str) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {token}"
    return request


def _checked_origins(origins: Collection[str], audience: str) -> frozenset[Origin]:
    if isinstance(origins, str):
        raise ValueError("origins must be a list such as ['https://orders.example.com']")  # noqa: TRY004 - as below
    named = origins or ([audience] if audience.startswith(("https://", "http://")) else [])
    try:
        return frozenset(_checked_origin(httpx.URL(origin)) for origin in named)
    except (httpx.InvalidURL, TokenUnavailable):
        raise ValueError(f"origins must be https URLs, http is for loopback only: {', '.join(named)}") from None


def _checked_origin(url: httpx.URL) -> Origin:
    # RFC 6750 §5.3: a bearer token never goes where somebody listens in.
    try:
        parse_issuer(f"{url.scheme}://{url.netloc.decode('ascii')}")
    except ValueError:
        raise TokenUnavailable(
            "foreign_origin", f"A token goes to https URLs only, http is for loopback: {url.scheme}://{url.host}."
        ) from None
    return _origin(url)


def _origin(url: httpx.URL) -> Origin:
    return url.scheme, url.host, url.port or {"https": 443, "http": 80}.get(url.scheme)
