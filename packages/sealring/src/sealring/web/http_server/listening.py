"""Listening sockets: TCP on each address of a host, or a Unix socket that only its owner can open."""

import errno
import os
import socket
import stat
from pathlib import Path

import msgspec

BACKLOG = 2048


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """A TCP address. `host`: a name or an IP address, each of its addresses is bound; `port` 0: the system chooses."""

    host: str
    port: int


class ListenUnix(msgspec.Struct, frozen=True, kw_only=True):
    """A Unix socket. `path`: at most 107 bytes (108 with the NUL, sun_path), in a folder that exists; mode 0600."""

    path: Path


class CannotListen(Exception):  # noqa: N818 - it says what the operator reads
    """The address cannot be listened on; its text is a sentence that says what to do."""


class PortInUse(CannotListen):
    """Another process listens on the port."""


class SocketInUse(CannotListen):
    """Another process answers on the Unix socket."""


def open_tcp_sockets(listen: Listen) -> list[socket.socket]:
    """Bind and listen on every address of `listen.host`; raises CannotListen or PortInUse and leaves nothing open."""
    sockets: list[socket.socket] = []
    port = listen.port
    try:
        for family, host in _addresses(listen):
            try:
                opened = _open_tcp_socket(family, host, port)
            except OSError as error:
                # A machine without IPv6 resolves `localhost` to ::1 all the same; the other address is enough.
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT) and sockets:
                    continue
                raise
            sockets.append(opened)
            port = opened.getsockname()[1]
    except BaseException as error:
        for opened in sockets:
            opened.close()
        if isinstance(error, OSError):
            raise _tcp_sentence(listen, error) from error
        raise
    return sockets


def open_unix_socket(listen: ListenUnix) -> socket.socket:
    """Listen on `listen.path` with mode 0600 from its first moment; replaces a socket file on which nobody answers.

    Raises SocketInUse when somebody does, CannotListen for anything else in the way.
    """
    path = listen.path
    try:
        _remove_stale(path)
        opened = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # The mode must be right when the file appears: a chmod after bind leaves a moment in which others may connect.
        previous = os.umask(0o177)
        try:
            opened.bind(str(path))
            opened.listen(BACKLOG)
        except BaseException:
            opened.close()
            raise
        finally:
            os.umask(previous)
    except OSError as error:
        raise CannotListen(f"The control socket {path} cannot be opened: {error.strerror or error}.") from error
    return opened


def remove_unix_socket(path: Path, identity: tuple[int, int]) -> None:
    """Remove the socket file if it is still the one of `identity` (device, inode), not a successor's."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if (status.st_dev, status.st_ino) == identity:
        path.unlink(missing_ok=True)


def _addresses(listen: Listen) -> list[tuple[socket.AddressFamily, str]]:
    found = socket.getaddrinfo(listen.host or None, listen.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    # IPv4 first, so that the one that may be missing is never the only one tried.
    ordered = sorted(found, key=lambda entry: entry[0] != socket.AF_INET)
    return list(dict.fromkeys((family, str(address[0])) for family, _, _, _, address in ordered))


def _open_tcp_socket(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((host, port))
        opened.listen(BACKLOG)
    except BaseException:
        opened.close()
        raise
    return opened


def _tcp_sentence(listen: Listen, error: OSError) -> CannotListen:
    where = f"port {listen.port} of {listen.host or 'all addresses'}"
    if error.errno == errno.EADDRINUSE:
        return PortInUse(
            f"Another process is listening on {where}: stop it, or choose another port (`ss -ltnp` names the process)."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return CannotListen(f"Listening on {where} is not permitted: choose a port above 1023, or grant the right.")
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return CannotListen(f"This machine has no address {listen.host}: listen on one that it has, or on 0.0.0.0.")
    return CannotListen(f"Listening on {where} failed: {error.strerror or error}.")


def _remove_stale(path: Path) -> None:
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"{path} exists and is not a socket: move it away, then start again.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.settimeout(1)
        try:
            caller.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except TimeoutError:
            pass  # a full backlog belongs to a living listener
    raise SocketInUse(f"Another process answers on {path}: stop it first, or use that one.")
