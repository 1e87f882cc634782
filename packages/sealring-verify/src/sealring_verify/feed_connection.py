"""The sockets of the revocation feed: snapshots, polls, the stream, reports; bounded, no redirects, no proxies."""

import base64
import time
from collections.abc import Generator
from urllib.parse import quote_plus, urlencode

import httpx
import msgspec

from sealring_verify.fetch import FAILURES, tls_context
from sealring_verify.issuer_metadata import IssuerMetadata
from sealring_verify.jose.json_object import parse_json_object
from sealring_verify.jwks import FetchedJwks
from sealring_verify.revocation_feed import MAX_MESSAGE_LENGTH
from sealring_verify.server_sent_events import EventReader

FIRST_MESSAGE_SECONDS = 5.0
_TIMEOUT_SECONDS = 5.0
# A message of many megabytes takes its time; one that crawls is given up.
_TRANSFER_SECONDS = 30.0
_MAX_JWKS_LENGTH = 256 * 1024
_LONGEST_RETRY_AFTER = 60.0


class FeedFailed(Exception):  # noqa: N818 - it reads as what happened
    """The feed gave no usable answer; the text says why, for the operator. `retry_after`: seconds, if it said so."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class CredentialRefused(FeedFailed):
    """401: nothing will change until somebody mends the credential."""


class FeedGap(FeedFailed):
    """410: the feed cannot go on from this position."""


class StreamSilent(FeedFailed):
    """No first message came in time: something between holds the stream back."""


class Pulled(msgspec.Struct, frozen=True, kw_only=True):
    """One message, and the ETag that named its position."""

    message: bytes
    etag: str | None


class FeedConnection:
    """One client of one issuer's feed, used by one thread. Its repr shows no credential."""

    def __init__(self, metadata: IssuerMetadata, *, audience: str, api_key: str) -> None:
        if metadata.revocation_endpoint is None or metadata.revocation_jwks_uri is None:
            raise ValueError("the issuer's metadata names no revocation feed")
        self._metadata = metadata
        self._endpoint = metadata.revocation_endpoint
        self._jwks_uri = metadata.revocation_jwks_uri
        credential = base64.b64encode(f"{quote_plus(audience)}:{quote_plus(api_key)}".encode()).decode()
        self._authorization = {"Authorization": f"Basic {credential}"}
        self._client = httpx.Client(
            verify=tls_context(),
            trust_env=False,
            timeout=_TIMEOUT_SECONDS,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
        )

    def close(self) -> None:
        """Close all sockets."""
        self._client.close()

    def fetch_keys(self) -> FetchedJwks:
        """Fetch the feed's keys; the credential stays at home. Raises FeedFailed."""
        response, body = self._exchange("GET", self._jwks_uri, longest=_MAX_JWKS_LENGTH, headers={})
        if response.status_code != 200:
            raise FeedFailed(f"{self._jwks_uri} answered {response.status_code}")
        return FetchedJwks(metadata=self._metadata, document=body, cache_control=response.headers.get("cache-control"))

    def fetch_snapshot(self) -> Pulled:
        """Fetch a snapshot. Raises FeedFailed and its kinds."""
        return self._pull(f"{self._endpoint}/snapshot", {})

    def poll(self, *, after: int, nonce: str | None, wait: int = 0, etag: str | None = None) -> Pulled:
        """Ask for what follows a position; `wait`: seconds that the issuer may wait for news. Raises as above."""
        query = {"after": str(after), "wait": str(wait)} | ({} if nonce is None else {"nonce": nonce})
        headers = {} if etag is None else {"If-None-Match": etag}
        return self._pull(f"{self._endpoint}?{urlencode(query)}", headers, wait=wait)

    def stream(self, *, after: int, nonce: str) -> Generator[bytes | None]:
        """Open the stream and yield None once it is open, then each message, for ever. Raises as above.

        StreamSilent where no first message comes within `FIRST_MESSAGE_SECONDS`.
        """
        url = f"{self._endpoint}?{urlencode({'after': str(after), 'nonce': nonce})}"
        headers = {"Accept": "text/event-stream", **self._authorization}
        heard, since = False, time.monotonic()
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                self._check(response, url)
                yield None
                events = EventReader(MAX_MESSAGE_LENGTH)
                for chunk in response.iter_raw():
                    for message in events.feed(chunk):
                        heard, since = True, time.monotonic()
                        yield message
                        since = time.monotonic()
                    _refuse_silence(since, heard=heard)
        except FAILURES as error:
            if isinstance(error, httpx.ReadTimeout) and not heard:
                raise StreamSilent("the stream stays silent: something between holds it back") from error
            raise FeedFailed(f"{type(error).__name__}: {error}") from error
        raise FeedFailed("the stream ended")

    def post_report(self, body: bytes) -> None:
        """Send one report. Raises FeedFailed."""
        url = self._endpoint.removesuffix("/revocations") + "/reports"
        headers = {**self._authorization, "Content-Type": "application/json"}
        response, _ = self._exchange("POST", url, longest=_MAX_JWKS_LENGTH, headers=headers, content=body)
        if response.status_code != 204:
            raise FeedFailed(f"{url} answered {response.status_code}")

    def _pull(self, url: str, headers: dict[str, str], wait: int = 0) -> Pulled:
        response, body = self._exchange(
            "GET", url, longest=2 * MAX_MESSAGE_LENGTH, headers={**headers, **self._authorization}, wait=wait
        )
        etag = response.headers.get("etag")
        checkpoint = response.headers.get("sealring-checkpoint")
        if response.status_code == 304 and checkpoint is not None:
            return Pulled(message=checkpoint.encode("utf-8", "replace"), etag=etag)
        self._check(response, url)
        try:
            message = parse_json_object(body).get("message")
        except ValueError:
            message = None
        if not isinstance(message, str):
            raise FeedFailed(f"{url} answered without a message")
        return Pulled(message=message.encode("utf-8", "surrogatepass"), etag=etag)

    def _exchange(
        self, method: str, url: str, *, longest: int, headers: dict[str, str], content: bytes = b"", wait: int = 0
    ) -> tuple[httpx.Response, bytes]:
        timeout = httpx.Timeout(_TIMEOUT_SECONDS, read=_TIMEOUT_SECONDS + wait)
        deadline = time.monotonic() + _TRANSFER_SECONDS + wait
        body = bytearray()
        try:
            with self._client.stream(method, url, headers=headers, content=content, timeout=timeout) as response:
                for chunk in response.iter_raw():
                    body += chunk
                    if len(body) > longest or time.monotonic() > deadline:
                        raise FeedFailed(f"{url} answered too much, or too slowly")
        except FAILURES as error:
            raise FeedFailed(f"{type(error).__name__}: {error}") from error
        return response, bytes(body)

    def _check(self, response: httpx.Response, url: str) -> None:
        status = response.status_code
        if status == 200:
            return
        if status == 401:
            raise CredentialRefused("the issuer refuses this API's credential: check SEALRING_API_KEY")
        if status == 410:
            raise FeedGap("the feed cannot go on from this position")
        # A redirect is refused here as well: the credential goes to the address that the metadata names, or nowhere.
        raise FeedFailed(f"{url.partition('?')[0]} answered {status}", _retry_after(response))


def _refuse_silence(since: float, *, heard: bool) -> None:
    # A read has a timeout of its own; this one is for octets that trickle and never make a message.
    silent = time.monotonic() - since
    if not heard and silent > FIRST_MESSAGE_SECONDS:
        raise StreamSilent("the stream brings octets and no message: something between holds it back")
    if silent > _TRANSFER_SECONDS:
        raise FeedFailed("the stream brings octets and no message")


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return min(float(text), _LONGEST_RETRY_AFTER) if text.isascii() and text.isdigit() and len(text) < 9 else None
