"""Instants and durations, so that no number travels without its unit."""

from typing import NewType

Instant = NewType("Instant", int)
"""A moment of the wall clock: milliseconds since 1970-01-01T00:00:00Z."""

ServiceInstant = NewType("ServiceInstant", int)
"""A reading of the service clock: milliseconds during which some node was serving (it stands still in an outage)."""

Seconds = NewType("Seconds", int)
"""A duration as people write it in settings."""


def later(instant: Instant, seconds: int) -> Instant:
    """Return the instant `seconds` after `instant`."""
    return Instant(instant + seconds * 1000)


def numeric_date(instant: Instant) -> int:
    """Return a NumericDate (RFC 7519 §2): whole seconds, floored, so that `iat` never lies in the future."""
    return instant // 1000
