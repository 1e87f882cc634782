"""Clocks, as arguments."""

from collections.abc import Callable

from sealring.protocol.instant import Instant, ServiceInstant

Clock = Callable[[], Instant]
"""Tell the wall clock's now; read once per act."""

ServiceClock = Callable[[], ServiceInstant]
"""Tell the service clock's now: it counts only while some node serves (SECURITY A5)."""
