"""The only sockets of this package: bounded in size and time, no redirects, no proxy or netrc from the environment."""

import contextlib
import functools
import os
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any, Self

import httpx
import msgspec

from sealring_verify.client_credentials import ClientCredentialsRequest
from sealring_verify.errors import IntrospectionUnavailable
from sealring_verify.introspection import IntrospectionRequest
from sealring_verify.issuer_metadata import (
    Discovery,
    IssuerMetadata,
    known_metadata,
    metadata_url,
    parse_metadata,
)
from sealring_verify.jwks import FetchedJwks

MAX_DOCUMENT_LENGTH = 256 * 1024
TIMEOUT_SECONDS = 5.0

# A compressed answer could be small on the wire and huge in memory.
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}
# OSError holds TimeoutError and unreadable certificate files.
FAILURES = (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError)


class FetchFailed(Exception):  # noqa: N818 - it reads as what happened
    """The issuer gave no usable document; the text says why, for the operator."""


class MetadataRefused(Exception):  # noqa: N818 - it reads as what happened
    """The metadata is not that issuer's, or makes no sense; the text says why, for the operator."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An HTTP answer of bounded size, with the headers that tell how long it is fresh."""

    status: int
    cache_control: str | None
    body: bytes
    age: str | None = None
    date: str | None = None
    expires: str | None = None


def fetch_jwks(issuer: str, discovery: Discovery | None = None) -> FetchedJwks:
    """Fetch an issuer's metadata and then its keys. Raises FetchFailed and nothing else.

    `discovery` says where those of another issuer than Sealring lie.
    """
    try:
        with httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS) as client:
            metadata = known_metadata(discovery)
            if metadata is None:
                document = _get(client, metadata_url(issuer, discovery)).body
                metadata = parse_metadata(document, issuer=issuer, discovery=discovery)
            answer = _get(client, metadata.jwks_uri)
    except FAILURES as error:
        raise FetchFailed(f"{type(error).__name__}: {error}") from error
    return FetchedJwks(
        metadata=metadata,
        document=answer.body,
        cache_control=answer.cache_control,
        age=answer.age,
        date=answer.date,
        expires=answer.expires,
    )


def fetch_metadata(issuer: str, discovery: Discovery | None = None) -> IssuerMetadata:
    """Fetch an issuer's metadata. Raises FetchFailed where none comes, MetadataRefused where it cannot be used."""
    if (known := known_metadata(discovery)) is not None:
        return known
    url = metadata_url(issuer, discovery)
    try:
        with httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS) as client:
            document = _get(client, url).body
    except FAILURES as error:
        raise FetchFailed(f"{url} could not be read ({type(error).__name__})") from error
    try:
        return parse_metadata(document, issuer=issuer, discovery=discovery)
    except ValueError as error:
        raise MetadataRefused(str(error)) from error


def fetch_document(url: str) -> bytes:
    """Fetch whatever lies at an address, within the bounds of a key set. Raises FetchFailed."""
    try:
        with httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS) as client:
            return _get(client, url).body
    except FAILURES as error:
        raise FetchFailed(f"{url} could not be read ({type(error).__name__})") from error


def ask_token_endpoint(url: str, request: ClientCredentialsRequest) -> Answer:
    """Ask a token endpoint. Raises FetchFailed, which names no cause: it would hold the request and its secret."""
    headers = {"Authorization": request.authorization, "Content-Type": "application/x-www-form-urlencoded"}
    try:
        with httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS) as client:
            return _send(client, client.build_request("POST", url, content=request.body, headers=headers))
    except FAILURES as error:
        failure = type(error).__name__
    raise FetchFailed(f"{url} could not be asked ({failure})")


def ask_introspection(question: IntrospectionRequest) -> Answer:
    """Send an introspection request. Raises IntrospectionUnavailable where no answer comes."""
    headers = {"Authorization": question.authorization, "Content-Type": "application/x-www-form-urlencoded"}
    try:
        with httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS) as client:
            return _send(client, client.build_request("POST", question.url, content=question.body, headers=headers))
    except (*FAILURES, FetchFailed):
        raise IntrospectionUnavailable("introspection_unavailable") from None


def _get(client: httpx.Client, url: str) -> Answer:
    answer = _send(client, client.build_request("GET", url))
    # A redirect is refused here as well: keys come from the address that the metadata names, or not at all.
    if answer.status != 200:
        raise FetchFailed(f"{url} answered {answer.status}")
    return answer


def _send(client: httpx.Client, request: httpx.Request) -> Answer:
    with _Deadline(request) as deadline:
        try:
            response = client.send(request, stream=True)
            try:
                body = bytearray()
                for chunk in response.iter_raw():
                    body += chunk
                    _bound(len(body))
            finally:
                response.close()
        except FAILURES:
            deadline.refuse_late()
            raise
        # What was cut may look like an end.
        deadline.refuse_late()
        return _answer(response, bytes(body))


class _Deadline:
    """Cuts the connection of a request whose time is up.

    The client's own timeout is per read, so an answer of one octet a second would never end.
    """

    def __init__(self, request: httpx.Request) -> None:
        self._url = request.url
        self._sockets: list[socket.socket] = []
        self._is_over = False
        request.extensions = {**request.extensions, "trace": self._watch}
        self._timer = threading.Timer(TIMEOUT_SECONDS, self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def refuse_late(self) -> None:
        """Raise FetchFailed where the time was up."""
        if self._is_over:
            raise FetchFailed(f"{self._url} took longer than {TIMEOUT_SECONDS:g} s")

    def _watch(self, event: str, details: Mapping[str, Any]) -> None:
        if event in {"connection.connect_tcp.complete", "connection.start_tls.complete"}:
            self._sockets.append(details["return_value"].get_extra_info("socket"))

    def _cut(self) -> None:
        self._is_over = True
        for each in self._sockets:
            with contextlib.suppress(OSError):
                # By the plain socket's own method: that of TLS would touch what the reading thread is using.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


def _bound(length: int) -> None:
    if length > MAX_DOCUMENT_LENGTH:
        raise FetchFailed(f"the answer is longer than {MAX_DOCUMENT_LENGTH} bytes")


def _answer(response: httpx.Response, body: bytes) -> Answer:
    headers = response.headers
    return Answer(
        status=response.status_code,
        cache_control=headers.get("cache-control"),
        body=body,
        age=headers.get("age"),
        date=headers.get("date"),
        expires=headers.get("expires"),
    )


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Give the one TLS context of this process."""
    # Made once: reading the certificate store takes some 20 ms. SSL_CERT_FILE and SSL_CERT_DIR are honoured.
    return httpx.create_ssl_context()


def ask_as_client(url: str, form: bytes, *, authorization: str) -> tuple[int, bytes] | None:
    """Send a form as a client of the issuer's, over a connection that stays open: status and body, None for no answer.

    It is sent once more where the connection had been closed meanwhile.
    """
    headers = {"Authorization": authorization, "Content-Type": "application/x-www-form-urlencoded"}
    for _ in range(2):
        client = _lasting_client(os.getpid())
        try:
            answer = _send(client, client.build_request("POST", url, content=form, headers=headers))
        except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
            continue
        except (*FAILURES, FetchFailed):
            return None
        return answer.status, answer.body
    return None


@functools.cache
def _lasting_client(_process: int) -> httpx.Client:
    # One for each process: a socket that a fork shares would mix up answers.
    return httpx.Client(verify=tls_context(), trust_env=False, timeout=TIMEOUT_SECONDS, headers=_HEADERS)
