import time
from pathlib import Path

from sealring.clocks import OffsetClock, ServiceClockReading, wall_clock
from sealring.protocol.instant import ServiceInstant


def test_the_wall_clock_tells_milliseconds() -> None:
    before = time.time() * 1000
    assert before - 1 <= wall_clock() <= time.time() * 1000 + 1


def test_the_service_clock_goes_on_from_what_was_kept_and_never_back() -> None:
    clock = ServiceClockReading(ServiceInstant(5000))
    readings = [clock() for _ in range(100)]
    assert 5000 <= readings[0] < 6000
    assert readings == sorted(readings)
    time.sleep(0.02)
    assert clock() >= readings[0] + 20


def test_the_service_clock_is_in_use_from_its_first_reading_on() -> None:
    clock = ServiceClockReading(ServiceInstant(0))
    clock.peek()
    assert not clock.is_in_use()
    clock()
    assert clock.is_in_use()


def test_the_demos_clock_is_moved_by_the_seconds_in_its_file(tmp_path: Path) -> None:
    file = tmp_path / "offset"
    file.write_text("3600\n")
    assert abs(OffsetClock(file)() - wall_clock() - 3_600_000) < 1000


def test_without_a_number_in_the_file_the_demos_clock_is_the_walls(tmp_path: Path) -> None:
    file = tmp_path / "offset"
    assert abs(OffsetClock(file)() - wall_clock()) < 1000
    file.write_text("soon")
    assert abs(OffsetClock(file)() - wall_clock()) < 1000


def test_the_service_clock_catches_up_with_another_nodes_and_never_goes_back() -> None:
    clock = ServiceClockReading(ServiceInstant(5000))
    clock.catch_up(ServiceInstant(4000))
    assert 5000 <= clock() < 6000
    clock.catch_up(ServiceInstant(90_000))
    assert 90_000 <= clock() < 91_000
