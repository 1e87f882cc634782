import stat
from pathlib import Path

import pytest

from sealring.config import control_socket
from sealring.demo.folder import (
    DemoProblem,
    make_settings_of_demo,
    read_secret,
    read_settings_of_demo,
    write_secret,
)


def test_a_demo_listens_on_loopback_and_names_no_other_issuer(tmp_path: Path) -> None:
    settings = make_settings_of_demo(tmp_path / "demo", port=9000)
    assert settings.issuer == "http://localhost:9000"
    assert (settings.server.host, settings.server.port) == ("127.0.0.1", 9000)
    assert read_settings_of_demo(tmp_path / "demo") == settings


def test_a_demo_on_another_port_is_another_demo(tmp_path: Path) -> None:
    make_settings_of_demo(tmp_path, port=9000)
    with pytest.raises(DemoProblem, match="name another folder"):
        make_settings_of_demo(tmp_path, port=9001)


def test_a_demo_is_not_opened_to_the_network_by_its_file(tmp_path: Path) -> None:
    make_settings_of_demo(tmp_path, port=9000)
    file = tmp_path / "sealring.toml"
    file.write_text(file.read_text().replace("127.0.0.1", "0.0.0.0"))  # noqa: S104 -- this is what is refused
    with pytest.raises(DemoProblem):
        make_settings_of_demo(tmp_path, port=9000)


def test_the_control_socket_of_a_deep_demo_still_fits_into_an_address(tmp_path: Path) -> None:
    settings = make_settings_of_demo(tmp_path / ("d" * 100), port=9000)
    socket = control_socket(settings)
    assert len(bytes(socket)) <= 100
    assert stat.S_IMODE(socket.parent.stat().st_mode) == 0o700
    assert control_socket(make_settings_of_demo(tmp_path / ("d" * 100), port=9000)) == socket
    socket.parent.rmdir()


def test_a_demo_that_never_ran_is_unreachable(tmp_path: Path) -> None:
    with pytest.raises(DemoProblem, match="start it with") as problem:
        read_settings_of_demo(tmp_path)
    assert problem.value.exit_status == 3


def test_a_file_of_settings_that_is_broken_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "sealring.toml").write_text("issuer = ")
    with pytest.raises(DemoProblem, match="cannot be read"):
        read_settings_of_demo(tmp_path)


def test_a_secret_is_for_its_owner_and_a_new_one_replaces_it_whole(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    assert read_secret(file) is None
    write_secret(file, "one")
    write_secret(file, "two")
    assert read_secret(file) == "two"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]
