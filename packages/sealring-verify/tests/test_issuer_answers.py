import asyncio
import os
import threading
from typing import TYPE_CHECKING

import pytest

from sealring_verify.errors import IntrospectionUnavailable, InvalidToken
from sealring_verify.introspection import IntrospectionClient
from sealring_verify.issuer_answers import IssuerAnswers
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.jwks import JwksPolicy

if TYPE_CHECKING:
    from conftest import Hand, LocalIssuer


def judge(status: int, body: bytes) -> str:
    if status == 503:
        raise IntrospectionUnavailable("introspection_unavailable", "as told")
    if body == b"no":
        raise InvalidToken("token_inactive")
    return body.decode()


def answers_of(issuer: "LocalIssuer", hand: "Hand", endpoint: str | None = None) -> IssuerAnswers[str]:
    return IssuerAnswers(
        client=IntrospectionClient(client_id="orders", client_secret="s", endpoint=endpoint),
        issuer_keys=IssuerKeys(issuer.url, monotonic=hand, policy=JwksPolicy(), metadata_only=True),
        judge=judge,
        counts_for=lambda answer: float(len(answer)),
        monotonic=hand,
    )


def answer_with(issuer: "LocalIssuer", body: bytes) -> None:
    issuer.faults["/introspect"] = lambda: (200, {}, body)


def test_an_answer_counts_as_long_as_it_says_from_when_it_was_asked_for(issuer: "LocalIssuer", hand: "Hand") -> None:
    answers = answers_of(issuer, hand)
    answer_with(issuer, b"four")
    assert answers.recall(b"d") is None
    assert answers.ask("token", b"d") == "four"
    hand.now += 3.9
    assert (answers.recall(b"d"), len(answers)) == ("four", 1)
    hand.now += 0.1
    assert answers.recall(b"d") is None


@pytest.mark.parametrize(("reply", "code"), [((200, {}, b"no"), "token_inactive"), ((503, {}, b""), "as told")])
async def test_a_refusal_counts_for_two_seconds_and_is_raised_anew_each_time(
    issuer: "LocalIssuer", hand: "Hand", reply: tuple[int, dict[str, str], bytes], code: str
) -> None:
    answers = answers_of(issuer, hand)
    issuer.faults["/introspect"] = lambda: reply
    raised = []
    with pytest.raises((InvalidToken, IntrospectionUnavailable), match=code) as refused:
        answers.ask("token", b"d")
    raised.append(refused.value)
    hand.now += 1.9
    with pytest.raises((InvalidToken, IntrospectionUnavailable), match=code) as refused:
        answers.recall(b"d")
    raised.append(refused.value)
    with pytest.raises((InvalidToken, IntrospectionUnavailable), match=code) as refused:
        await answers.ask_async("token", b"d")
    raised.append(refused.value)
    assert len({id(one) for one in raised}) == 3
    hand.now += 2
    assert answers.recall(b"d") is None


def test_all_who_ask_the_same_at_once_share_one_question(issuer: "LocalIssuer", hand: "Hand") -> None:
    answers = answers_of(issuer, hand)
    going = threading.Event()

    def held() -> tuple[int, dict[str, str], bytes]:
        going.wait(5)
        return 200, {}, b"answer"

    issuer.faults["/introspect"] = held
    told: list[str] = []
    threads = [threading.Thread(target=lambda: told.append(answers.ask("token", b"d"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    issuer.until(lambda: issuer.requests.count("/introspect") == 1)
    going.set()
    for thread in threads:
        thread.join()
    assert told == ["answer"] * 8
    assert issuer.requests.count("/introspect") == 1


async def test_an_endpoint_that_was_told_needs_no_metadata(issuer: "LocalIssuer", hand: "Hand") -> None:
    answers = answers_of(issuer, hand, f"{issuer.url}/introspect")
    answer_with(issuer, b"answer")
    assert await answers.ask_async("token", b"d") == answers.ask("token", b"e") == "answer"
    assert issuer.requests == ["/introspect"] * 2


async def test_without_an_endpoint_nobody_is_asked(issuer: "LocalIssuer", hand: "Hand") -> None:
    del issuer.metadata["introspection_endpoint"]
    answers = answers_of(issuer, hand)
    with pytest.raises(IntrospectionUnavailable, match="no introspection_endpoint"):
        answers.ask("token", b"d")
    with pytest.raises(IntrospectionUnavailable, match="no introspection_endpoint"):
        await answers.ask_async("token", b"d")


def test_answers_are_bounded(issuer: "LocalIssuer", hand: "Hand", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sealring_verify.issuer_answers._MAX_ANSWERS", 3)
    answers = answers_of(issuer, hand)
    answer_with(issuer, b"answer")
    for number in range(8):
        answers.ask("token", bytes([number]))
        assert len(answers) <= 3


async def test_whoever_goes_away_leaves_the_answer_to_the_others(issuer: "LocalIssuer", hand: "Hand") -> None:
    answers = answers_of(issuer, hand, f"{issuer.url}/introspect")
    going = threading.Event()

    def held() -> tuple[int, dict[str, str], bytes]:
        going.wait(5)
        return 200, {}, b"answer"

    issuer.faults["/introspect"] = held
    gone = asyncio.create_task(answers.ask_async("token", b"d"))
    other = asyncio.create_task(answers.ask_async("token", b"d"))
    await asyncio.to_thread(issuer.until, lambda: issuer.requests.count("/introspect") == 1)
    gone.cancel()
    going.set()
    assert await other == "answer"


def test_a_child_process_asks_by_itself(issuer: "LocalIssuer", hand: "Hand") -> None:
    answers = answers_of(issuer, hand, f"{issuer.url}/introspect")
    answer_with(issuer, b"answer")
    assert answers.ask("token", b"d") == "answer"
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, answers.ask("token", b"e").encode())
        os._exit(0)
    os.close(writer)
    assert os.waitpid(child, 0)[1] == 0
    assert os.read(reader, 10) == b"answer"
    os.close(reader)
