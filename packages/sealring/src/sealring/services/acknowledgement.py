"""Who knows of an end: the operator's acts wait briefly for the verifiers' word, and say which APIs do not have it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import msgspec

from sealring.ports import Store
from sealring.protocol.api import Api, longest_access_token_lifetime
from sealring.protocol.errors import OAuthError
from sealring.protocol.instant import Instant, later
from sealring.services.report import ReportBoard, VerifierReport
from sealring.services.revocation_feed import RevocationFeed

_PATIENCE_SECONDS: Final = 2.0
_Outcome = TypeVar("_Outcome")


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads the feed from this node, and what they say."""

    feed: RevocationFeed
    reports: ReportBoard


class ApiKnowledge(msgspec.Struct, frozen=True, kw_only=True):
    """What an API knows of an act.

    `readers`: its streams on this node, all of which know where `knew_after_ms` is set. `silent`: how many of them have
    not said so. `accepts_until`: when the last token that it may still accept has expired, where it has no reader.
    """

    api: str
    readers: int
    silent: int
    knew_after_ms: int | None
    accepts_until: Instant | None


async def perform_and_wait(
    act: Callable[[], Awaitable[_Outcome]], *, store: Store, readers: Readers | None, issuer: str, now: Instant
) -> tuple[_Outcome, tuple[ApiKnowledge, ...]]:
    """Perform an act that ends something, and say who knew of it how soon; waits at most two seconds.

    Without `readers` (no server runs here) no API can know yet.
    """
    before = (await store.revocations.head()).number
    if readers is None:
        outcome = await act()
        return outcome, tuple([_unread(api, now=now) for api in await _concerned(before, store=store, issuer=issuer)])
    with readers.feed.asking_for_acknowledgement():
        outcome = await act()
        since = asyncio.get_running_loop().time()
        apis = () if isinstance(outcome, OAuthError) else await _concerned(before, store=store, issuer=issuer)
        number = (await store.revocations.head()).number
        knew: dict[str, float] = {}
        while True:
            elapsed = asyncio.get_running_loop().time() - since
            waiting = [api for api in apis if _silent(api, readers, number, now=now) > 0]
            knew |= {api.identifier: elapsed for api in apis if api not in waiting and api.identifier not in knew}
            if not waiting or elapsed >= _PATIENCE_SECONDS:
                break
            await readers.reports.wait_for_news(seconds=_PATIENCE_SECONDS - elapsed)
    return outcome, tuple(_knowledge(api, readers, number, knew.get(api.identifier), now=now) for api in apis)


async def _concerned(before: int, *, store: Store, issuer: str) -> tuple[Api, ...]:
    # The issuer's own endpoints read the session's row: they know at once.
    audiences = await store.revocations.audiences_after(before)
    apis = [api for api in await store.apis.list_all() if api.identifier != issuer]
    return tuple(api for api in apis if None in audiences or api.identifier in audiences)


def _silent(api: Api, readers: Readers, number: int, *, now: Instant) -> int:
    """Count the streams of an API whose verifiers have not said that they are beyond `number`."""
    said = readers.reports.verifiers(api.identifier, now=now)
    return readers.feed.readers(api.identifier) - sum(1 for each in said if _knows(each, number))


def _knows(said: VerifierReport, number: int) -> bool:
    return said.report.position is not None and said.report.position >= number


def _knowledge(api: Api, readers: Readers, number: int, knew_after: float | None, *, now: Instant) -> ApiKnowledge:
    streams = readers.feed.readers(api.identifier)
    if streams == 0:
        return _unread(api, now=now)
    return ApiKnowledge(
        api=api.identifier,
        readers=streams,
        silent=max(0, _silent(api, readers, number, now=now)),
        knew_after_ms=None if knew_after is None else round(knew_after * 1000),
        accepts_until=None,
    )


def _unread(api: Api, *, now: Instant) -> ApiKnowledge:
    until = later(now, longest_access_token_lifetime(api, now=now))
    return ApiKnowledge(api=api.identifier, readers=0, silent=0, knew_after_ms=None, accepts_until=until)
