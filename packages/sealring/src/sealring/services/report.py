"""What the verifiers of each API last told of themselves, on this node (`POST /reports`)."""

import asyncio
from collections.abc import Mapping
from typing import Final

import msgspec

from sealring.protocol.instant import Instant
from sealring.protocol.report import Report

_MOST_VERIFIERS: Final = 4096  # of one API
_FORGOTTEN_AFTER: Final = 5 * 60 * 1000  # milliseconds


class VerifierReport(msgspec.Struct, frozen=True, kw_only=True):
    """One process's last word, and when it came."""

    report: Report
    at: Instant


class ApiReport(msgspec.Struct, frozen=True, kw_only=True):
    """What the verifiers of one API say together.

    `seen_at`: the newest word. `behind_ms`: how old the knowledge of the one that knows least was then, None where one
    knows nothing. `keys`: held by all of them. `counts`: by outcome code, each one's last ten seconds together.
    """

    verifiers: int
    seen_at: Instant
    behind_ms: int | None
    keys: tuple[str, ...]
    counts: Mapping[str, int]


class ReportBoard:
    """The last word of each verifier. In memory: whoever is alive says it again within ten seconds."""

    def __init__(self) -> None:
        self._by_api: dict[str, dict[str, VerifierReport]] = {}
        self._news = asyncio.Event()

    def take(self, identifier: str, report: Report, *, now: Instant) -> None:
        """Keep a report in place of the last one of the same verifier; the oldest goes where there are too many."""
        verifiers = self._by_api.setdefault(identifier, {})
        verifiers.pop(report.verifier, None)
        verifiers[report.verifier] = VerifierReport(report=report, at=now)
        if len(verifiers) > _MOST_VERIFIERS:
            del verifiers[next(iter(verifiers))]
        self._news.set()
        self._news = asyncio.Event()

    def verifiers(self, identifier: str, *, now: Instant) -> tuple[VerifierReport, ...]:
        """Give the words of the last five minutes, the oldest first."""
        verifiers = self._by_api.get(identifier, {})
        for name in [name for name, said in verifiers.items() if said.at < now - _FORGOTTEN_AFTER]:
            del verifiers[name]
        return tuple(verifiers.values())

    def summary(self, identifier: str, *, now: Instant) -> ApiReport | None:
        """Join the words of an API's verifiers; None where none spoke in the last five minutes."""
        said = self.verifiers(identifier, now=now)
        if not said:
            return None
        ages = [each.report.age_ms for each in said]
        counts: dict[str, int] = {}
        for each in said:
            for code, count in each.report.counts.items():
                counts[code] = counts.get(code, 0) + count
        return ApiReport(
            verifiers=len(said),
            seen_at=max(each.at for each in said),
            behind_ms=None if None in ages else max(age for age in ages if age is not None),
            keys=tuple(sorted(frozenset.intersection(*(frozenset(each.report.keys) for each in said)))),
            counts=counts,
        )

    async def wait_for_news(self, *, seconds: float) -> None:
        """Return when the next report came, or after so many seconds."""
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return
