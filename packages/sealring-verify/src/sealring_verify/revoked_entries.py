"""The set of what was ended: fixed records in one bytearray, read by any number of threads while one writes."""

import struct

ENTRIES_BOUND = 1_000_000
_RECORD = struct.Struct("<16sIIQ")  # id, at, until, epoch
_EMPTY = bytes(16)
_FOREVER = 2**32 - 1
_SMALLEST = 53
_GROWTH = 1.5

_Table = tuple[bytearray, int]


class RevokedEntries:
    """Ids of 16 octets with `at`, `until` (seconds since 1970, None: never forgotten) and epoch; ≤ 64 octets each.

    Readers take no lock: a record is written by one assignment and never moved, and a table that is rebuilt is swapped
    in by one. One thread writes. Nothing is dropped but what has expired, and that only when the table is rebuilt.
    """

    def __init__(self, bound: int = ENTRIES_BOUND) -> None:
        self._bound = bound
        self._table: _Table = _empty_table(_SMALLEST)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def find(self, identifier: bytes) -> tuple[int, int] | None:
        """Give `at` and epoch of an entry; the epoch is 0 where the kind has none. About a microsecond."""
        table = self._table
        offset, found = _seek(table, identifier)
        if not found:
            return None
        _, at, _, epoch = _RECORD.unpack_from(table[0], offset)
        return at, epoch

    def add(self, identifier: bytes, *, at: int, until: int | None, epoch: int, now: float) -> bool:
        """Add an entry; of two with one id the larger epoch and the later until hold.

        `now`: seconds since 1970, by which others may be forgotten. False: the bound is reached, and it was not added.
        """
        at = min(at, _FOREVER)
        ends = _FOREVER if until is None else min(max(until, 1), _FOREVER)
        offset, found = _seek(self._table, identifier)
        if found:
            self._merge(offset, at=at, ends=ends, epoch=epoch)
            return True
        # At most four fifths full, and never less than 8/15 after growing: 40 to 60 octets an entry.
        if self._count >= self._bound or 5 * (self._count + 1) > 4 * self._table[1]:
            self._rebuild(now)
            if self._count >= self._bound:
                return False
            offset, _ = _seek(self._table, identifier)
        self._table[0][offset : offset + 32] = _RECORD.pack(identifier, at, ends, epoch)
        self._count += 1
        return True

    def _merge(self, offset: int, *, at: int, ends: int, epoch: int) -> None:
        data = self._table[0]
        identifier, was_at, was_ends, was_epoch = _RECORD.unpack_from(data, offset)
        at = at if epoch > was_epoch else was_at
        data[offset : offset + 32] = _RECORD.pack(identifier, at, max(ends, was_ends), max(epoch, was_epoch))

    def _rebuild(self, now: float) -> None:
        data, capacity = self._table
        live = [
            offset
            for offset in range(0, 32 * capacity, 32)
            if (until := int.from_bytes(data[offset + 20 : offset + 24], "little")) and until >= now
        ]
        wanted = capacity
        while 5 * (len(live) + 1) > 4 * wanted:
            wanted = int(wanted * _GROWTH) + 1
        table = _empty_table(wanted)
        for offset in live:
            free, _ = _seek(table, bytes(data[offset : offset + 16]))
            table[0][free : free + 32] = data[offset : offset + 32]
        self._table = table
        self._count = len(live)


def _empty_table(capacity: int) -> _Table:
    # A prime, so that every step visits every place.
    capacity |= 1
    while any(capacity % divisor == 0 for divisor in range(3, int(capacity**0.5) + 1, 2)):
        capacity += 2
    return bytearray(32 * capacity), capacity


def _seek(table: _Table, identifier: bytes) -> tuple[int, bool]:
    # Ids are digests, so their octets are as good as a hash. Double hashing: long runs would cost each miss dearly.
    data, capacity = table
    offset = 32 * (int.from_bytes(identifier[:8], "little") % capacity)
    held = data[offset : offset + 16]
    if held == identifier and data[offset + 20 : offset + 24] != b"\0\0\0\0":
        return offset, True
    step = 32 * (1 + int.from_bytes(identifier[8:], "little") % (capacity - 1))
    end = 32 * capacity
    while held != _EMPTY or data[offset + 20 : offset + 24] != b"\0\0\0\0":
        if held == identifier:
            return offset, True
        offset += step
        if offset >= end:
            offset -= end
        held = data[offset : offset + 16]
    return offset, False
