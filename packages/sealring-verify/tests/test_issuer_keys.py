import asyncio
import os
import threading
import time
from typing import TYPE_CHECKING

import pytest

from sealring_verify.errors import KeysUnavailable
from sealring_verify.issuer_keys import IssuerKeys
from sealring_verify.jwks import JwksPolicy

if TYPE_CHECKING:
    from conftest import Hand, LocalIssuer


@pytest.fixture
def keys(issuer: "LocalIssuer", hand: "Hand") -> IssuerKeys:
    return IssuerKeys(issuer.url, monotonic=hand, policy=JwksPolicy())


def _landed(keys: IssuerKeys) -> None:
    deadline = time.monotonic() + 5
    while keys._flight is not None:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_keys_are_fetched_once_and_kept(keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand") -> None:
    first = keys.obtain()
    hand.now += 239
    assert keys.obtain() is first
    assert issuer.requests.count("/jwks") == 1


def test_keys_are_fetched_anew_before_they_are_stale_and_nobody_waits(
    keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    first = keys.obtain()
    issuer.rotate_key("k2")
    hand.now += 240
    assert keys.state.freshness(policy=keys.policy, now=hand.now) == "fresh"
    assert keys.obtain() is first
    _landed(keys)
    assert [key.kid for key in keys.obtain().keys] == ["k1", "k2"]
    assert issuer.requests.count("/jwks") == 2


def test_stale_keys_are_used_while_new_ones_are_fetched(keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand") -> None:
    first = keys.obtain()
    issuer.rotate_key("k2")
    hand.now += 301
    began = time.monotonic()
    issuer.faults["/jwks"] = lambda: (
        time.sleep(0.3) or (issuer.faults.pop("/jwks") and issuer.reply("/jwks", None, b""))
    )
    assert keys.obtain() is first
    assert time.monotonic() - began < 0.2
    _landed(keys)
    assert [key.kid for key in keys.obtain().keys] == ["k1", "k2"]


def test_many_threads_make_one_flight(keys: IssuerKeys, issuer: "LocalIssuer") -> None:
    issuer.delay_once(issuer.metadata_path, 0.2)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(keys.obtain())) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(map(id, found))) == 1
    assert issuer.requests.count("/jwks") == 1


async def test_many_coroutines_make_one_flight_and_the_loop_goes_on(keys: IssuerKeys, issuer: "LocalIssuer") -> None:
    issuer.delay_once(issuer.metadata_path, 0.3)
    waiting = [asyncio.create_task(keys.obtain_async()) for _ in range(20)]
    longest = 0.0
    while not all(task.done() for task in waiting):
        began = time.monotonic()
        await asyncio.sleep(0.005)
        longest = max(longest, time.monotonic() - began)
    assert len({id(task.result()) for task in waiting}) == 1
    assert issuer.requests.count("/jwks") == 1
    assert longest < 0.2


async def test_a_caller_that_goes_away_leaves_the_flight_to_the_others(keys: IssuerKeys, issuer: "LocalIssuer") -> None:
    issuer.faults["/jwks"] = lambda: (
        time.sleep(0.2) or (issuer.faults.pop("/jwks") and issuer.reply("/jwks", None, b""))
    )
    gone = asyncio.create_task(keys.obtain_async())
    stays = asyncio.create_task(keys.obtain_async())
    await asyncio.sleep(0.05)
    gone.cancel()
    assert [key.kid for key in (await stays).keys] == ["k1"]
    assert gone.cancelled()


def test_an_issuer_that_is_down_at_start_is_asked_once_per_pause(
    keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            keys.obtain()
    assert len(issuer.requests) == 1
    issuer.faults.clear()
    hand.now += 5
    assert keys.obtain().keys


def test_an_unknown_key_is_fetched_once_per_pause(keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand") -> None:
    first = keys.obtain()
    issuer.rotate_key("k2")
    assert keys.obtain(unknown_key=True) is first
    hand.now += 10
    assert [key.kid for key in keys.obtain(unknown_key=True).keys] == ["k1", "k2"]
    for _ in range(5):
        keys.obtain(unknown_key=True)
    assert issuer.requests.count("/jwks") == 2


def test_an_unknown_key_that_cannot_be_looked_up_is_no_fault_of_the_token(
    keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    first = keys.obtain()
    issuer.faults["/jwks"] = lambda: (500, {}, b"")
    hand.now += 10
    with pytest.raises(KeysUnavailable):
        keys.obtain(unknown_key=True)
    assert keys.obtain() is first


def test_the_last_good_set_serves_for_an_hour_while_the_issuer_is_down(
    keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    first = keys.obtain()
    issuer.faults["/jwks"] = lambda: (200, {}, b"<html>")
    hand.now += 300 + 3599
    assert keys.obtain() is first
    _landed(keys)
    assert "JSON" in str(keys.state.last_error)
    hand.now += 1
    with pytest.raises(KeysUnavailable):
        keys.obtain()


def test_a_flight_that_never_lands_does_not_keep_all_later_ones_away(
    keys: IssuerKeys, issuer: "LocalIssuer", hand: "Hand"
) -> None:
    keys.obtain()
    release = threading.Event()
    issuer.faults["/jwks"] = lambda: (release.wait(3) and (500, {}, b"")) or (500, {}, b"")
    hand.now += 301
    keys.obtain()
    lost = keys._flight
    assert lost is not None
    issuer.faults.clear()
    hand.now += 21
    keys.obtain()
    assert keys._flight is not lost
    release.set()
    _landed(keys)


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # forking so is the point
def test_keys_work_after_a_fork(keys: IssuerKeys, issuer: "LocalIssuer") -> None:
    release = threading.Event()
    issuer.faults["/jwks"] = lambda: issuer.faults.pop("/jwks") and release.wait(5) and issuer.reply("/jwks", None, b"")
    parent = threading.Thread(target=keys.obtain)
    parent.start()
    while "/jwks" not in issuer.requests:
        time.sleep(0.005)
    # Forked in the middle of a flight whose thread the child does not have, and with the lock held.
    with keys._lock:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                code = 0 if keys.obtain().keys else 2
            finally:
                os._exit(code)
    try:
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    finally:
        release.set()
        parent.join()


def test_metadata_alone_is_fetched_where_no_keys_are_wanted(issuer: "LocalIssuer", hand: "Hand") -> None:
    keys = IssuerKeys(issuer.url, monotonic=hand, policy=JwksPolicy(), metadata_only=True)
    assert keys.obtain().keys == ()
    assert keys.state.metadata is not None
    assert issuer.requests == [issuer.metadata_path]


async def test_metadata_is_found_both_ways_and_none_where_none_ever_came(issuer: "LocalIssuer") -> None:
    keys = IssuerKeys(issuer.url, monotonic=time.monotonic, policy=JwksPolicy(), metadata_only=True)
    found = keys.find_metadata()
    assert found is not None
    assert await keys.find_metadata_async() == found
    assert issuer.requests == [issuer.metadata_path]
    issuer.faults[issuer.metadata_path] = lambda: (500, {}, b"")
    without = IssuerKeys(issuer.url, monotonic=time.monotonic, policy=JwksPolicy(), metadata_only=True)
    assert without.find_metadata() is None
    assert await without.find_metadata_async() is None
