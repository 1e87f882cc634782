"""Ordinary acts on standard output, one JSON line each, written by a thread of its own (SECURITY F2).

The thread wakes ten times a second and writes whatever waits: nothing that tells an act ever waits for a reader.
"""

from collections import deque
from threading import Event, Thread
from typing import Final

import msgspec
import structlog

from sealring.protocol.activity import Activity
from sealring.telemetry.sinks import encode_for_terminal
from sealring.telemetry.standard_output import StandardOutput

DROPPED_EVENT: Final = "activity_dropped"
"""The line that says how many acts were lost since the last such line."""

_GATHER_SECONDS: Final = 0.1
_MOST_AT_ONCE: Final = 1000
_log = structlog.get_logger()


class ActivityLines:
    """`ports.ActivityStream` on standard output. `most`: acts that may wait to be written; more are lost, and counted.

    One thread tells (the event loop's), another writes.
    """

    def __init__(self, output: StandardOutput, *, most: int = 20_000) -> None:
        self._output = output
        self._most = most
        self._waiting: deque[Activity] = deque()
        # Each number has one writer: what found no place, what was not written, what of both was said.
        self._without_place = self._unwritten = self._said = 0
        self._failing = False
        self._closing = Event()
        # A daemon: a pipe that nobody empties shall not hold up the end of the process.
        self._writing = Thread(target=self._write_until_closed, name="activity", daemon=True)
        self._writing.start()

    def tell(self, activity: Activity) -> None:
        """Take one act, or count it as lost."""
        if len(self._waiting) < self._most:
            self._waiting.append(activity)
        else:
            self._without_place += 1

    def close(self, seconds: float = 1.0) -> None:
        """Write what waits, for that long at most."""
        self._closing.set()
        self._writing.join(seconds)

    def _write_until_closed(self) -> None:
        while not self._closing.wait(_GATHER_SECONDS):
            self._write_waiting()
        self._write_waiting()

    def _write_waiting(self) -> None:
        while self._waiting or self._lost():
            taken = [self._waiting.popleft() for _ in range(min(len(self._waiting), _MOST_AT_ONCE))]
            if not self._write(taken):
                return

    def _lost(self) -> int:
        return self._without_place + self._unwritten - self._said

    def _write(self, taken: list[Activity]) -> bool:
        lost = self._lost()
        notice = _line({"event": DROPPED_EVENT, "level": "warning", "n": lost}) if lost else b""
        lines = b"".join(map(_activity_line, taken))
        unwritten = self._output.write(notice + lines)
        rest = b"" if unwritten is None else unwritten.rest
        if len(rest) <= len(lines):
            self._said += lost
        self._unwritten += min(rest.count(b"\n"), len(taken))
        if unwritten is not None and not self._failing:
            _log.warning("activity_not_written", reason=str(unwritten.failure))
        self._failing = unwritten is not None
        return unwritten is None


def _activity_line(activity: Activity) -> bytes:
    members = {name: _shown(value) for name, value in msgspec.structs.asdict(activity).items() if value is not None}
    return _line({"event": activity.event, "level": "info"} | members)


def _line(members: dict[str, object]) -> bytes:
    return msgspec.json.encode(members) + b"\n"


def _shown(value: object) -> object:
    # JSON alone would let through what turns a line around for whoever reads it on a terminal.
    return encode_for_terminal(value) if isinstance(value, str) else value
