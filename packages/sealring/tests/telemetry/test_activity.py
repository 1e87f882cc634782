import json
import os
import time
from collections.abc import Iterator

import pytest

from sealring.protocol.activity import Activity
from sealring.protocol.instant import Instant
from sealring.telemetry.activity import ActivityLines
from sealring.telemetry.standard_output import StandardOutput

ACT = Activity(event="refresh_rotated", at=Instant(5), sub="u1", client_id="shop", sid="s", api="orders")


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


def told(reading: int) -> list[dict[str, object]]:
    return [json.loads(line) for line in os.read(reading, 65536).splitlines()]


def test_an_act_is_one_json_line_without_what_is_not_known(pipe: tuple[int, int]) -> None:
    lines = ActivityLines(StandardOutput(pipe[1]))
    lines.tell(ACT)
    lines.close()
    assert told(pipe[0]) == [
        {
            "event": "refresh_rotated",
            "level": "info",
            "at": 5,
            "outcome": "done",
            "sub": "u1",
            "client_id": "shop",
            "sid": "s",
            "api": "orders",
        }
    ]


def test_a_line_comes_without_a_stop(pipe: tuple[int, int]) -> None:
    lines = ActivityLines(StandardOutput(pipe[1]))
    lines.tell(ACT)
    assert [line["event"] for line in told(pipe[0])] == ["refresh_rotated"]
    lines.close()


@pytest.mark.parametrize("text", ["\x1b[2J", "a\nb", "\u202efdp", "\ud800", "\u2028", '"}'])
def test_text_that_would_obey_a_terminal_is_shown(pipe: tuple[int, int], text: str) -> None:
    lines = ActivityLines(StandardOutput(pipe[1]))
    lines.tell(Activity(event="refresh_rotated", at=Instant(5), sub=text))
    lines.close()
    written = os.read(pipe[0], 65536).decode()
    assert written.rstrip("\n").isprintable()
    assert str(json.loads(written)["sub"]).isprintable()


def test_acts_that_find_no_place_are_counted_and_told(pipe: tuple[int, int]) -> None:
    lines = ActivityLines(StandardOutput(pipe[1]), most=2)
    # Faster than the thread wakes.
    for _ in range(5):
        lines.tell(ACT)
    lines.close()
    written = told(pipe[0])
    assert [line["event"] for line in written].count("refresh_rotated") == 2
    assert [line["n"] for line in written if line["event"] == "activity_dropped"] == [3]


def test_a_pipe_that_nobody_empties_holds_up_neither_the_teller_nor_the_end(pipe: tuple[int, int]) -> None:
    lines = ActivityLines(StandardOutput(pipe[1]), most=1000)
    began = time.monotonic()
    for _ in range(20):
        for _ in range(1000):
            lines.tell(ACT)
        time.sleep(0.02)
    lines.close(0.1)
    assert time.monotonic() - began < 2
    # Once it is emptied again, what was lost is told to the last act.
    written, lost, deadline = 0, 0, time.monotonic() + 5
    while written + lost < 20_000:
        assert time.monotonic() < deadline, (written, lost)
        received = b""
        while not received.endswith(b"\n"):
            received += os.read(pipe[0], 65536)
        for line in received.splitlines():
            message = json.loads(line)
            lost += message.get("n", 0)
            written += message["event"] == "refresh_rotated"
    assert written + lost == 20_000
    assert lost > 0


def test_a_closed_output_loses_acts_and_nothing_else(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    lines = ActivityLines(StandardOutput(pipe[1]))
    for _ in range(3):
        lines.tell(ACT)
        time.sleep(0.15)
    began = time.monotonic()
    lines.close()
    assert time.monotonic() - began < 1
