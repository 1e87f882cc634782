import os
import socket
import stat
from pathlib import Path

import pytest

from sealring.web.http_server import CannotListen, Listen, ListenUnix, PortInUse, SocketInUse
from sealring.web.http_server.listening import open_tcp_sockets, open_unix_socket, remove_unix_socket


def test_a_taken_port_is_told_in_a_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=f"Another process is listening on port {port} of 127.0.0.1: stop it"):
            open_tcp_sockets(Listen(host="127.0.0.1", port=port))


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_an_address_of_another_machine_is_told_in_a_sentence(host: str) -> None:
    with pytest.raises(CannotListen, match=f"This machine has no address {host}"):
        open_tcp_sockets(Listen(host=host, port=0))


def test_all_addresses_of_localhost_share_one_port() -> None:
    sockets = open_tcp_sockets(Listen(host="localhost", port=0))
    assert len({opened.getsockname()[1] for opened in sockets}) == 1
    for opened in sockets:
        opened.close()


def test_the_unix_socket_is_its_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    previous = os.umask(0)
    try:
        with open_unix_socket(ListenUnix(path=path)):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert os.umask(0) == 0
    finally:
        os.umask(previous)


def test_a_stale_socket_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    open_unix_socket(ListenUnix(path=path)).close()
    with open_unix_socket(ListenUnix(path=path)), socket.socket(socket.AF_UNIX) as caller:
        caller.connect(str(path))


def test_a_socket_on_which_somebody_answers_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with open_unix_socket(ListenUnix(path=path)):
        with pytest.raises(SocketInUse, match="Another process answers on"):
            open_unix_socket(ListenUnix(path=path))
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(CannotListen, match="is not a socket"):
        open_unix_socket(ListenUnix(path=path))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("place", ["absent/control.sock", "x" * 120])
def test_a_place_where_no_socket_can_be_is_told_in_a_sentence(tmp_path: Path, place: str) -> None:
    with pytest.raises(CannotListen, match="cannot be opened"):
        open_unix_socket(ListenUnix(path=tmp_path / place))


def test_only_the_own_socket_file_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "control.sock"
    with open_unix_socket(ListenUnix(path=path)):
        status = path.stat()
        remove_unix_socket(path, (status.st_dev, status.st_ino + 1))
        assert path.exists()
        remove_unix_socket(path, (status.st_dev, status.st_ino))
        assert not path.exists()
        remove_unix_socket(path, (status.st_dev, status.st_ino))
