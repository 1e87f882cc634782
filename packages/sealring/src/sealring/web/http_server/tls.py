"""TLS of the server's own: versions and suites, and a listener that counts a client before its handshake.

The loop's own server tells of a client once its handshake is done, so handshakes that never end would be counted by
nobody. This one accepts by itself: a socket takes its place among the connections first, and gives it back when the
handshake fails or outlasts its time.
"""

import asyncio
import errno
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
import structlog

from sealring.web.http_server.admission import Admission, ConnectionLimits
from sealring.web.http_server.connection import Connection

# TLS 1.2 with forward secrecy and AEAD only; the suites of TLS 1.3 are all of that kind (RFC 9325 §4.2).
_SUITES: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_HSTS: Final = (b"strict-transport-security", b"max-age=31536000")
_ACCEPT_AGAIN_SECONDS: Final = 1
_AFTER_A_MISHAP_SECONDS: Final = 0.005
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = structlog.get_logger()


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """How a listener speaks TLS. `context`: the one for the next client; made anew when the certificate changes.

    `strict_transport`: every answer tells browsers to come by https only, for a year (RFC 6797).
    """

    context: Callable[[], ssl.SSLContext]
    strict_transport: bool = True

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers that every answer over TLS has."""
        return [_HSTS] if self.strict_transport else []


def make_server_context(certificate_file: Path, key_file: Path) -> ssl.SSLContext:
    """Make a context for TLS 1.3 and 1.2, HTTP/1.1 by ALPN. Raises OSError (ssl.SSLError included) and ValueError.

    `certificate_file`: PEM, the server's own certificate first, then its issuers. An encrypted key is refused.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    # Without a password OpenSSL would ask for one at the terminal, and a server would hang there.
    context.load_cert_chain(certificate_file, key_file, password=lambda: "")
    return context


class TlsListener:
    """Accept clients of one listening socket, and make each a Connection once its handshake is done."""

    def __init__(
        self,
        listening: socket.socket,
        *,
        tls: Tls,
        limits: ConnectionLimits,
        admission: Admission,
        connect: Callable[[str], Connection],
    ) -> None:
        """`connect`: makes the protocol of a client whose address has been admitted already."""
        self._listening = listening
        self._tls = tls
        self._limits = limits
        self._admission = admission
        self._connect = connect
        self._handshakes: set[asyncio.Task[None]] = set()
        listening.settimeout(0)  # the loop wants it non-blocking
        self._accepting = asyncio.create_task(self._accept())

    def close(self) -> None:
        """Accept no more, and drop who is in the middle of a handshake."""
        self._accepting.cancel()
        for handshake in self._handshakes:
            handshake.cancel()

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        with self._listening:
            while True:
                try:
                    accepted, address = await loop.sock_accept(self._listening)
                except OSError as error:
                    await _wait_after(error)
                    continue
                if not self._admission.admit(address[0]):
                    accepted.close()
                    continue
                handshake = asyncio.create_task(self._shake_hands(accepted, address[0]))
                self._handshakes.add(handshake)
                handshake.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, accepted: socket.socket, host: str) -> None:
        connection = self._connect(host)
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection,
                accepted,
                ssl=self._tls.context(),
                ssl_handshake_timeout=self._limits.head_seconds,
                ssl_shutdown_timeout=self._limits.linger_seconds,
            )
        except OSError:
            pass  # plain HTTP, an old version, no suite in common, gone, or too slow: nothing that anybody must read
        finally:
            if not connection.made:
                self._admission.leave(host)
                accepted.close()


async def _wait_after(error: OSError) -> None:
    # Whoever waits in the backlog is asked again. What else accept(2) may say is one client's mishap, and must not hold
    # up the others for longer than keeps a loop from running hot.
    if error.errno in _EXHAUSTED:
        _log.error("accept_failed", reason=error.strerror)
        await asyncio.sleep(_ACCEPT_AGAIN_SECONDS)
    else:
        await asyncio.sleep(_AFTER_A_MISHAP_SECONDS)
