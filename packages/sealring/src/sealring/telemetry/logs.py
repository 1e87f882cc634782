"""Logs: one JSON line an event on standard error; no request body, no header, no secret."""

import logging
import sys
from contextlib import suppress
from typing import IO, TextIO, cast

import structlog
import structlog.stdlib
import structlog.tracebacks
from structlog.typing import Processor


def configure_logs() -> None:
    """Send our own events, and warnings of the libraries, to standard error as JSON lines."""
    # Unquoted, since vulture sees no quoted name.
    stream = cast(TextIO, _Forgiving(sys.stderr))  # noqa: TC006 -- as said
    told: list[Processor] = [structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    rendered: list[Processor] = [
        # Without locals: a frame of a failed sign-in holds a password.
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        structlog.processors.JSONRenderer(),
    ]
    structlog.configure(
        processors=[*told, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(stream),
    )
    libraries = logging.StreamHandler(stream)
    libraries.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=told,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[libraries])


class _Forgiving:
    """A stream that loses what it cannot write: a full disk under the log, or a closed one, refuses no request."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()
