import time

import pytest

from sealring_verify.testing import Clock


def test_it_runs_as_the_machines_clock_does_and_is_moved_ahead() -> None:
    moves = []
    clock = Clock(lambda: moves.append(clock()))
    assert abs(clock() - time.time()) < 1
    assert abs(clock.monotonic() - time.monotonic()) < 1
    clock.move(600)
    assert abs(clock() - time.time() - 600) < 1
    assert abs(clock.monotonic() - time.monotonic() - 600) < 1
    assert [abs(at - time.time() - 600) < 1 for at in moves] == [True]


def test_time_never_goes_back() -> None:
    clock = Clock()
    with pytest.raises(ValueError, match=r"Issuer\.skew"):
        clock.move(-1)
    assert abs(clock() - time.time()) < 1
