"""Logs: one JSON line an event on standard error; no request body, no header, no secret."""

import logging
import sys
from contextlib import suppress
from typing import IO, TextIO, cast

import structlog
import structlog.tracebacks


def configure_logs() -> None:
    """Send our own events, and warnings of the libraries, to standard error as JSON lines."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            # Without locals: a frame of a failed sign-in holds a password.
            structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        # Unquoted, since vulture sees no quoted name.
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, _Forgiving(sys.stderr))),  # noqa: TC006 -- as said
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format='{"event": "library", "text": "%(message)s"}')


class _Forgiving:
    """A stream that loses what it cannot write: a full disk under the log shall refuse no request."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()
