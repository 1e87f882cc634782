"""The server's own certificate: read from its files, judged, and read again when they change."""

import os
import ssl
import stat
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sealring.compose.problem import ComposeProblem
from sealring.signing.master_key import is_exposed, place_of
from sealring.web.http_server import Tls, make_server_context

_log = structlog.get_logger()
# The key of a certificate is often shared with a group that exists for that; everybody else is too many.
_GROUP_MAY_READ: Final = stat.S_IRGRP | stat.S_IXGRP

_Marks = tuple[tuple[int, int, int, int], ...]


class _Unusable(Exception):  # noqa: N818 -- a sentence on its way to the operator
    pass


class Certificate:
    """The context for the next client. A changed pair of files replaces it whole; a broken one leaves it as it was."""

    def __init__(self, certificate_file: Path, key_file: Path) -> None:
        """Read the files; raises ComposeProblem with a sentence where they cannot serve."""
        self._files = (certificate_file, key_file)
        self._told: str | None = None
        try:
            self._marks = self._look()
            self._context = self._load()
        except _Unusable as problem:
            raise ComposeProblem(str(problem)) from problem

    def tls(self, *, strict_transport: bool) -> Tls:
        """Say how to speak TLS by it. `strict_transport`: browsers shall come by https only."""
        return Tls(context=self.context, strict_transport=strict_transport)

    def context(self) -> ssl.SSLContext:
        """Return the context by which the next client is spoken to; clients that are connected keep theirs."""
        return self._context

    def reload_if_changed(self) -> None:
        """Read the files again if they are others than before; a pair that cannot serve is logged once."""
        try:
            # Looked at before they are read: what changes meanwhile is a change again.
            marks = self._look()
            if marks == self._marks:
                return
            self._context = self._load()
        except _Unusable as problem:
            if self._told != str(problem):
                self._told = str(problem)
                _log.error("certificate_not_reloaded", advice=f"{problem} The one before is served meanwhile.")
            return
        self._marks, self._told = marks, None
        _log.info("certificate_reloaded", file=str(self._files[0]))

    def _look(self) -> _Marks:
        return tuple(_mark(file) for file in self._files)

    def _load(self) -> ssl.SSLContext:
        certificate_file, key_file = self._files
        _refuse_exposed(key_file)
        try:
            return make_server_context(certificate_file, key_file)
        except (OSError, ValueError) as failure:
            reason = getattr(failure, "reason", None) or getattr(failure, "strerror", None) or failure
            raise _Unusable(
                f"tls.certificate_file {certificate_file} and tls.key_file {key_file} do not serve together: {reason}. "
                "Both must be PEM, the key not encrypted and that of the first certificate."
            ) from failure


def _mark(file: Path) -> tuple[int, int, int, int]:
    try:
        status = file.stat()
    except OSError as failure:
        raise _Unusable(f"{file} of the settings [tls] cannot be read ({failure.strerror}).") from failure
    return status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size


def _refuse_exposed(key_file: Path) -> None:
    try:
        descriptor = os.open(key_file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as failure:
        raise _Unusable(f"tls.key_file {key_file} cannot be read ({failure.strerror}).") from failure
    try:
        place = place_of(key_file, descriptor, os.fstat(descriptor))
    finally:
        os.close(descriptor)
    if is_exposed(msgspec.structs.replace(place, mode=place.mode & ~_GROUP_MAY_READ)):
        raise _Unusable(
            f"tls.key_file {key_file} can be read by everybody on this machine, or written by others than its owner "
            f"(mode {place.mode:04o}): run `chmod 640 {key_file}`, or put it on a secret mount."
        )
