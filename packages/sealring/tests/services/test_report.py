import asyncio

import msgspec

from sealring.protocol.instant import Instant, later
from sealring.protocol.report import Report
from sealring.services.report import ReportBoard

NOW = Instant(1_700_000_000_000)
SAID = Report(
    verifier="v" * 22, incarnation="0" * 32, position=7, age_ms=300, keys=("k7", "k8"), counts={"accepted": 2}, uses=()
)


def test_the_verifiers_of_an_api_are_heard_together() -> None:
    board = ReportBoard()
    other = msgspec.structs.replace(SAID, verifier="w" * 22, age_ms=900, keys=("k8",), counts={"token_expired": 1})
    board.take("orders", SAID, now=NOW)
    board.take("orders", other, now=later(NOW, 1))
    summary = board.summary("orders", now=later(NOW, 2))
    assert summary is not None
    assert (summary.verifiers, summary.seen_at, summary.behind_ms) == (2, later(NOW, 1), 900)
    assert (summary.keys, summary.counts) == (("k8",), {"accepted": 2, "token_expired": 1})
    assert board.summary("billing", now=NOW) is None


def test_one_that_knows_nothing_makes_the_apis_knowledge_unknown() -> None:
    board = ReportBoard()
    board.take("orders", SAID, now=NOW)
    board.take("orders", msgspec.structs.replace(SAID, verifier="w" * 22, position=None, age_ms=None), now=NOW)
    summary = board.summary("orders", now=NOW)
    assert summary is not None
    assert summary.behind_ms is None


def test_a_verifiers_last_word_takes_the_place_of_the_one_before() -> None:
    board = ReportBoard()
    board.take("orders", SAID, now=NOW)
    board.take("orders", msgspec.structs.replace(SAID, position=9), now=NOW)
    assert [said.report.position for said in board.verifiers("orders", now=NOW)] == [9]


def test_whoever_is_silent_for_five_minutes_is_forgotten() -> None:
    board = ReportBoard()
    board.take("orders", SAID, now=NOW)
    assert board.summary("orders", now=later(NOW, 300)) is not None
    assert board.summary("orders", now=later(NOW, 301)) is None


def test_the_oldest_word_goes_where_there_are_too_many() -> None:
    board = ReportBoard()
    for number in range(4097):
        board.take("orders", msgspec.structs.replace(SAID, verifier=f"{number:022}"), now=NOW)
    names = [said.report.verifier for said in board.verifiers("orders", now=NOW)]
    assert (len(names), names[0]) == (4096, f"{1:022}")


async def test_whoever_waits_is_woken_by_the_next_report_and_else_by_the_time() -> None:
    board = ReportBoard()
    await board.wait_for_news(seconds=0.01)
    waiting = asyncio.create_task(board.wait_for_news(seconds=30))
    await asyncio.sleep(0)
    board.take("orders", SAID, now=NOW)
    await asyncio.wait_for(waiting, timeout=5)
