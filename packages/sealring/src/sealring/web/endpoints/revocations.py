"""`/revocations`: the feed, for an API that shows its own secret (SECURITY B3; docs/reference/revocation-feed.md)."""

from collections.abc import AsyncGenerator, AsyncIterator

from sealring.browser.csp import JSON_HEADERS
from sealring.protocol.errors import OAuthError, refuse
from sealring.protocol.instant import Seconds
from sealring.protocol.report import parse_report
from sealring.protocol.revocation_feed import FeedRequest, feed_etag, parse_feed_request
from sealring.services.client_authentication import AuthenticatedApi, authenticate_api
from sealring.services.feed_channel import SignedMessage
from sealring.services.house import House
from sealring.web.exchange import Answer, Request, StreamAnswer, json_answer, no_content, refusal_answer

_EVENT_STREAM = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-content-type-options", b"nosniff"),
    # Proxies of this kind gather an answer before they pass it on, unless they are told not to.
    (b"x-accel-buffering", b"no"),
)


async def get_revocations(request: Request, house: House) -> Answer | StreamAnswer:
    """Give what follows a position: as Server-Sent Events where they are asked for, else as one JSON object."""
    reader = await _find_reader(request, house)
    if isinstance(reader, OAuthError):
        return refusal_answer(reader)
    message = parse_feed_request(request.query)
    if isinstance(message, OAuthError):
        return refusal_answer(message)
    if "text/event-stream" in request.headers.get("accept", ""):
        following = await house.feed.stream(reader, message)
        if isinstance(following, OAuthError):
            return refusal_answer(following)
        return StreamAnswer(status=200, headers=_EVENT_STREAM, chunks=lambda push: _events(following(push)))
    signed = await house.feed.message_after(reader, message)
    return refusal_answer(signed) if isinstance(signed, OAuthError) else _signed_answer(signed, request)


async def get_snapshot(request: Request, house: House) -> Answer:
    """Give all that lives, or, to who has it already, a checkpoint that says so."""
    reader = await _find_reader(request, house)
    if isinstance(reader, OAuthError):
        return refusal_answer(reader)
    head = await house.store.revocations.head()
    if feed_etag(incarnation=head.incarnation, number=head.number) in request.headers.get("if-none-match", ""):
        where = FeedRequest(after=head.number, wait=Seconds(0), nonce=None)
        checkpoint = await house.feed.message_after(reader, where)
        if isinstance(checkpoint, SignedMessage) and checkpoint.empty:
            return _unchanged(checkpoint)
    snapshot = await house.feed.snapshot(reader)
    return refusal_answer(snapshot) if isinstance(snapshot, OAuthError) else _signed_answer(snapshot, request)


async def post_reports(request: Request, house: House) -> Answer:
    """Take what a verifier tells of itself."""
    reader = await _find_reader(request, house)
    if isinstance(reader, OAuthError):
        return refusal_answer(reader)
    report = parse_report(request.body)
    if isinstance(report, OAuthError):
        return refusal_answer(report)
    house.reports.take(reader.api.identifier, report, now=house.clock())
    return no_content()


async def _find_reader(request: Request, house: House) -> AuthenticatedApi | OAuthError:
    if house.halted:
        # A store that was rolled back has forgotten ends: whoever asks must go stale.
        return refuse("store_rolled_back", retry_after=60)
    return await authenticate_api(request.headers.get("authorization"), store=house.store)


async def _events(messages: AsyncIterator[SignedMessage]) -> AsyncGenerator[bytes, None]:
    async for message in messages:
        yield message.event


def _signed_answer(message: SignedMessage, request: Request) -> Answer:
    etag = feed_etag(incarnation=message.incarnation, number=message.number)
    if message.empty and etag in request.headers.get("if-none-match", ""):
        return _unchanged(message)
    return json_answer({"message": message.token}, headers=((b"etag", etag.encode()),))


def _unchanged(checkpoint: SignedMessage) -> Answer:
    etag = feed_etag(incarnation=checkpoint.incarnation, number=checkpoint.number)
    told = ((b"etag", etag.encode()), (b"sealring-checkpoint", checkpoint.token.encode()))
    return Answer(status=304, headers=(*JSON_HEADERS, *told), body=b"")
