import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sealring_verify.client_credentials import client_credentials_request
from sealring_verify.errors import TokenUnavailable
from sealring_verify.token_supply import TokenSupply

if TYPE_CHECKING:
    from conftest import Hand, LocalIssuer


@pytest.fixture
def supply(issuer: "LocalIssuer", hand: "Hand") -> TokenSupply:
    request = client_credentials_request(
        client_id="reports", client_secret="slc_geheim", audience="orders", scope="orders:read"
    )
    return TokenSupply(issuer.url, request, monotonic=hand)


def _landed(supply: TokenSupply) -> None:
    deadline = time.monotonic() + 5
    while supply._flight is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_token_is_fetched_once_and_the_metadata_with_it(
    supply: TokenSupply, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    assert [supply.obtain() for _ in range(5)] == ["t1"] * 5
    hand.now += 539
    assert supply.obtain() == "t1"
    assert issuer.requests == [issuer.metadata_path, "/token"]


def test_a_hundred_threads_make_one_request(supply: TokenSupply, issuer: "LocalIssuer") -> None:
    issuer.delay_once(issuer.metadata_path, 0.2)
    found: list[str] = []
    threads = [threading.Thread(target=lambda: found.append(supply.obtain())) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["t1"] * 100
    assert issuer.requests.count("/token") == 1


async def test_a_hundred_tasks_make_one_request_and_the_loop_goes_on(
    supply: TokenSupply, issuer: "LocalIssuer"
) -> None:
    issuer.delay_once(issuer.metadata_path, 0.3)
    waiting = [asyncio.create_task(supply.obtain_async()) for _ in range(100)]
    turns = 0
    while not all(task.done() for task in waiting):
        await asyncio.sleep(0.005)
        turns += 1
    assert {task.result() for task in waiting} == {"t1"}
    assert issuer.requests.count("/token") == 1
    assert turns > 10


async def test_a_caller_that_goes_away_leaves_the_flight_to_the_others(
    supply: TokenSupply, issuer: "LocalIssuer"
) -> None:
    issuer.delay_once(issuer.metadata_path, 0.2)
    gone, stays = asyncio.create_task(supply.obtain_async()), asyncio.create_task(supply.obtain_async())
    await asyncio.sleep(0.05)
    gone.cancel()
    assert await stays == "t1"
    assert gone.cancelled()


def test_the_old_token_is_used_while_the_next_one_is_fetched(
    supply: TokenSupply, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    supply.obtain()
    release = threading.Event()
    issuer.faults["/token"] = lambda: (
        issuer.faults.pop("/token") and release.wait(5) and issuer.reply("/token", None, b"")
    )
    hand.now += 540
    began = time.monotonic()
    assert [supply.obtain() for _ in range(20)] == ["t1"] * 20
    assert time.monotonic() - began < 2
    release.set()
    _landed(supply)
    assert supply.obtain() == "t2"
    assert issuer.requests.count("/token") == 2


def test_while_the_issuer_is_down_the_old_token_serves_and_then_the_failure_is_said(
    supply: TokenSupply, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    supply.obtain()
    port = issuer.port
    issuer.stop()
    hand.now += 540
    assert supply.obtain() == "t1"
    _landed(supply)
    hand.now += 54
    assert supply.obtain() == "t1"
    _landed(supply)
    hand.now += 1
    with pytest.raises(TokenUnavailable) as refused:
        supply.obtain()
    assert refused.value.code == "issuer_unreachable"
    assert refused.value.__context__ is None
    assert "geheim" not in str(refused.value)
    issuer.start(port)
    hand.now += refused.value.retry_after
    assert supply.obtain() == "t2"


def test_an_issuer_that_is_down_at_start_is_asked_once_per_pause(
    supply: TokenSupply, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    for _ in range(20):
        with pytest.raises(TokenUnavailable, match="issuer_unreachable"):
            supply.obtain()
    assert len(issuer.requests) == 1
    issuer.faults.clear()
    hand.now += 1
    assert supply.obtain() == "t1"


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "https://evil.example/token"}, {"token_endpoint": None}],
)
def test_foreign_metadata_never_gets_the_secret(
    supply: TokenSupply, issuer: "LocalIssuer", change: dict[str, str]
) -> None:
    issuer.metadata |= change
    with pytest.raises(TokenUnavailable) as refused:
        supply.obtain()
    assert refused.value.code == "token_endpoint_unknown"
    assert issuer.token_requests == []


def test_a_redirect_of_the_token_endpoint_is_not_followed(supply: TokenSupply, issuer: "LocalIssuer") -> None:
    issuer.faults["/token"] = lambda: (307, {"Location": f"{issuer.url}/elsewhere/token"}, b"")
    with pytest.raises(TokenUnavailable, match="token_request_refused"):
        supply.obtain()
    assert issuer.token_requests == []


def test_a_token_endpoint_that_moved_is_looked_up_again(
    supply: TokenSupply, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    supply.obtain()
    issuer.faults["/token"] = lambda: (404, {}, b"")
    issuer.metadata["token_endpoint"] = f"{issuer.url}/v2/token"
    hand.now += 540
    supply.obtain()
    _landed(supply)
    hand.now += 1
    supply.obtain()
    _landed(supply)
    assert supply.obtain() == "t2"


def test_a_refused_token_is_replaced_by_one_flight(supply: TokenSupply, issuer: "LocalIssuer") -> None:
    supply.obtain()
    found: list[str] = []

    def replace() -> None:
        supply.drop("t1")
        found.append(supply.obtain())

    threads = [threading.Thread(target=replace) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["t2"] * 50
    assert issuer.requests.count("/token") == 2


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking so is the point
def test_a_child_has_its_own_flight_and_lock(supply: TokenSupply, issuer: "LocalIssuer") -> None:
    release = threading.Event()
    issuer.faults["/token"] = lambda: (
        issuer.faults.pop("/token") and release.wait(5) and issuer.reply("/token", None, b"")
    )
    parent = threading.Thread(target=supply.obtain)
    parent.start()
    while "/token" not in issuer.requests:
        time.sleep(0.005)
    # Forked in the middle of a flight whose thread the child does not have, and with the lock held.
    with supply._lock:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if supply.obtain() == "t1" else 2
            finally:
                os._exit(code)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        release.set()
        parent.join()


def test_a_process_that_can_start_no_thread_goes_on_with_its_token(
    supply: TokenSupply, hand: "Hand", monkeypatch: pytest.MonkeyPatch
) -> None:
    supply.obtain()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    hand.now += 540
    assert supply.obtain() == "t1"
    hand.now += 60
    with pytest.raises(TokenUnavailable, match="issuer_unreachable"):
        supply.obtain()
