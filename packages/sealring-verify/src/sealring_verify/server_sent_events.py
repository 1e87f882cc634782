"""Server-Sent Events (HTML §9.2), as far as the feed needs them, pure: octets in, the data of whole events out."""

from collections.abc import Iterator


class EventTooLong(ValueError):  # noqa: N818 - it reads as what happened
    """A line or an event is longer than its bound."""


class EventReader:
    """Reads one stream. `max_length`: octets of one event, and so of what is kept."""

    def __init__(self, max_length: int) -> None:
        self._max_length = max_length
        self._rest = bytearray()
        self._data: list[bytes] = []
        self._length = 0

    def feed(self, octets: bytes) -> Iterator[bytes]:
        """Take octets as they come and yield the data of each event that they complete. Raises EventTooLong."""
        seen = len(self._rest)
        self._rest += octets
        begin = 0
        while (end := self._rest.find(b"\n", max(begin, seen))) >= 0:
            line = bytes(self._rest[begin:end]).removesuffix(b"\r")
            begin = end + 1
            event = self._take_line(line)
            if event is not None:
                yield event
        del self._rest[:begin]
        if len(self._rest) + self._length > self._max_length:
            raise EventTooLong("an event is too long")

    def _take_line(self, line: bytes) -> bytes | None:
        if line:
            name, _, value = line.partition(b":")
            if name == b"data":
                self._data.append(value.removeprefix(b" "))
                # The line end counts too, or lines without data would be kept for ever.
                self._length += len(value) + 1
                if self._length > self._max_length:
                    raise EventTooLong("an event is too long")
            return None
        event = b"\n".join(self._data) if self._data else None
        self._data, self._length = [], 0
        return event
